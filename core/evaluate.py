"""Score a trained detector on a slice table, or a folder of predictions as the MOOD challenge scores it.

Examples:
    python -m core.evaluate                               the newest study's detector on its test table
    python -m core.evaluate runs/mine/retrained --test test.arrow --out evaluation.json
    python -m core.evaluate --protocol mood predictions/ toy_label/pixel --level pixel

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.errors import BadConfig, BadInput, nearest
from core.options import DATA, Device

_RULES = "How to score"


def main(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="slices: a folder with model.safetensors and config.json. Default: the newest study's. "
            "mood: predictions and labels, two folders.",
            metavar="[DETECTOR | PREDICTIONS LABELS]",
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(metavar="NAME", help="slices, the paper's, or mood, the challenge's.", rich_help_panel=_RULES),
    ] = "slices",
    level: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="mood: pixel or sample. Default: pixel.", rich_help_panel=_RULES),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--test",
            "--table",
            metavar="TABLE",
            help="Slice table to score. Default: that of the detector's study.",
            rich_help_panel=DATA,
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            "--probe",
            "--validation",
            metavar="TABLE",
            help="Table that sets Dice's threshold. Default: the probe of the detector's study.",
            rich_help_panel=DATA,
        ),
    ] = None,
    normal: Annotated[
        Path | None,
        typer.Option(
            "--train",
            "--normal",
            metavar="TABLE",
            help="Healthy slices for the floor. Default: the training table of the detector's study.",
            rich_help_panel=DATA,
        ),
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the figures as JSON. Default: not written.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score one detector on a table beside the floor and the paper, or a folder of predictions by MOOD's rules."""
    from core.durable import write_json
    from core.mirror import fetch, place
    from core.protocols.mood import score_folder
    from core.protocols.slices import score_table
    from core.protocols.tables import mood_sentence, mood_table, paper_sentences, paper_table
    from core.results_table import results_table

    if path and path.is_dir():
        raise BadInput(f"--out {path}: is a folder, expected a name for the JSON file")
    given = [place(one) for one in paths or []]
    if protocol == "slices":
        if len(given) > 1 or level is not None:
            wrong = f"--level {level}" if level is not None else f"{given[1]}"
            raise BadConfig(f"{wrong}: expected only with --protocol mood")
        result = score_table(given[0] if given else None, table, validation, normal, device)
        out.print(f"detector {result['detector']}, table {result['test']['path']}", markup=False)
        out.print(f"threshold from {result['threshold_from']}, floor from {result['floor_from']}", markup=False)
        if study := result["test"]["of_study"]:
            told = "the test of study {}: one more look, which the study does not count; nothing may be chosen by it"
            out.print(told.format(study), markup=False)
        out.print(results_table(result, from_score=result["score"]))
        out.print(result["floor_verdict"]["sentence"], markup=False)
        out.print(paper_table(result["paper"]))
        for sentence in paper_sentences(result["paper"], result["test"]["described"]):
            out.print(sentence, markup=False)
    elif protocol == "mood":
        if len(given) != 2:
            raise BadConfig(f"--protocol mood: expected two folders, PREDICTIONS and LABELS, and got {len(given)}")
        for name, value in (("test", table), ("probe", validation), ("train", normal)):
            if value is not None:
                raise BadConfig(f"--{name} {value}: expected only with --protocol slices")
        result = score_folder(fetch(given[0]), fetch(given[1]), level or "pixel")
        out.print(mood_table(result))
        out.print(mood_sentence(result), markup=False)
    else:
        raise BadConfig(f"--protocol {protocol!r}: expected slices or mood{nearest(protocol, ('slices', 'mood'))}")
    if path:
        write_json(place(path), result)


if __name__ == "__main__":
    run(main)
