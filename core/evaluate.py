"""Score a trained detector on a slice table, beside the floor.

Examples:
    python -m core.evaluate                               the newest study's detector on its test table
    python -m core.evaluate runs/mine --table test.arrow --out evaluation.json
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from core.checkpoint import load_detector
from core.config import to_dict
from core.console import out, run
from core.durable import write_json
from core.errors import BadInput
from core.evaluation import evaluate, scorer_of
from core.floor import floor_scorers
from core.mirror import address, fetch, place
from core.results import detector_entry, differences, floor_entry, verdict_on_floor
from core.results_table import results_table
from core.retraining import find_best
from core.slices.table import open_table
from core.training import choose_device, uses_bf16


def main(
    detector: Annotated[Path | None, typer.Argument(help="Folder with model.safetensors and config.json.")] = None,
    table: Annotated[Path | None, typer.Option(help="Slice table to score. Default: the study's test table.")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Table that sets Dice's threshold. Default: the probe.")
    ] = None,
    normal: Annotated[
        Path | None, typer.Option(help="Healthy slices for the floor. Default: the training table.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    path: Annotated[Path | None, typer.Option("--out", help="Also write the figures as JSON.")] = None,
) -> None:
    """Score one detector on a table, at sample and pixel level, beside baselines that need no training."""
    detector = place(detector) if detector else None
    if detector is None or table is None or validation is None or normal is None:
        best = find_best(str(detector.parent) if detector and fetch(detector.parent / "best.json").exists() else None)
        detector = detector or best.folder / "retrained"
        tables = [
            table or best.table("test").path,
            validation or best.table("probe").path,
            normal or best.table("train").path,
        ]
        table, validation, normal = tables
    chosen = choose_device(device)
    network, config = load_detector(detector, chosen)
    slices, probe, healthy = open_table(table), open_table(validation), open_table(normal)
    for other in (probe, healthy):
        if (other.height, other.width) != (slices.height, slices.width):
            raise BadInput(
                f"{other.path}: slices of {other.height}x{other.width}, expected {slices.height}x{slices.width} "
                f"as in {slices.path}"
            )
    out.print(f"detector {address(detector)}, table {address(slices.path)}", markup=False)
    scorer = scorer_of(network, bf16=uses_bf16(config.training, chosen))
    on_test, on_probe = (evaluate(scorer, each, device=chosen) for each in (slices, probe))
    baselines = floor_scorers(healthy.images(np.flatnonzero(~np.isin(healthy.subject, probe.subjects))), chosen)
    floors = {name: evaluate(baseline, slices, device=chosen) for name, baseline in baselines.items()}
    entries = [detector_entry("winner", to_dict(config), [0], [on_test], [on_probe])]
    entries += [floor_entry(name, found, config.score) for name, found in floors.items()]
    verdict = verdict_on_floor(entries, differences([on_test], {name: [found] for name, found in floors.items()}))
    test = {"path": str(slices.path), "digest": slices.digest, "subjects": list(slices.subjects), "slices": len(slices)}
    result = {"test": test, "seeds": [0], "entries": entries, "floor_verdict": verdict}
    out.print(results_table(result, from_score=config.score))
    out.print(verdict["sentence"], markup=False)
    if path:
        write_json(path, result)


if __name__ == "__main__":
    run(main)
