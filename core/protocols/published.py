"""What the paper reports, Tables I and II of Deng and Li, and the data on which it does."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One method's figures, each in [0, 1]; AP is average precision."""

    method: str
    sample_auroc: float
    sample_ap: float
    pixel_auroc: float
    pixel_ap: float


@dataclass(frozen=True)
class Data:
    """What a slice table must record to be this data set, prepared as the paper prepares it.

    source: values of its metadata. subject: pattern of the subjects' names, without the dataset, with an example.
    subjects, slices: how many; None where the paper does not say. equalised: by histogram. side: pixels.
    """

    source: dict[str, Any]
    subjects: int
    slices: int | None
    equalised: bool
    subject: str = r".*"
    example: str = ""
    side: int = 128


@dataclass(frozen=True)
class PublishedTable:
    """One part of a table. section: where its text stands. train, test: the data sets."""

    number: str
    part: str
    section: str
    train: Data
    test: Data
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """As in the paper, with the part of the table."""
        return f"Table {self.number}, {self.part}"


_HCP = Data({"kind": "hcp"}, subjects=45, slices=4050, equalised=True)
_BRATS = Data(
    {"kind": "brats", "modality": "t2", "tumour_free": False},
    subjects=368,
    slices=29440,
    equalised=True,
    subject=r"BraTS20_Training_\d{3}",
    example="BraTS20_Training_001",
)


def _mood(task: str, training: int) -> tuple[Data, Data]:
    """Training and toy volumes. Section III.C gives no image size; the network's of section II.B is 128x128."""
    kind = {"kind": "mood", "task": task}
    return (
        Data(kind | {"part": "training"}, subjects=training, slices=None, equalised=False),
        Data(kind | {"part": "toy", "normal_only": False}, subjects=4, slices=None, equalised=False),
    )


PUBLISHED = (
    PublishedTable(
        "I",
        "BRATS",
        "III.B",
        _HCP,
        _BRATS,
        (
            Row("VQVAE", 0.66, 0.82, 0.75, 0.22),
            Row("ceVAE", 0.62, 0.77, 0.69, 0.16),
            Row("FPI", 0.70, 0.84, 0.71, 0.32),
            Row("Deng & Li", 0.79, 0.86, 0.97, 0.56),
        ),
    ),
    PublishedTable(
        "II",
        "MOOD brain",
        "III.C",
        *_mood("brain", 800),
        (Row("VQVAE", 0.97, 0.92, 0.99, 0.81), Row("Deng & Li", 0.97, 0.95, 0.99, 0.91)),
    ),
    PublishedTable(
        "II",
        "MOOD abdomen",
        "III.C",
        *_mood("abdominal", 550),
        (Row("VQVAE", 0.83, 0.73, 0.98, 0.57), Row("Deng & Li", 0.93, 0.87, 0.94, 0.66)),
    ),
)
