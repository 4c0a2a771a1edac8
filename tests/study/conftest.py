"""Studies for the tests of reports: in memory, and stored as the programs store them."""

from collections.abc import Callable
from copy import copy
from pathlib import Path
from shutil import copytree

import optuna
import pytest
from stored_studies import HOSTILE, MIXED, SPACE, End, Stored, fill

from study.folder import StudyFolder
from study.reading import parse_space
from study.records import TrialRecord, records_of
from study.space import Space


@pytest.fixture(scope="session")
def space() -> Space:
    return parse_space(SPACE, "space.toml")


@pytest.fixture
def trials_of(space: Space) -> Callable[..., tuple[TrialRecord, ...]]:
    """Records of an in-memory study whose trials ended in these ways."""

    def make(ends: list[End], reason: str = "out of memory") -> tuple[TrialRecord, ...]:
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
        fill(study, space, ends, reason)
        return records_of(study)

    return make


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory, space: Space) -> Stored:
    """A study with everything that the programs write; not to be changed."""
    made = Stored(tmp_path_factory.mktemp("finished"), space)
    made.search(MIXED, HOSTILE)
    made.decide()
    made.retrain()
    return made


@pytest.fixture
def finished(finished_once: Stored, tmp_path: Path) -> Stored:
    """A copy of it that a test may change; the tables stay where they are."""
    mine = copy(finished_once)
    mine.folder = StudyFolder(tmp_path / "runs" / finished_once.folder.name)
    copytree(finished_once.folder.root, mine.folder.root)
    return mine


@pytest.fixture
def stored(tmp_path: Path, space: Space) -> Stored:
    return Stored(tmp_path, space)
