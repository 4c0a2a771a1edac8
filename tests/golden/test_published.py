"""The paper's Tables I and II, number by number, in the order in which it prints them."""

from core.protocols.published import PUBLISHED

PRINTED = """
Table I, BRATS | III.B
VQVAE 0.66 0.82 0.75 0.22
ceVAE 0.62 0.77 0.69 0.16
FPI 0.70 0.84 0.71 0.32
Deng & Li 0.79 0.86 0.97 0.56
Table II, MOOD brain | III.C
VQVAE 0.97 0.92 0.99 0.81
Deng & Li 0.97 0.95 0.99 0.91
Table II, MOOD abdomen | III.C
VQVAE 0.83 0.73 0.98 0.57
Deng & Li 0.93 0.87 0.94 0.66
"""


def test_figures_are_those_printed() -> None:
    lines = []
    for table in PUBLISHED:
        lines.append(f"{table.title} | {table.section}")
        for row in table.rows:
            figures = (row.sample_auroc, row.sample_ap, row.pixel_auroc, row.pixel_ap)
            lines.append(" ".join([row.method, *(f"{value:.2f}" for value in figures)]))
    assert lines == PRINTED.strip().splitlines()


def test_data_are_those_of_section_iii() -> None:
    brats, brain, abdomen = PUBLISHED
    assert (brats.train.subjects, brats.train.slices, brats.test.subjects, brats.test.slices) == (45, 4050, 368, 29440)
    assert (brats.train.slices or 0) == 45 * 90
    assert (brats.test.slices or 0) == 368 * 80
    assert brats.test.source["modality"] == "t2"
    assert (brats.train.equalised, brats.test.equalised, brats.test.side) == (True, True, 128)
    assert (brain.train.subjects, brain.test.subjects) == (800, 4)
    assert (abdomen.train.subjects, abdomen.test.subjects) == (550, 4)
    assert not any(part.equalised for table in (brain, abdomen) for part in (table.train, table.test))
