"""What a study begins with: tables that fit each other, and a probe of its own training table."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import StudyError
from core.probes import build_probe
from core.slices.alike import require_fit
from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from study.arms import parse_ablation
from study.comparing import Comparison
from study.defining import define
from study.dry_run import tell_dry_run
from study.folder import Definition, StudyFolder, TableReference
from study.phases import Phases
from study.planning import plan_of_search
from study.reading import load_space
from study.searching import Search
from tests.conftest import volume

ARMS = """
[study]
seeds = 3
[arms.brush]
"loss.alpha" = 0.1
[arms.circle]
"synthesis.mask.kind" = "circle"
"""


def table(
    path: Path, prefix: str, *, first: int = 0, side: int = 32, dataset: str = "", **preprocessing: object
) -> SliceTable:
    volumes = [volume(number, prefix=prefix, side=side) for number in range(first, first + 4)]
    return write_table(path / f"{prefix}-{side}{dataset}.arrow", volumes, TableMetadata(dict(preprocessing)))


def defined(
    folder: StudyFolder, train: SliceTable, test: SliceTable | None, seed: int = 0, probe: SliceTable | None = None
) -> Definition:
    others = (table.path if table else None for table in (probe, test))
    return define(folder, "small", "", (), seed, train.path, *others, None)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "runs" / "mine")


@pytest.fixture
def train(tmp_path: Path) -> SliceTable:
    return table(tmp_path, "healthy", plane="axial", equalise="volume")


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"prefix": "patient", "side": 48}, "slices of 48x48, expected 32x32 as in .* --side 32"),
        ({"prefix": "patient", "plane": "coronal"}, "slices with plane coronal, expected axial .* --plane axial"),
        ({"prefix": "patient", "equalise": "none"}, "slices with equalise none, expected volume"),
        ({"prefix": "healthy", "dataset": "b"}, "subjects 'test/healthy-0' and 3 more are in both train and test"),
    ],
)
def test_a_test_table_that_does_not_fit_begins_no_study(
    other: dict[str, object], sentence: str, folder: StudyFolder, train: SliceTable, tmp_path: Path
) -> None:
    """Nor does a dry run tell of one, and nothing is written."""
    test = table(tmp_path, **other)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=sentence):
        defined(folder, train, test)
    _, space, _ = load_space("small")
    with pytest.raises(StudyError, match=sentence):
        tell_dry_run(plan_of_search(space, 3), folder, 0, train.path, None, test.path, None, 1, 1)
    assert not folder.root.exists()


def test_lesions_are_not_trained_on(folder: StudyFolder, tmp_path: Path) -> None:
    """Nor does a dry run tell of such a study, also where a probe of other people is given."""
    volumes = [volume(number, lesion=number == 1) for number in range(4)]
    mixed = write_table(tmp_path / "mixed.arrow", volumes, TableMetadata())
    others = table(tmp_path, "other", first=8)
    probe = build_probe(others, tmp_path / "probe.arrow", per_family=3, clean=4)
    _, space, _ = load_space("small")
    for given in (None, probe):
        place = given.path if given else None
        with pytest.raises(StudyError, match=r"mixed\.arrow: 3 slices to train on carry a lesion mask"):
            define(folder, "small", "", (), 0, mixed.path, place, None, None)
        with pytest.raises(StudyError, match=r"mixed\.arrow: 3 slices to train on carry a lesion mask"):
            tell_dry_run(plan_of_search(space, 3), folder, 0, mixed.path, place, None, None, 1, 1)
    assert not folder.root.exists()


def test_a_probe_of_every_subject_leaves_none_to_train_on(train: SliceTable) -> None:
    with pytest.raises(StudyError, match=r"healthy-32\.arrow: every subject of it is in the probe"):
        require_fit(train, probe=train)


@pytest.mark.parametrize("made", [{"plane": "axial", "equalise": "volume"}, {"plane": "axial"}, {}], ids=str)
def test_a_test_table_that_was_made_alike_or_does_not_tell_is_taken(
    made: dict[str, object], folder: StudyFolder, train: SliceTable, tmp_path: Path
) -> None:
    test = table(tmp_path, "patient", first=4, **made)  # type: ignore[arg-type]
    found = defined(folder, train, test)
    assert found.test is not None
    assert found.test.digest == test.digest


def test_the_probe_of_a_call_that_was_refused_is_built_anew(
    folder: StudyFolder, train: SliceTable, tmp_path: Path
) -> None:
    first = defined(folder, train, None)
    other = table(tmp_path, "volunteer")
    second = defined(folder, other, None)
    assert {subject.split("-")[0] for subject in second.probe.open().subjects} == {"test/volunteer"}
    assert second.probe.digest != first.probe.digest
    assert defined(folder, other, None, seed=1).probe.digest != second.probe.digest


def test_a_study_that_has_begun_keeps_its_probe(folder: StudyFolder, train: SliceTable, tmp_path: Path) -> None:
    first = defined(folder, train, None)
    folder.define(first)
    again = defined(folder, table(tmp_path, "volunteer"), None)
    assert again.probe == first.probe
    with pytest.raises(StudyError, match=r"begun with other settings \(train table"):
        folder.define(again)


def test_a_study_goes_on_where_its_folder_and_its_tables_were_moved_to(
    folder: StudyFolder, train: SliceTable, tmp_path: Path
) -> None:
    folder.define(defined(folder, train, None))
    moved = StudyFolder(folder.root.rename(tmp_path / "yours"))
    elsewhere = train.path.rename(tmp_path / "elsewhere.arrow")
    assert not moved.define(define(moved, "small", "", (), 0, elsewhere, None, None, None))
    Phases(moved, moved.definition(), None).audit()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("test", "subjects 'test/healthy-0' and . more are in both train and test"),
        ("probe", "every training subject is in the probe; hold fewer out"),
    ],
)
def test_a_begun_study_whose_subjects_meet_is_not_gone_on_with(
    role: str, told: str, folder: StudyFolder, train: SliceTable
) -> None:
    """Whatever began it: tables are compared when a study is defined, and subjects whenever one is carried out."""
    kept = defined(folder, train, None)
    phases = Phases(folder, replace(kept, **{role: TableReference.to(train)}), None)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=told):
        Search(phases, load_space("small")[1]).run()
    with pytest.raises(StudyError, match=told):
        Comparison(phases, parse_ablation(ARMS, {}, "arms")[0]).run()
    Phases(folder, kept, None).audit()  # type: ignore[arg-type]


def test_namesakes_of_two_data_sets_are_told(
    folder: StudyFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(dataset: str, names: Sequence[str], first: int) -> SliceTable:
        volumes = [volume(first + place) for place in range(len(names))]
        people = [replace(one, dataset=dataset, subject=name) for one, name in zip(volumes, names, strict=True)]
        return write_table(tmp_path / f"{dataset}-{first}.arrow", people, TableMetadata())

    people = ["100307", "100408", "BraTS19_2013_10_1", "sub-OAS30001"]
    test = made("followup", ["sub-007", *people[:2]], 20)
    defined(folder, made("baseline", [*people, "sub-007"], 10), test)
    told = capsys.readouterr().err
    assert told.startswith("2 names of subjects, such as 100307, are in both baseline-10.arrow and followup-20.arrow")
    counted = ["sub-01", "sub-012", "17", "case_0003"]
    defined(StudyFolder(tmp_path / "other"), made("one", counted, 10), made("two", counted, 20))
    assert capsys.readouterr().err == ""


def test_a_scan_under_two_names_is_refused(folder: StudyFolder, train: SliceTable, tmp_path: Path) -> None:
    """As of patients whom two releases of a data set call by other names. Slices almost without tissue are alike."""
    nearly_empty = volume(30)
    nearly_empty.images[:] = 0
    nearly_empty.images[:, 3, 3] = 255
    strangers = [replace(volume(number), subject=f"b-{number}") for number in (31, 32)]
    first = write_table(tmp_path / "first.arrow", [nearly_empty, *strangers], TableMetadata())
    patients = [replace(volume(number), dataset="b", subject=f"p-{number}") for number in (20, 1)]
    empty = replace(nearly_empty, dataset="b", subject="p-30")
    test = write_table(tmp_path / "patients.arrow", [*patients, empty], TableMetadata())
    same = r"patients\.arrow: subject 'b/p-1' has slices of subject 'test/healthy-1' of .*/healthy-32\.arrow: they are"
    with pytest.raises(StudyError, match=same):
        defined(folder, train, test)
    assert not folder.root.exists()
    # A probe of its own scans under their former names would hold nobody out.
    probe = build_probe(train, tmp_path / "probe.arrow", per_family=3, clean=4)
    require_fit(train, probe=probe)
    again = [replace(volume(number), dataset="b") for number in range(4)]
    with pytest.raises(
        StudyError, match=r"probe\.arrow: subject 'test/.*same scans .* training and probe must not meet"
    ):
        require_fit(write_table(tmp_path / "again.arrow", again, TableMetadata()), probe=probe)
    # Nor may the probe, by which the winner is chosen, hold patients of the test.
    ours = [replace(volume(number), dataset="ours") for number in (20, 33, 34, 35, 36)]
    others = write_table(tmp_path / "others.arrow", ours, TableMetadata())
    probe = build_probe(others, tmp_path / "others-probe.arrow", held_out=4, per_family=3, clean=40, seed=1)
    with pytest.raises(StudyError, match=r"subject 'b/p-20' has slices .*others-probe.* probe and test must not meet"):
        defined(folder, first, test, probe=probe)
    defined(folder, first, test)
