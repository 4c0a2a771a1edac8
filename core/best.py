"""A study's best.json: what won, under which seeds, on which tables; where it is found and read."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import Config, from_dict
from core.errors import BadConfig, BadStudy, nearest
from core.mirror import fetch, names, place, publish
from core.runs import default_runs
from core.slices.cache import open_cached
from core.slices.table import SliceTable

FORMAT = 1
_NEEDED = ("study", "objective", "verdict", "config", "controls", "seeds", "tables")


@dataclass(frozen=True)
class Best:
    """What best.json says: the winner, its controls, the seeds, and the tables by path and digest."""

    folder: Path
    data: dict[str, Any]

    @property
    def digest(self) -> str:
        """Of its content: evaluation.json names that of the best.json that it tested."""
        return digest(self.data)

    @property
    def configs(self) -> dict[str, Config]:
        """The winner and the controls that differ from it, by name."""
        return _configs(self.data)

    def take_over(self, name: str, seed: int, folder: Path) -> bool:
        """Copy the checkpoint of the study's own training, where it still lies: once is enough.

        True where this folder goes on from the study's training, whether it was copied now or before.
        """
        others: dict[str, dict[str, str]] = self.data.get("control_checkpoints", {})
        lies = self.data.get("checkpoints", {}) if name == "winner" else others.get(name, {})
        source = self.folder / lies.get(str(seed), "-")
        if not names(source):
            return False
        if not names(folder):
            shutil.copytree(fetch(source), folder, dirs_exist_ok=True)
            publish(folder)
        return True

    def table(self, role: str) -> SliceTable:
        """The table of a role. Raises BadTable when its content is not that of the study."""
        reference = self.data["tables"][role]
        if reference is None:
            raise BadStudy(f"{self.folder}: the study names no {role} table; run it with --{role} TABLE")
        return open_cached(reference["path"], reference["digest"])


def digest(data: Mapping[str, Any]) -> str:
    """Of plain data, whatever the order of its names."""
    return hashlib.blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=8).hexdigest()


def is_of(evaluation: Mapping[str, Any], best: Mapping[str, Any]) -> bool:
    """Whether evaluation.json is of this best.json, or of one with the same configurations, seeds and tables.

    A search that another version repeats words its verdict anew, or tells more: no reason to open the test once more.
    """
    if evaluation.get("best") == digest(best):
        return True
    test = evaluation.get("test")
    if not test or evaluation["seeds"] != best["seeds"]:
        return False
    # Earlier versions told no digest of the training table and the probe, which no study exchanges.
    tables = {role: table["digest"] for role, table in evaluation.get("tables", {}).items() if "digest" in table}
    tables["test"] = test["digest"]
    if any((best["tables"][role] or {}).get("digest") != found for role, found in tables.items()):
        return False
    entries = [entry for entry in evaluation["entries"] if entry["kind"] == "detector"]
    try:
        return {entry["name"]: from_dict(entry["config"]) for entry in entries} == _configs(best)
    except BadConfig:
        return False  # of another age than this program


def _configs(best: Mapping[str, Any]) -> dict[str, Config]:
    winner = from_dict(best["config"], "best.json")
    controls = {name: from_dict(config, "best.json") for name, config in best["controls"].items()}
    return {"winner": winner} | {name: config for name, config in controls.items() if config != winner}


def find_best(name: str | None, runs: Path | None = None) -> Best:
    """A study's best.json by the study's name or folder, or the newest under `runs`. Raises BadStudy."""
    runs = runs or default_runs()
    newest = sorted({file.parent for file in runs.glob("*/best.json")}, key=_age)
    for folder in [place(name), runs / name] if name else newest:
        try:
            data = json.loads(fetch(folder / "best.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError as damaged:
            raise BadStudy(f"{folder / 'best.json'}: not JSON: {damaged}") from None
        version = data.get("format") if isinstance(data, dict) else None
        if version != FORMAT:
            raise BadStudy(f"{folder / 'best.json'}: has format {version}, expected {FORMAT}")
        if missing := [needed for needed in _NEEDED if needed not in data]:
            raise BadStudy(f"{folder / 'best.json'}: lacks {missing[0]!r}; python -m study.search writes it anew")
        return Best(folder, data)
    known = sorted(file.parent.name for file in runs.glob("*/best.json"))
    wanted = f"study {name!r} has" if name else "there is"
    elsewhere = ", --runs FOLDER looks elsewhere" if name else ""
    hint = nearest(name or "", known) or f"; python -m study.search writes one{elsewhere}"
    raise BadStudy(f"{runs}: {wanted} no best.json; finished studies: {', '.join(known) or 'none'}{hint}")


def _age(folder: Path) -> float:
    return -(folder / "best.json").stat().st_mtime
