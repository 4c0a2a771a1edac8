"""Train a detector: the winner of a study (--best), or one configuration on a slice table.

Examples:
    python -m core.train --best                      the newest study's winner, over its seeds, tested once
    python -m core.train --best runs/demo
    python -m core.train --best mine --runs /shared/runs
    python -m core.train --train slices.arrow --preset robust --set loss.alpha=0.3 --out runs/mine

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C, the same command goes on.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.errors import BadConfig, nearest
from core.options import Device, HealthyTable, Runs, Seed, Settings

_BEST, _ONE = "The winner of a study", "One configuration"


def main(
    study: Annotated[
        str | None,
        typer.Argument(metavar="STUDY", help="With --best: a study's name or folder. Default: the newest."),
    ] = None,
    best: Annotated[
        bool,
        typer.Option("--best", help="Retrain a study's winner over its seeds and test it once.", rich_help_panel=_BEST),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --best: also if it was done already.", rich_help_panel=_BEST)
    ] = False,
    runs: Runs = None,
    table: HealthyTable = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="To start from; see core/presets/. Default: paper.", rich_help_panel=_ONE),
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="For checkpoints and the detector. Default: runs/train.",
            rich_help_panel=_ONE,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Train a detector: a study's winner with --best, or one configuration."""
    if best:
        unused = {"--train": table, "--preset": preset, "--set": settings, "--seed": seed, "--out": folder}
    else:
        unused = {"argument": study, "--again": again or None, "--runs": runs}
    for option, value in unused.items():
        if value is not None:
            told = option if value is True else f"{option} {value[0] if isinstance(value, list) else value}"
            raise BadConfig(f"{told}: expected only {'without' if best else 'with'} --best")
    if best:
        _best(study, runs, again, device)
        return
    from core.checkpoint import save_detector
    from core.config import differences, override, parse_setting
    from core.prediction.inference import Inference, save_inference
    from core.presets import PRESETS
    from core.slices.demo import demo_tables
    from core.slices.table import open_table
    from core.training import train

    preset, folder = preset or "paper", folder or Path("runs/train")
    if preset not in PRESETS:
        raise BadConfig(f"--preset {preset!r}: expected one of {', '.join(PRESETS)}{nearest(preset, PRESETS)}")
    config = override(PRESETS[preset], dict(parse_setting(item) for item in settings or []), "--set")
    slices = open_table(table or demo_tables()[0])
    out.print(f"training on {slices.path}: {len(slices)} slices of {len(slices.subjects)} subjects", markup=False)
    out.print(f"departures from the paper: {differences(config) or 'none'}", markup=False)
    for epoch in train(config, slices, seed=seed or 0, device=device, checkpoints=folder / "checkpoints"):
        kept = " (from a checkpoint)" if epoch.replayed else ""
        out.print(f"epoch {epoch.number}/{config.training.epochs}: loss {epoch.loss:.4f}, {epoch.seconds:.1f} s{kept}")
    save_detector(folder, epoch.detector, config)
    save_inference(folder, Inference.of(slices))
    out.print(f"wrote {folder / 'model.safetensors'}, config.json and inference.json", markup=False)


def _best(study: str | None, runs: Path | None, again: bool, device: str) -> None:
    import json

    from core.best import find_best
    from core.mirror import address, place, withdraw
    from core.model_card import write_card
    from core.results import best_floor
    from core.results_table import results_table
    from core.retraining import is_current, retrain

    found = find_best(study, place(runs) if runs else None)
    out.print(
        f"study {found.data['study']} in {address(found.folder)}: {found.data['verdict']['sentence']}", markup=False
    )
    target = found.folder / "retrained"
    if is_current(found) and not again:
        out.print(f"{target} is up to date; --again trains it anew", markup=False)
    else:
        if again:
            withdraw(target / "checkpoints")
        retrain(found, device=device, say=lambda text: out.print(text, markup=False))
    result = json.loads((target / "evaluation.json").read_text(encoding="utf-8"))
    card = write_card(target, found.data, result)  # also for a detector of before there were cards
    if floor := best_floor(result):
        own = result["shipped"]["objectives"]
        out.print(
            f"objective: {sum(own) / len(own):.4f} over these seeds; {floor[1]:.4f} for {floor[0]}, without training",
            markup=False,
        )
    if result["test"]:
        out.print(results_table(result, from_score=found.data["verdict"]["score"]))
        out.print(result["floor_verdict"]["sentence"], markup=False)
    else:
        out.print("not tested: the study names no test table", markup=False)
    out.print(f"detector: {target / 'model.safetensors'} (seed {result['shipped']['seed']})", markup=False)
    out.print(f"what it is and what it is not for: {card}", markup=False)


if __name__ == "__main__":
    run(main)
