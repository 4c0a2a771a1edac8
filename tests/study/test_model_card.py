"""The model card of a stored study: what it must say, that names in it stay text, and that the program writes it."""

import json
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from stored_studies import HOSTILE, Stored

from core.model_card import NAME, model_card
from core.train import main

MARKUP = HOSTILE + " [a](http://b) ![i](j) `c` **d** <e@f.g> https://h.i www.j.k | l |\n# m\n- n\n\n$o$ ~~p~~ _q_"
SECTIONS = [
    "Anomaly detector of the study small",
    "Intended use",
    "Limits",
    "Detector",
    "Data",
    "How it was chosen",
    "Results",
    "Provenance",
    "Licence",
]


def contents(stored: Stored) -> tuple[dict[str, Any], dict[str, Any]]:
    files = stored.folder.best, stored.folder.retrained / "evaluation.json"
    best, evaluation = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return best, evaluation


def rendered(card: str) -> list[Token]:
    """All tokens, those within lines included."""
    found = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(card)
    return [inner for token in found for inner in [token, *(token.children or [])]]


def kinds(card: str) -> list[str]:
    return [token.type for token in rendered(card) if token.type != "text_special"]


def rows(card: str) -> list[list[str]]:
    lines = (line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| "))
    return [line for line in lines if set(line) != {"---"}]


def test_sections_and_facts(finished_once: Stored) -> None:
    best, evaluation = contents(finished_once)
    card = model_card(best, evaluation)
    tokens = rendered(card)
    titles = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert titles == SECTIONS
    assert "Not a medical device" in card
    found = rows(card)
    for role in ("train", "probe", "test"):
        row = next(row for row in found if row[0] == role)
        assert row[1] == str(len(best["subjects"][role]))
        assert row[3] == f"`{best['tables'][role]['digest']}`"
    departures = {row[0]: row[1] for row in found if row[0].startswith("`")}
    assert list(departures) == [f"`{path}`" for path in best["differences"]]
    assert departures["`training.epochs`"] == "4"
    assert "seeds 1000, 1001, 1002; these weights are those of seed 1000." in card
    plain = card.replace("\\", "")
    for sentence in (best["verdict"]["sentence"], evaluation["floor_verdict"]["sentence"], best["objective"]["text"]):
        assert sentence in plain
    assert "The program that made it: Apache-2.0." in card


def test_results_are_those_of_evaluation_json(finished_once: Stored) -> None:
    best, evaluation = contents(finished_once)
    card = model_card(best, evaluation)
    found = [row for row in rows(card) if row[0] in ("winner", "square", "floor: position")]
    assert [row[0] for row in found] == ["winner", "square", "floor: position"] * 2
    for row, entry in zip(found[3:], evaluation["entries"], strict=True):
        interval = entry["intervals"]["pixel.average_precision"]
        assert row[1] == f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"
    figures = evaluation["entries"][0]["figures"][0]
    bright = next(row for row in rows(card) if row[0] == "bright")
    assert bright[2] == f"{figures['family.bright.average_precision']:.3f}"
    assert model_card(best, evaluation) == card


def test_a_study_without_a_test_table(finished_once: Stored) -> None:
    best, evaluation = contents(finished_once)
    best["tables"]["test"], evaluation["test"], evaluation["entries"] = None, None, []
    card = model_card(best, evaluation)
    assert "Not tested: the study names no test table." in card
    assert ["test", "none", "-", "-"] in rows(card)


@pytest.mark.parametrize("hostile", [MARKUP, HOSTILE, "a|b", "*a*", "\\"])
def test_names_never_become_markup(finished_once: Stored, hostile: str) -> None:
    best, evaluation = contents(finished_once)
    plain = model_card(best, evaluation | {"tables": {"test": {"source": {"dataset": "x"}}}})
    best["study"] = best["verdict"]["sentence"] = hostile
    best["objective"]["families"] = [hostile]
    evaluation["provenance"]["device"] = hostile
    evaluation["tables"] = {"test": {"source": {"dataset": hostile}}}
    evaluation["floor_verdict"]["sentence"] = evaluation["shipped"]["rule"] = hostile
    evaluation["entries"][1]["name"] = hostile
    for figures in evaluation["entries"][0]["figures"]:
        for name in [name for name in figures if name.startswith("family.bright.")]:
            figures[name.replace("bright", hostile)] = figures.pop(name)
    card = model_card(best, evaluation)
    found = kinds(card)
    assert not {"html_block", "html_inline", "link_open", "image", "em_open", "strong_open", "s_open"} & set(found)
    for kind in ("heading_open", "table_open", "tr_open", "td_open", "hr"):
        assert found.count(kind) == kinds(plain).count(kind)
    # A device is one more line of provenance than the stored study has.
    assert found.count("list_item_open") == kinds(plain).count("list_item_open") + 1


def test_the_program_writes_it(finished: Stored) -> None:
    best, _ = contents(finished)
    best["config"]["detector"] |= {"base": 2, "depth": 2}
    best["config"]["training"]["epochs"] = 1
    best |= {"controls": {}, "seeds": [1000]}
    finished.folder.best.write_text(json.dumps(best))
    main(str(finished.folder.root), best=True, device="cpu")
    file = finished.folder.retrained / NAME
    best, evaluation = contents(finished)
    card = file.read_text(encoding="utf-8")
    assert card == model_card(best, evaluation)
    assert ["train", "4", "8", f"`{finished.train.digest}`"] in rows(card)
    assert "- probe: source (8 families, kind probe)\n" in card
    file.unlink()
    main(str(finished.folder.root), best=True, device="cpu")  # up to date, but for the card
    assert file.read_text(encoding="utf-8") == card
