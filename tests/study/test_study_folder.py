"""A study's folder: what it is may not change, and which one is meant is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import BadStudy
from study.folder import Definition, StudyFolder, TableReference, find_study
from study.settings import recorded
from study.storage import StudyStorage, require_whole

DEFINITION = Definition(
    "demo", "trials = 3\n", TableReference("a.arrow", "a" * 32), TableReference("p", "b" * 32), None
)


def test_the_same_definition_goes_on_even_if_tables_moved(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    assert folder.define(DEFINITION)
    moved = replace(DEFINITION, train=TableReference("elsewhere.arrow", "a" * 32))
    assert not folder.define(replace(moved, space_name="other", families=("blur",)))
    assert folder.definition() == moved


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(DEFINITION, space="trials = 4\n"), "search space demo, first at 'trials = 4'"),
        (replace(DEFINITION, train=TableReference("a.arrow", "c" * 32)), "train table aaaa.* then, cccc.* now"),
        (replace(DEFINITION, probe=TableReference("p", "e" * 32)), "probe table bbbb.* then, eeee.* now"),
        (replace(DEFINITION, test=TableReference("t.arrow", "d" * 32)), "test table none then, dddd.* now"),
        (replace(DEFINITION, objective="other"), "objective .* then, other now"),
    ],
)
def test_another_definition_is_refused_with_what_differs(other: Definition, told: str, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    folder.define(DEFINITION)
    with pytest.raises(BadStudy, match=told):
        folder.define(other)
    assert folder.definition() == DEFINITION


def test_how_more_trials_are_asked_for_is_told_where_they_were_set(tmp_path: Path) -> None:
    """An ablation's arms search as many as they began with, so there is no such option."""
    told = "give the same settings to go on, --trials N for more trials, another --study name"
    for name, text, new, expected in (
        ("set", "[study]\n", {"study.trials": 8}, True),
        ("edited", "[study]\ntrials = 3\n", {}, True),
        ("other", "[study]\ntrials = 8\n", {"study.grace": 2}, False),
        ("arms", "[study]\n[arms.a]\n", {"study.trials": 8}, False),
    ):
        folder = StudyFolder(tmp_path / name)
        folder.define(replace(DEFINITION, space=text))
        now = recorded(text.replace("trials = 3", "trials = 8"), new)
        with pytest.raises(BadStudy, match="begun with other settings") as refused:
            folder.define(replace(DEFINITION, space=now))
        assert (told in str(refused.value)) == expected


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        ({"study.trials": 1}, {"study.trials": 8}, r"\(study.trials = 1 then, 8 now\)"),
        ({}, {"study.trials": 8}, r"\(study.trials = the space's own then, 8 now\)"),
        ({"fixed.a": "x", "study.trials": 8}, {"study.trials": 8}, r"\(fixed.a = 'x' then, the space's own now\)"),
    ],
)
def test_another_setting_is_refused_by_its_name(
    then: dict[str, object], now: dict[str, object], told: str, tmp_path: Path
) -> None:
    folder = StudyFolder(tmp_path / "mine")
    folder.define(replace(DEFINITION, space=recorded(DEFINITION.space, then)))
    with pytest.raises(BadStudy, match=told):
        folder.define(replace(DEFINITION, space=recorded(DEFINITION.space, now)))


def test_a_space_that_became_shorter_is_refused_by_the_line_that_is_gone(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    folder.define(replace(DEFINITION, space=DEFINITION.space + "top = 2\n"))
    with pytest.raises(BadStudy, match="search space demo, first at 'top = 2'"):
        folder.define(DEFINITION)


def test_settings_in_another_order_are_the_same_study(tmp_path: Path) -> None:
    """Also of a study whose settings an earlier version recorded in the order of its command."""
    folder = StudyFolder(tmp_path / "mine")
    folder.define(replace(DEFINITION, space=DEFINITION.space + "# --set study.trials = 8\n# --set fixed.a = 1\n"))
    settings = {"fixed.a": 1, "study.trials": 8}
    for order in (settings, dict(reversed(settings.items()))):
        assert not folder.define(replace(DEFINITION, space=recorded(DEFINITION.space, order)))


def test_another_database_is_refused_and_none_means_the_same_again(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    kept = replace(DEFINITION, database="postgresql://here/trials", identity="1234")
    assert folder.define(kept)
    assert not folder.define(DEFINITION)
    assert not folder.define(replace(kept, identity="5678"))
    assert folder.definition() == kept
    told = "records its trials in postgresql://here/trials, --database says postgresql://there/trials"
    with pytest.raises(BadStudy, match=told):
        folder.define(replace(DEFINITION, database="postgresql://there/trials"))


def test_a_study_with_a_database_keeps_the_name_that_it_began_with(tmp_path: Path) -> None:
    """Its trials are found by that name: under another one it would begin anew, among the checkpoints of the old."""
    kept = replace(DEFINITION, database="postgresql://here/trials", identity="mine/1234")
    folder = StudyFolder(tmp_path / "mine")
    folder.define(kept)
    assert not folder.define(kept)
    renamed = StudyFolder(folder.root.rename(tmp_path / "yours"))
    assert StudyStorage(renamed, renamed.definition()).named("search") == "mine/1234/search"
    with pytest.raises(BadStudy, match="this study began as 'mine', and its trials are in postgresql://here/trials"):
        renamed.define(kept)
    older = replace(kept, identity="1234")
    assert StudyStorage(folder, older).named("search") == "mine/1234/search"


def test_a_damaged_definition_is_one_sentence(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.definition_file.write_text("{")
    with pytest.raises(BadStudy, match=r"study.json: cannot be read"):
        folder.definition()


def test_an_unknown_study_lists_those_that_exist(tmp_path: Path) -> None:
    StudyFolder(tmp_path / "mine").define(DEFINITION)
    (tmp_path / "mine" / "journal.log").touch()
    assert find_study(None, tmp_path).name == "mine"
    with pytest.raises(BadStudy, match="'yours' was not found; there are: mine"):
        find_study("yours", tmp_path)


def test_a_study_that_lost_its_record_or_what_it_is_does_not_begin_anew(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    require_whole(folder)
    folder.define(DEFINITION)
    require_whole(folder)  # stopped before its first trial
    folder.journal.write_text("{}\n")
    (folder.root / "search").mkdir()
    require_whole(folder)
    for lose in (lambda: folder.journal.write_text(""), folder.journal.unlink):
        lose()
        with pytest.raises(BadStudy, match=r"mine: journal.log, the record of its trials, is gone, though search is"):
            require_whole(folder)
    folder.definition_file.unlink()
    require_whole(folder)  # what workers left where a study was deleted
    folder.journal.write_text("{}\n")
    with pytest.raises(BadStudy, match=r"mine: holds journal.log and no study.json, .* put it back, or give another"):
        require_whole(folder)


def test_a_study_in_a_database_has_no_journal_to_lose(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "mine")
    folder.define(replace(DEFINITION, database="postgresql://me@host/db", identity="mine/1"))
    (folder.root / "search").mkdir()
    require_whole(folder)
