"""Train a detector: the winner of a study (--best), or one configuration on a slice table.

Examples:
    python -m core.train --best                      the newest study's winner, over its seeds, tested once
    python -m core.train --best runs/demo
    python -m core.train --best mine --runs /shared/runs
    python -m core.train --train slices.arrow --preset robust --set loss.alpha=0.3 --out runs/mine
    python -m core.train --train slices.arrow --probe probe.arrow       for core.predict: the probe gives maps a scale

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C, the same command goes on.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.errors import BadConfig, BadInput, nearest
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
    probe: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Probe whose subjects are not trained on; it sets the scale and the threshold of the maps. "
            "Default: none, and the maps have no scale.",
            rich_help_panel=_ONE,
        ),
    ] = None,
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
    of_one = {"--train": table, "--preset": preset, "--probe": probe, "--seed": seed, "--out": folder}
    of_one["--set"] = settings[0] if settings else None
    of_best = {"argument": study, "--runs": runs, "--again": "" if again else None}
    for option, value in (of_one if best else of_best).items():
        if value is not None:
            raise BadConfig(f"{f'{option} {value}'.strip()}: expected only {'without' if best else 'with'} --best")
    if best:
        _best(study, runs, again, device)
    else:
        from core.mirror import place

        _one(table, probe, preset or "paper", settings or [], seed or 0, place(folder or "runs/train"), device)


def _one(
    table: Path | None, probe: Path | None, preset: str, settings: list[str], seed: int, folder: Path, device: str
) -> None:
    from core.checkpoint import save_detector
    from core.config import differences, override, parse_setting
    from core.device import choose_device, uses_bf16
    from core.evaluation import evaluate, scorer_of
    from core.mirror import address
    from core.prediction.inference import Inference, save_inference
    from core.presets import PRESETS
    from core.slices.alike import require_fit
    from core.slices.demo import demo_tables
    from core.slices.table import open_table
    from core.training import train

    if preset not in PRESETS:
        raise BadConfig(f"--preset {preset!r}: expected one of {', '.join(PRESETS)}{nearest(preset, PRESETS)}")
    config = override(PRESETS[preset], dict(parse_setting(item) for item in settings), "--set")
    slices = open_table(table or demo_tables()[0])
    yardstick = open_table(probe) if probe else None
    require_fit(slices, probe=yardstick)
    if yardstick and all(yardstick.family):
        raise BadInput(f"{yardstick.path}: has no healthy slice, which the scale of the maps needs")
    held_out = yardstick.subjects if yardstick else ()
    rows, subjects = slices.rows_without(held_out), set(slices.subjects) - set(held_out)
    out.print(f"training on {slices.path}: {len(rows)} slices of {len(subjects)} subjects", markup=False)
    out.print(f"departures from the paper: {differences(config) or 'none'}", markup=False)
    checkpoints = folder / "checkpoints"
    for epoch in train(config, slices, rows=rows, seed=seed, device=device, checkpoints=checkpoints):
        kept = " (from a checkpoint)" if epoch.replayed else ""
        out.print(f"epoch {epoch.number}/{config.training.epochs}: loss {epoch.loss:.4f}, {epoch.seconds:.1f} s{kept}")
    save_detector(folder, epoch.detector, config)
    measured = None
    if yardstick:
        used = choose_device(device)
        measured = evaluate(scorer_of(epoch.detector, bf16=uses_bf16(config.training, used)), yardstick, device=used)
    save_inference(folder, Inference.of(slices, measured, subjects))
    out.print(f"wrote {address(folder / 'model.safetensors')}, config.json and inference.json", markup=False)
    if not yardstick:
        out.print(
            "its maps have no scale: core.predict wants a --probe, of subjects that no training saw", markup=False
        )


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
