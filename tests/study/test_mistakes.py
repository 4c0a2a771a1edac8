"""A name that does not exist: one sentence with the nearest that does, exit code 2, no traceback."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from stored_studies import Stored

from core.console import run

SPACE = "[study]\ntrials = 3\n[space]\n"


def _ended(monkeypatch: pytest.MonkeyPatch, program: str, *words: str) -> int:
    """Run a program in this process and give its exit code."""
    monkeypatch.setattr(sys, "argv", [f"{program.replace('.', '/')}.py", *words])
    with pytest.raises(SystemExit) as end:
        run(import_module(program).main)
    return int(str(end.value.code))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("study.search --space dmo", "did you mean demo?"),
        ("study.ablation --space shape", "did you mean shapes?"),
        ("study.search --set fixed.loss.alhpa=0.3", "did you mean loss.alpha?"),
        ("study.search --set loss.alpha=0.3", "did you mean fixed.loss.alpha?"),
        ("study.search --set study.trails=3", "did you mean trials?"),
        ("study.search --set fixed.synthesis.mask.kind=brsh", "did you mean brush?"),
        ("study.search --set fixed.detector.kind=segmentor", "did you mean segmenter?"),
        ("study.ablation --set arms.brsh.loss.alpha=1", "under arms.brush"),
        ("study.search --status smal", "did you mean small?"),
        ("study.search --study smal --fork other", "did you mean small?"),
        ("study.search --study=", "--study '': expected a name"),
        ("study.search --study ../../x --dry-run", "--study '../../x': expected a name without slashes"),
        ("study.search --study small --fork .x", "--fork '.x': expected a name"),
        ("study.search --study small --fork=", "--fork '': expected a name"),
        ("study.ablation --study runs/x", "--study 'runs/x': expected a name without slashes"),
        ("study.search --space mine.toml", "did you mean robust?"),
        ("study.search --log tensorbord", "did you mean tensorboard?"),
        ("study.search --sapce demo", "did you mean --space?"),
        ("study.search --gpus-per-trial 1.5", "--gpus-per-trial: 1.5, expected a share of one GPU, from 0 to 1, or a"),
        ("study.ablation --gpus-per-trial inf", "--gpus-per-trial: inf, expected a share"),
        ("study.search --memory-per-trial inf", "'--memory-per-trial': Input should be less than or equal to"),
        ("study.search --trials many", "'--trials': Input should be a valid integer"),
        ("study.report smal", "did you mean small?"),
        ("core.train --best smal", "did you mean small?"),
        ("core.train --preset robsut", "did you mean robust?"),
        ("core.train --set loss.alhpa=0.3", "did you mean loss.alpha?"),
        ("core.train --set score=men", "did you mean mean?"),
        ("core.train --device cude --train healthy.arrow", "did you mean cuda?"),
        ("core.train --prest robust", "did you mean --preset?"),
        ("core.ingest foldr scans", "did you mean folder?"),
        ("core.ingest --plane coronel", "did you mean coronal?"),
        ("core.evaluate --protocol mod", "did you mean mood?"),
        ("core.predict scan.nii.gz --volume-score top_slice", "did you mean top_slices?"),
        ("core.probe --held-uot 0.5", "did you mean --held-out?"),
        ("core.export --ot detector.onnx", "did you mean --out?"),
        ("core.predict", "missing argument"),
        ("core.train --set training.clip=Infinity", "training.clip = inf: Input should be a finite number"),
        ("core.train --set synthesis.mask.min_width=99", "synthesis.mask: min_width = 99.0 must not exceed max_width"),
        ("core.train --seed 99999999999999999999", "'--seed': Input should be less than or equal to 4294967295"),
        ("core.train --best --train healthy.arrow", "--train healthy.arrow: expected only without --best"),
        ("core.train --best --set loss.alpha=1", "--set loss.alpha=1: expected only without --best"),
        ("core.train --best --seed 0", "--seed 0: expected only without --best"),
        ("core.train --again", "--again: expected only with --best"),
        ("core.train mine", "argument mine: expected only with --best"),
        ("core.ingest phantom --plane coronal", "phantom takes no --plane"),
        ("core.ingest phantom --slices 0", "phantom takes no --slices"),
        ("core.ingest manifest mine.csv --out mine.csv", "mine.csv: stands there and is not a slice table"),
        ("core.ingest manifest mine.csv --out .", ".: is a folder, expected a name for the table"),
        ("core.probe --train healthy.arrow --out .", ".: is a folder, expected a name for the table"),
        ("core.evaluate --out .", "--out .: is a folder, expected a name for the JSON file"),
        ("core.predict healthy.nii --out healthy.arrow", "--out healthy.arrow: is a file, expected a folder"),
    ],
)
def test_the_nearest_name_is_told(
    line: str,
    told: str,
    finished: Stored,
    healthy_table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished.folder.root.parents[1])
    Path("mine.toml").write_text(f'preset = "robusd"\n{SPACE}')
    Path("healthy.arrow").symlink_to(healthy_table)
    Path("mine.csv").write_text("image,subject\nscan.nii.gz,one\n")
    assert _ended(monkeypatch, *line.split()) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert said.err.startswith("error: ")


@pytest.fixture(scope="session")
def healthy_table(healthy) -> Path:  # type: ignore[no-untyped-def]
    return Path(healthy.path)
