"""CITATION.cff and CHANGELOG.md say of the project what pyproject.toml says."""

import re
import tomllib
from datetime import date
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_citation_has_what_its_format_asks_for() -> None:
    """Citation File Format 1.2.0: the required keys, their types, and no key that it does not know."""
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(found)
    known = {
        "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
        "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
        "repository-code", "title", "type", "url", "version",
    }  # fmt: skip
    assert set(found) <= known
    assert found["cff-version"] == "1.2.0"
    assert found["type"] == "software"
    assert found["title"] == PROJECT["name"]
    assert found["license"] == PROJECT["license"]
    assert str(found["version"]) == PROJECT["version"]
    assert isinstance(found["authors"], list)
    for author in [*found["authors"], *(one for each in found["references"] for one in each["authors"])]:
        assert set(author) in ({"name"}, {"family-names"}, {"family-names", "given-names"}), author
    for reference in found["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    assert isinstance(found.get("date-released", date.today()), date)


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    assert versions[0] == PROJECT["version"]
    assert len(set(versions)) == len(versions)
