"""A figure stands beside the paper's only where the tables record the paper's own data and settings."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from core.protocols.beside_paper import Described, beside_paper
from core.protocols.tables import paper_sentences, paper_table
from core.slices.table import SliceTable

HCP = Described(
    {"kind": "hcp", "dataset": "hcp"}, {"equalise": "volume"}, tuple(f"1{n:05d}" for n in range(45)), 4050, 128, 128
)
BRATS = Described(
    {"kind": "brats", "dataset": "brats", "modality": "t2", "tumour_free": False},
    {"equalise": "volume"},
    tuple(f"BraTS20_Training_{n:03d}" for n in range(1, 369)),
    29440,
    128,
    128,
)
TOY = Described(
    {"kind": "mood", "task": "brain", "part": "toy", "normal_only": False},
    {"equalise": "none"},
    ("00001", "00002", "00003", "00004"),
    512,
    128,
    128,
)
ENTRIES = [
    {
        "intervals": {
            "sample.mean.auroc": {"estimate": 0.7, "low": 0.6, "high": 0.8},
            "sample.mean.average_precision": {"estimate": 0.8, "low": 0.7, "high": 0.9},
            "pixel.auroc": {"estimate": 0.9, "low": 0.85, "high": 0.95},
            "pixel.average_precision": {"estimate": 0.5, "low": 0.4, "high": 0.6},
        }
    }
]


def parts(test: Described, train: Described | None, held_out: int = 0) -> list[dict[str, Any]]:
    return beside_paper(ENTRIES, test, train, held_out)


def test_the_papers_data_are_measured() -> None:
    brats, brain, abdomen = parts(BRATS, HCP)
    assert {name: one["estimate"] for name, one in brats["measured"].items()} == {
        "sample_auroc": 0.7,
        "sample_ap": 0.8,
        "pixel_auroc": 0.9,
        "pixel_ap": 0.5,
    }
    assert brats["note"] == ""
    for other in (brain, abdomen):
        assert other["measured"] is None
        assert other["note"] == "not measured: data not at hand (kind brats, expected mood)"


def test_a_row_is_filled_only_where_it_was_measured() -> None:
    console = Console(width=160, file=StringIO(), record=True)
    console.print(paper_table(parts(BRATS, HCP)))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    rows = [line for line in lines if line.startswith("this detector")]
    measured = "this detector 0.70 [0.60, 0.80] 0.80 [0.70, 0.90] 0.90 [0.85, 0.95] 0.50 [0.40, 0.60]"
    assert rows == [measured, *["this detector - - - -"] * 2]
    assert paper_sentences(parts(BRATS, HCP, 9), "x")[0].startswith("Table I, BRATS: trained without 9 of")


def test_subjects_of_the_probe_are_told() -> None:
    assert parts(BRATS, HCP, 9)[0]["note"] == "trained without 9 of the paper's 45 subjects, which make the probe"


@pytest.mark.parametrize(
    ("test", "train", "note"),
    [
        (replace(BRATS, source=BRATS.source | {"modality": "flair"}), HCP, "data not at hand (modality flair, expect"),
        (replace(BRATS, source=BRATS.source | {"tumour_free": True}), HCP, "data not at hand (tumour_free True, expe"),
        (replace(BRATS, subjects=("Brats18_2013_11_1",) * 368), HCP, "data not at hand (subject Brats18_2013_11_1, ex"),
        (replace(BRATS, subjects=BRATS.subjects[:367]), HCP, "the paper's data, but subjects 367, expected 368"),
        (replace(BRATS, slices=29439), HCP, "the paper's data, but slices 29439, expected 29440"),
        (replace(BRATS, width=64, height=64), HCP, "the paper's data, but size 64x64, expected 128x128"),
        (
            replace(BRATS, preprocessing={"equalise": "none"}),
            HCP,
            "the paper's data, but equalised False, expected True",
        ),
        (replace(BRATS, preprocessing={}), HCP, "the paper's data, but equalised None, expected True"),
        (BRATS, None, "what the detector was trained on is not recorded beside it"),
        (BRATS, BRATS, "trained on other data (kind brats, expected hcp)"),
        (BRATS, replace(HCP, subjects=HCP.subjects[1:]), "the paper's data, but subjects 44, expected 45"),
        (replace(BRATS, source={}), HCP, "data not at hand (kind None, expected brats)"),
    ],
)
def test_all_else_is_not_measured(test: Described, train: Described | None, note: str) -> None:
    found = parts(test, train)[0]
    assert found["measured"] is None
    assert found["note"].startswith(f"not measured: {note}")


def test_a_toy_set_of_mood() -> None:
    volumes = replace(TOY, source=TOY.source | {"part": "training"}, subjects=tuple(map(str, range(800))), slices=99)
    _, brain, abdomen = parts(TOY, volumes)
    assert brain["measured"]
    assert abdomen["note"] == "not measured: data not at hand (task brain, expected abdominal)"
    assert not parts(TOY, TOY)[1]["measured"]


def test_a_table_describes_itself(lesioned: SliceTable) -> None:
    found = Described.of(lesioned)
    assert found.subjects == tuple(f"patient-{number}" for number in range(50, 54))
    assert str(found) == "data of unknown source, 4 subjects, 24 slices of 32x32, equalised: ?"
    assert str(BRATS) == "brats t2, 368 subjects, 29440 slices of 128x128, equalised: volume"
