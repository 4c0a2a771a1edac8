"""The report as a reader's browser gets it: complete, self-contained, escaped, and honest at every stage of a study."""

import html
import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs
from stored_studies import CUT, FAIL, FULL, HOSTILE, LIVE, Stored

from core.durable import write_json
from core.errors import BadStudy
from study.folder import StudyFolder, find_study
from study.lock import Driver, StudyLock
from study.page.chosen import audit, chosen_section, search_command
from study.page.document import page
from study.page.html import Html, join, paragraphs, tag
from study.page.troubles import troubles_section
from study.page.verdict import headline, verdict_section
from study.records import TrialRecord, read_study
from study.report import main
from study.space import Space

VOID = {"img", "br", "meta", "hr"}
PLOTLY = get_plotlyjs()


class Parsed(HTMLParser):
    """Elements with their attributes, scripts, plain text, and whether every element was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text.replace(PLOTLY, "plotly.js"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


def read(folder: StudyFolder) -> Parsed:
    return Parsed(page(read_study(folder)))


@pytest.fixture(scope="module")
def text(finished_once: Stored) -> str:
    return page(read_study(finished_once.folder))


@pytest.fixture(scope="module")
def parsed(text: str) -> Parsed:
    return Parsed(text)


def test_a_finished_study_answers_every_question(parsed: Parsed) -> None:
    for words in (
        "What to use", "A clear winner", "Trial 6: brush masks", "clearly beats the floor",
        "0.0512 for intensity, the best objective of a score that needs no training",
        "Early stopping ended 3 of 9", "took 2 min of CPU cores and 25 s of GPUs",
        "Does it find lesions", "floor: position", "Pixels: where is it", "By family of lesion",
        "How sure are we", "seed 1002", "Paired differences", "the lead is clear", "(held out)",
        "How it was found", "the preset's own", "too few", "one in 3", "Each setting alone",
        "The two settings that mattered most", "What it cost", "Trainings on nodes",
        "Pseudo-outliers as trained on", "Anomaly maps", "best: data/test-",
        "No subject is in two roles", "python -m study.search", "python -m core.train --best", 'preset = "paper"',
        "2 trainings failed", "1 trial of the search had not ended",
    ):  # fmt: skip
        assert words in parsed.text or words in json.dumps([text for _, text in parsed.scripts], ensure_ascii=False), (
            words
        )


def test_the_page_needs_nothing_from_anywhere(text: str, parsed: Parsed) -> None:
    assert text.count("* plotly.js v") == 1
    assert len(text) < 10e6
    assert [attributes for attributes, _ in parsed.scripts if "src" in attributes] == []
    assert "default-src 'none'" in [meta.get("content", "") or "" for meta in parsed.all("meta")][1]
    assert parsed.all("link") + parsed.all("iframe") + parsed.all("object") == []
    assert all((image["src"] or "").startswith("data:image/webp;base64,") for image in parsed.all("img"))
    assert all(
        (anchor["href"] or "").startswith("data:" if "download" in anchor else "#") for anchor in parsed.all("a")
    )
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_no_figure_can_send_data_away(parsed: Parsed) -> None:
    figures = [json.loads(text) for attributes, text in parsed.scripts if attributes.get("type") == "application/json"]
    figures = [figure for figure in figures if "layout" in figure]
    assert len(figures) >= 10
    for figure in figures:
        assert figure["config"] == {"showSendToCloud": False, "displaylogo": False, "responsive": True}
        assert figure["data"]


def test_the_page_can_be_read_without_eyes(parsed: Parsed, text: str) -> None:
    assert all(image["alt"] for image in parsed.all("img"))
    canvases = [div for div in parsed.all("div") if div.get("class") == "canvas"]
    assert canvases  # a group: an image may hold nothing that can be focused, and the figure's buttons can
    assert all(div["role"] == "group" and div["aria-label"] for div in canvases)
    assert not re.findall(r"<th[^>]*></th>", text.replace(PLOTLY, ""))
    names = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert {anchor["href"] for anchor in parsed.all("a") if "download" not in anchor} <= {f"#{name}" for name in names}
    levels = [int(name[1]) for name, _ in parsed.elements if name in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_hostile_words_stay_words(finished: Stored, tmp_path: Path) -> None:
    named = finished.folder.root.rename(tmp_path / "<script>alert(1)<") / ""
    parsed = read(StudyFolder(named))
    assert HOSTILE in parsed.text
    assert "Study <script>alert(1)<" in parsed.text
    # The page's own: plotly.js, page.js, and the figures' data.
    assert all("alert(1)" not in text for attributes, text in parsed.scripts if "type" not in attributes)
    assert all("<" not in text for attributes, text in parsed.scripts if "type" in attributes)


def nothing(_: Stored) -> None: ...


def one_trial(stored: Stored) -> None:
    stored.search([(FULL, 4)])


def running(stored: Stored) -> None:
    stored.search([(FULL, 4), (LIVE, 2)])


def searched(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 9)


def all_failed(stored: Stored) -> None:
    stored.search([(FAIL, 0)] * 3)


def all_stopped(stored: Stored) -> None:
    stored.search([(CUT, 1)] * 3)


def decided(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 3)
    stored.decide()


def one_candidate(stored: Stored) -> None:
    stored.search([(FULL, 4), (CUT, 1)])
    stored.decide()


def untested(stored: Stored) -> None:
    decided(stored)
    write_json(stored.folder.retrained / "evaluation.json", {"seeds": [1], "shipped": {"seed": 1}, "test": None})


def tables_gone(stored: Stored) -> None:
    decided(stored)
    for table in (stored.train, stored.probe, stored.test):
        table.path.unlink()


@pytest.mark.parametrize(
    ("bring", "state", "words"),
    [
        (nothing, "Not decided yet", "No trial has begun"),
        (one_trial, "Not decided yet", "1 of 9 trials have ended; the same search command goes on"),
        (running, "Not decided yet", "1 of 9 trials have ended"),
        (searched, "Not decided yet", "The search has ended, no replicate has begun; the same search command"),
        (all_failed, "No verdict", "No trial reached its full budget: 3 failed"),
        (all_stopped, "No verdict", "No trial reached its full budget: 0 failed"),
        (decided, "A clear winner", "Not retrained yet: python -m core.train --best"),
        (one_candidate, "Only one candidate", "there is no runner-up, so no lead can be measured"),
        (untested, "A clear winner", "Not tested: the study names no test table"),
        (tables_gone, "A clear winner", "They cannot be drawn"),
    ],
)
def test_what_is_not_there_is_said(stored: Stored, bring: Callable[[Stored], None], state: str, words: str) -> None:
    bring(stored)
    record = read_study(stored.folder)
    assert headline(record)[0] == state
    parsed = Parsed(page(record))
    assert state in parsed.text
    assert words in parsed.text


@pytest.mark.parametrize(
    ("bring", "words"),
    [
        (nothing, "no trial has begun."),
        (all_failed, "3 of 9 trials have ended."),
        (searched, "the search has ended, no replicate has begun."),
    ],
)
def test_a_study_that_runs_is_told_as_running(stored: Stored, bring: Callable[[Stored], None], words: str) -> None:
    bring(stored)
    with StudyLock(stored.folder.root, threading.Event()):
        record = read_study(stored.folder)
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    text = Parsed(page(replace(record, read=now))).text
    assert f"Still running: {words} This page is a snapshot of 2026-01-02 03:04 UTC." in text
    assert "goes on where it stopped" not in text
    elsewhere = replace(record, driver=Driver("process 1 on another", None))
    assert headline(elsewhere) == ("Perhaps still running", "open")
    gone = replace(record, driver=Driver("process 1 here, which is gone", False))
    assert "snapshot" not in verdict_section(gone).body


def test_replicates_that_run_are_counted(stored: Stored) -> None:
    decided(stored)
    record = replace(read_study(stored.folder), best=None, driver=Driver("process 1 here", True))
    live = tuple(replace(trial, state=LIVE) for trial in record.replicates[:2])
    record = replace(record, replicates=live + record.replicates[2:])
    assert "Still running: the search has ended, 4 of 6 replicates have." in verdict_section(record).body


def test_a_verdict_that_is_searched_beyond_is_of_before(finished_once: Stored) -> None:
    record = replace(read_study(finished_once.folder), driver=Driver("process 1 here", True))
    assert "Still running: this verdict is of before." in verdict_section(record).body
    over = replace(record, trials=record.trials[:8])
    assert "Still running" not in verdict_section(over).body  # the lock is given up after the verdict is written


def test_a_tie_is_no_clear_winner(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    best["verdict"] |= {"clear": False, "sentence": "No clear winner: trial 2 has mean 0.5."}
    write_json(stored.folder.best, best)
    body = verdict_section(read_study(stored.folder)).body
    assert body.count("No clear winner") == 2


def test_a_verdict_that_knew_the_runner_up_alone_is_told_as_that(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    del best["verdict"]["not_apart"]
    write_json(stored.folder.best, best)
    assert headline(read_study(stored.folder))[0] == "A clear winner"  # there were only two
    best["replicates"].append(best["replicates"][1])
    write_json(stored.folder.best, best)
    assert headline(read_study(stored.folder))[0] == "Ahead of the runner-up"
    assert "compared the winner with the runner-up alone" in verdict_section(read_study(stored.folder)).body


def test_a_leak_is_shouted(stored: Stored) -> None:
    decided(stored)
    best = json.loads(stored.folder.best.read_text())
    best["subjects"]["test"] += best["subjects"]["train"][:1]
    write_json(stored.folder.best, best)
    assert "The split leaks" in audit(read_study(stored.folder))


def test_the_procedure_says_how_often_the_test_table_was_opened(finished: Stored) -> None:
    record = read_study(finished.folder)
    assert record.evaluation is not None
    for evaluation, words in (
        (record.evaluation, "this study opened it once"),
        (record.evaluation | {"test": record.evaluation["test"] | {"opened": 3}}, "this study opened it 3 times"),
        (None, "this study has not opened it yet"),
    ):
        body = chosen_section(replace(record, evaluation=evaluation)).body
        assert f"Only then may the test table be opened; {words}." in body
        assert f"for the test, after the choice; {words}" in body
    without = replace(record, definition=replace(record.definition, test=None))
    assert "The study names no test table, so the choice is not tested." in chosen_section(without).body


def test_a_control_is_told_as_what_it_is(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.space is not None
    varied = "square (the winner with what the space sets under [controls])"
    assert f"{varied}." in chosen_section(record).body
    both = replace(record.space, controls=record.space.controls | {"paper": "base"})
    body = chosen_section(replace(record, space=both)).body
    assert f"{html.escape(varied)}; paper (the preset with the space" in body
    none = replace(record.space, controls={})
    assert "Beside the winner stands the floor" in chosen_section(replace(record, space=none)).body


def test_the_title_counts_every_training_that_ended(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert "Search over small, 14 trainings ended." in page(record)
    assert "Search over small, 22 trainings ended." in page(replace(record, arm_searches={"tuned": record.trials}))


def test_the_command_repeats_the_settings(stored: Stored) -> None:
    record = read_study(stored.folder)
    text = record.definition.space + "# --set study.trials = 5\n# --set fixed.training.schedule = 'cosine'\n"
    changed = replace(record, definition=replace(record.definition, space=text))
    command = search_command(changed).replace("\\\n   ", "")
    assert "--set study.trials=5" in command
    assert "--space small.toml" in command  # a space of this name is shipped, but it is another one
    assert f"--probe {stored.probe.path}" in command
    assert "--set 'fixed.training.schedule=\"cosine\"'" in command
    assert f"--runs {stored.folder.root.parent}" in command
    assert "--trials" not in command
    assert "--database" not in command
    stored.folder.definition_file.unlink()
    stored.folder.define(changed.definition)
    reread: Space | None = read_study(stored.folder).space
    assert reread is not None
    assert reread.study.trials == 5
    assert reread.base().training.schedule == "cosine"


def test_the_trials_that_were_asked_for_are_told_and_not_the_spaces(stored: Stored) -> None:
    stored.search([(FULL, 4)] * 4)
    stored.ask(4)
    stored.decide()
    record = read_study(stored.folder)
    text = Parsed(page(record)).text
    assert "4 configurations are tried over" in text
    assert "planned trials have begun" not in text
    database = replace(record.definition, database="postgresql://me@server/studies")
    here = replace(record, definition=database, folder=StudyFolder(Path("runs/small")))
    command = " ".join(search_command(here).replace("\\\n", "").split())
    assert "--study small --trials 4 --database postgresql://me@server/studies --train" in command
    stored.ask(12)
    text = Parsed(page(read_study(stored.folder))).text
    assert "12 configurations are tried over" in text
    assert "4 of 12 planned trials have begun." in text
    assert "--trials 12" in text


def test_a_space_of_another_version_is_no_obstacle(finished: Stored) -> None:
    record = replace(read_study(finished.folder), space=None)
    text = Parsed(page(record)).text
    assert "cannot be read by this version" in text


def test_a_thousand_trials_make_a_small_page(stored: Stored, trials_of: Callable[..., tuple[TrialRecord, ...]]) -> None:
    ends = [(FULL, 4), (CUT, 1), (CUT, 1), (CUT, 3), (FAIL, 0)] * 50
    some = trials_of(ends)
    many = tuple(replace(trial, number=250 * round_ + trial.number) for round_ in range(4) for trial in some)
    text = page(replace(read_study(stored.folder), trials=many))
    assert len(text) < 7e6
    assert "200 trainings failed" in Parsed(text).text


def test_the_program_reports_the_newest_study(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running(stored)
    monkeypatch.chdir(tmp_path)
    main()
    main(studies=["small"], target=Path("elsewhere.html"))
    said = capsys.readouterr().out
    assert "small in runs/small, the newest: 1 of 2 trainings ended" in said
    assert "wrote runs/small/report.html" in said
    for written in ("runs/small/report.html", "elsewhere.html"):
        assert Path(written).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_reading_a_study_writes_nothing(finished: Stored) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.folder.root.rglob("*")}
    record = read_study(finished.folder)
    for section in (verdict_section, chosen_section, troubles_section):
        section(record)
    assert {path: path.stat().st_mtime_ns for path in finished.folder.root.rglob("*")} == before


def test_mistakes_are_one_sentence(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(BadStudy, match="'nowhere' was not found; there are: small"):
        find_study("nowhere", tmp_path / "runs")
    stored.folder.best.write_text("{")
    with pytest.raises(BadStudy, match=r"best\.json: not JSON"):
        read_study(stored.folder)


def test_html_is_escaped_by_construction() -> None:
    assert tag("p", "<b>", class_="a&b") == '<p class="a&amp;b">&lt;b&gt;</p>'
    assert tag("p", tag("b", "x"), " & ", 1) == "<p><b>x</b> &amp; 1</p>"
    assert tag("img", src="x", alt="", hidden=True, title=None) == '<img src="x" alt="" hidden>'
    assert paragraphs("", "a") == "<p>a</p>"
    assert isinstance(join("a"), Html)
