"""The report as a reader's browser gets it: complete, self-contained, escaped, and honest at every stage of a study."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from parsed_page import PLOTLY, Parsed, read
from stored_studies import CUT, FAIL, FULL, HOSTILE, LIVE, Stored

from core.config import Config, to_dict
from core.detectors import AAE
from core.errors import BadStudy
from study.folder import StudyFolder, find_study
from study.page import tested
from study.page.chosen import chosen_section, search_command
from study.page.document import page
from study.page.html import Html, join, paragraphs, tag
from study.page.shown import shown_section
from study.page.troubles import troubles_section
from study.page.verdict import verdict_section
from study.records import TrialRecord, read_study
from study.report import main
from study.space import Space


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
        "On 16 slices of 4 test subjects the winner's pixel AP is 0.767 [0.722, 0.813]", "guessing reaches 0.027",
        "What the words of this report mean", "Early stopping ended 3 of 9",
        "took 2\u00a0min of core time and 25\u00a0s of GPU time",
        "Does it find lesions", "floor: position", "Pixels: where is it", "By family of lesion",
        "How sure are we", "seed 1002", "Paired differences", "the lead is clear", "(held out)",
        "How it was found", "the preset's own", "too few", "one in 3", "Each setting alone",
        "Two settings that mattered", "What it cost", "Trainings on nodes",
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


def test_a_setting_that_the_search_left_as_the_preset_has_it_is_told_as_such(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.best is not None
    assert record.space is not None
    differences = {"loss.alpha": 0.0, "synthesis.mix.noise.std": 0.5, "synthesis.edge": 2.0, "training.epochs": 4}
    shown = replace(
        record, best=record.best | {"differences": differences}, space=replace(record.space, preset="robust")
    )
    rows = re.findall(
        r"<tr><th[^>]*><code>([^<]+)</code>.*?<td[^>]*>([^<]+)</td></tr>", str(verdict_section(shown).body)
    )
    assert rows[: len(differences)] == [
        ("loss.alpha", "the preset, kept by the search"),
        ("synthesis.mix.noise.std", "the search"),
        ("synthesis.edge", "the preset"),
        ("training.epochs", "the space, [fixed]"),
    ]


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
    stored.search([(FULL, 4), (LIVE, 2)])
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
    assert paragraphs("95 % of 3 %s") == "<p>95\u00a0% of 3\u00a0%s</p>"  # on one line each
    assert isinstance(join("a"), Html)


def test_masks_are_told_of_methods_that_see_outliers_alone(finished_once: Stored) -> None:
    record = read_study(finished_once.folder)
    assert record.best is not None
    assert record.evaluation is not None
    config = to_dict(replace(Config(), detector=AAE()))
    entries = [entry | {"config": config} for entry in record.evaluation["entries"]]
    alone = replace(record, best=record.best | {"config": config}, evaluation=record.evaluation | {"entries": entries})
    text = page(alone)
    assert "Trial 6: aae" in text
    assert "brush masks" not in tested.tested_section(alone).body
    assert "brush masks" in tested.tested_section(record).body
    assert "sees no pseudo-outliers" in shown_section(alone).body
