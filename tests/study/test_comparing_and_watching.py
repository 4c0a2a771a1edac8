"""Several studies on one page, a report that is written while its study runs, and figures and trials as files."""

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from shutil import copytree

import optuna
import pandas as pd
import pytest
from optuna.storages.journal import JournalFileBackend
from stored_studies import CUT, FAIL, FULL, HOSTILE, LIVE, Stored

from core.durable import write_json
from core.errors import BadConfig
from core.mirror import names, place
from study.folder import StudyFolder, TableReference
from study.ledger import open_study
from study.lock import StudyLock
from study.page import files
from study.page.compared import comparable, compared, comparison
from study.page.document import comparing_page, page
from study.page.downloads import downloads
from study.page.files import figures_of, write_figures
from study.records import StudyRecord, read_study
from study.report import main
from study.standing import standing
from study.trials import NESTED
from study.watching import is_finished, stamp, watch


@pytest.fixture(scope="module")
def record(finished_once: Stored) -> StudyRecord:
    return read_study(finished_once.folder)


def on_another_probe(record: StudyRecord) -> StudyRecord:
    return replace(record, definition=replace(record.definition, probe=TableReference("elsewhere.arrow", "0" * 64)))


def test_studies_of_one_probe_can_be_compared(record: StudyRecord) -> None:
    one, two = compared([record, record])
    assert one.key != two.key
    namesake = replace(record, folder=StudyFolder(Path("elsewhere") / record.folder.name))
    assert len({one.name for one in compared([record, namesake])}) == 2
    sentences = comparable([one, two])
    assert sentences[0].startswith("All are scored on the same probe")
    assert "are of the same table" in sentences[1]


def test_studies_of_other_probes_are_not(record: StudyRecord) -> None:
    studies = compared([record, on_another_probe(record)])
    assert any(sentence.startswith("Not comparable in objective") for sentence in comparable(studies))
    differences = comparison(studies)[-1].body
    assert "0000000000000000" in differences
    assert differences.count('class="marked"') == 1


def test_the_page_holds_each_study_once_with_ids_of_its_own(record: StudyRecord) -> None:
    text = comparing_page([record, on_another_probe(record)])
    assert text.count("* plotly.js v") == 1
    for key in ("verdicts", "figures", "differences", "study-1-verdict", "study-2-cost"):
        assert text.count(f'id="{key}"') == 1
    assert text.count('class="study"') == 2
    assert "2 studies compared" in text


def test_unfinished_studies_stand_beside_finished_ones(record: StudyRecord, stored: Stored) -> None:
    text = comparing_page([record, read_study(stored.folder)])
    assert "There is no winner yet." in text


def test_a_study_is_finished_when_nothing_more_is_trained(record: StudyRecord, stored: Stored) -> None:
    assert not is_finished(record)  # trial 8 runs
    assert is_finished(replace(record, trials=record.trials[:8] + record.trials[:1]))
    assert not is_finished(read_study(stored.folder))
    stored.search([(FAIL, 0)] * 9)
    assert is_finished(read_study(stored.folder))
    assert not is_finished(replace(read_study(stored.folder), trials=record.trials[:3]))


def test_a_study_of_fewer_or_more_trials_than_the_spaces_is_finished_with_these(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 4)
    stored.ask(4)
    assert not is_finished(read_study(stored.folder))
    stored.decide()
    assert is_finished(read_study(stored.folder))
    stored.ask(12)
    assert not is_finished(read_study(stored.folder))
    stored.search([(FAIL, 0)] * 8)
    assert is_finished(read_study(stored.folder))


def test_a_search_that_went_on_is_not_finished_with_the_verdict_of_before(stored: Stored) -> None:
    stored.search([(FULL, 3)] * 4)
    stored.ask(4)
    stored.decide()
    assert is_finished(read_study(stored.folder))
    earlier = stored.folder.best.read_text()
    stored.ask(8)
    stored.search([(FULL, 4)] * 4)
    assert not is_finished(read_study(stored.folder))  # the new best are replicated yet
    stored.decide()
    verdict = stored.folder.best.read_text()
    stored.folder.best.write_text(earlier)
    assert not is_finished(read_study(stored.folder))  # the new verdict is written yet
    stored.folder.best.write_text(verdict)
    assert is_finished(read_study(stored.folder))


def test_a_study_is_finished_when_no_configuration_can_win(record: StudyRecord) -> None:
    """As the programs see it: one that failed under a seed is out, an ablation needs two, and failures are final."""
    ended = replace(record, trials=record.trials[:8] + record.trials[:1], best=None)
    assert not is_finished(ended)  # its verdict comes
    failed = tuple(replace(trial, state=FAIL) if trial.params["seed"] == 1001 else trial for trial in record.replicates)
    assert is_finished(replace(ended, replicates=failed))
    assert not is_finished(replace(ended, replicates=(*failed[1:], replace(failed[0], state=LIVE))))
    assert not is_finished(replace(ended, replicates=()))
    arms = replace(record.definition, space='preset = "paper"\n[arms.one]\n[arms.two]\n')
    ablation = replace(ended, definition=arms, space=None, trials=())
    assert not is_finished(ablation)
    lost = (*record.replicates[1:], replace(record.replicates[0], state=FAIL))
    assert is_finished(replace(ablation, replicates=lost))
    assert not is_finished(replace(ended, replicates=lost))


def test_an_ablation_is_finished_when_its_searches_left_fewer_than_two_arms(stored: Stored) -> None:
    arms = "".join(f'[arms.{name}.space]\n"loss.alpha" = {{low = 0, high = 1}}\n' for name in ("one", "two"))
    definition = replace(stored.folder.definition(), space=f"[study]\ntrials = 2\n[arms.three]\n{arms}")
    stored.folder.definition_file.unlink()
    stored.folder.define(definition)

    def search(arm: str, *ends: optuna.trial.TrialState) -> None:
        study = open_study(stored.folder.journal, f"search-{arm}")
        study.set_user_attr("planned", 2)
        for state in ends:
            study.tell(study.ask(), 0.5 if state == FULL else None, state)

    assert not is_finished(read_study(stored.folder))
    search("one", FAIL)
    assert not is_finished(read_study(stored.folder))  # its second trial comes
    search("one", FAIL)
    assert not is_finished(read_study(stored.folder))  # the search of `two` comes
    search("two", FAIL)
    other = copytree(stored.folder.root, stored.folder.root.with_name("other"))
    search("two", FAIL)
    assert is_finished(read_study(stored.folder))
    stored.folder = StudyFolder(other)
    search("two", FULL)
    assert not is_finished(read_study(stored.folder))  # `two` and `three` are trained under every seed


def test_a_journal_is_read_once_however_many_phases_it_has(finished: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of trials that takes seconds, and on object storage it is downloaded."""
    parsed: list[object] = []
    read = JournalFileBackend.read_logs

    def counted(self: JournalFileBackend, log_number_from: int) -> Iterator[dict[str, object]]:
        for event in read(self, log_number_from):
            parsed.append(event)
            yield event

    monkeypatch.setattr(JournalFileBackend, "read_logs", counted)
    lines = len(finished.folder.journal.read_bytes().splitlines())
    read_study(finished.folder)
    assert len(parsed) == lines
    standing(finished.folder)
    assert len(parsed) == 2 * lines


def test_watching_writes_when_something_changed_and_ends(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 8)
    written: list[tuple[int, bool]] = []
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            stored.search([(FAIL, 0)])
        if len(pauses) == 4:
            stored.decide()

    watch(lambda: [stored.folder], lambda records, last: written.append((len(records[0].trials), last)), 7, pause)
    assert written == [(8, False), (9, False), (9, True)]
    assert pauses == [7] * 4


def test_a_driver_that_comes_or_goes_is_a_change(stored: Stored) -> None:
    before = stamp(stored.folder)
    with StudyLock(stored.folder.root, threading.Event()):
        assert stamp(stored.folder) != before
    assert stamp(stored.folder) == before


def test_a_watched_page_reads_itself_anew_and_the_last_one_does_not(record: StudyRecord) -> None:
    assert '<html lang="en" data-reload="30">' in page(record, reload=30)
    assert "data-reload" not in page(record).split("</head>")[0]


def test_trials_are_in_the_page_as_csv_and_parquet(record: StudyRecord) -> None:
    body = downloads(record)
    found = [part.split('"')[0] for part in body.split('href="')[1:]]
    csv, parquet = (base64.b64decode(address.split(",")[1]) for address in found[:2])
    table = pd.read_csv(BytesIO(csv))
    assert len(table) == 9
    assert table["reason"][4] == HOSTILE
    assert table["loss.alpha"].notna().all()
    whole = pd.read_parquet(BytesIO(parquet))
    assert whole["curve"][3].tolist() == pytest.approx([0.13, 0.23, 0.33])
    assert list(whole["state"]) == list(table["state"])
    assert len(found) == 4  # search and replicates
    csv, parquet = (base64.b64decode(address.split(",")[1]) for address in found[2:])
    replicates = pd.read_parquet(BytesIO(parquet))
    assert list(replicates["trial"]) == [trial.params["trial"] for trial in record.replicates]
    assert list(pd.read_csv(BytesIO(csv)).columns) == [name for name in replicates.columns if name not in NESTED]
    assert downloads(replace(record, trials=(), replicates=())) == ""


def test_figures_are_written_as_files(record: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = figures_of(page(record))
    assert {"history", "slices", "contour", "timeline", "scores", "sizes", "calibration"} <= set(figures)
    monkeypatch.setattr(files, "_write_pictures", lambda *_: "")
    assert write_figures(figures, tmp_path) == f"{len(figures)} figures as HTML and JSON"
    assert len(list(tmp_path.glob("*.html"))) == len(list(tmp_path.glob("*.json"))) == len(figures)
    assert "http" not in (tmp_path / "history.html").read_text().replace("http-equiv", "")
    assert json.loads((tmp_path / "history.json").read_text())["data"]
    assert (tmp_path / "plotly.min.js").stat().st_size > 1e6


def test_without_kaleido_one_sentence_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kaleido", None)
    assert "PNG and SVG need kaleido" in write_figures({}, tmp_path)


def test_a_folder_for_figures_is_no_file(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfig, match="is a file, expected a folder"):
        main(studies=[str(stored.folder.root)], figures=tmp_path / "file")


def test_figures_on_object_storage(
    finished: Stored, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_write_pictures", lambda *_: "")
    main(studies=[str(finished.folder.root)], target=tmp_path / "a.html", figures=Path(f"{bucket}/pictures"))
    assert {"history.html", "history.json", "plotly.min.js"} <= set(names(place(f"{bucket}/pictures")))


def test_the_program_compares(
    finished: Stored, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = stored.folder.root if stored.folder.root != finished.folder.root else finished.folder.root
    monkeypatch.chdir(tmp_path)
    main(studies=[str(finished.folder.root), str(elsewhere / ".")], target=tmp_path / "both.html")
    assert "compared" in (tmp_path / "both.html").read_text(encoding="utf-8")


def test_the_dashboard_opens_the_same_journal(stored: Stored) -> None:
    dashboard = pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
    stored.search([(FULL, 4), (CUT, 1), (LIVE, 2)])
    backend = optuna.storages.journal.JournalFileBackend(str(stored.folder.journal))
    app = dashboard.wsgi(optuna.storages.JournalStorage(backend))
    answers: dict[str, str] = {}

    def get(path: str) -> bytes:
        environment = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "here", "SERVER_PORT": "0"}
        environment |= {"wsgi.input": BytesIO(), "wsgi.errors": BytesIO(), "wsgi.url_scheme": "http"}  # type: ignore[dict-item]
        return b"".join(app(environment, lambda status, *_: answers.__setitem__(path, status)))

    studies = json.loads(get("/api/studies"))["study_summaries"]
    assert [study["study_name"] for study in studies] == ["search"]
    trials = json.loads(get(f"/api/studies/{studies[0]['study_id']}"))["trials"]
    assert [trial["state"] for trial in trials] == ["Complete", "Pruned", "Running"]
    assert set(answers.values()) == {"200 OK"}


def test_a_page_of_hostile_names_lists_them_as_words(stored: Stored) -> None:
    study = open_study(stored.folder.journal, "search")
    study.enqueue_trial({})
    trial = study.ask()
    trial.set_user_attr("node", HOSTILE)
    trial.set_user_attr("reason", HOSTILE)
    study.tell(trial, state=FAIL)
    write_json(stored.folder.root / "unrelated.json", {})
    text = page(read_study(stored.folder))
    assert "<script>alert" not in text
