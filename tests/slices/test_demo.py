"""The demo's tables: made once, found again, made anew when they no longer fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.slices import demo, open_table
from core.slices.demo import demo_tables


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.slices import phantom

    recipe = phantom.PhantomSet(healthy=2, lesioned=1, lesion_free=1, spacing_mm=4)
    monkeypatch.setattr(phantom, "PhantomSet", lambda seed: replace(recipe, seed=seed))
    monkeypatch.setattr(demo, "DEMO", replace(demo.DEMO, side=32, slices=20))


@pytest.mark.usefixtures("small")
def test_made_once_and_found_again(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    paths = demo_tables(tmp_path, lambda *told: seen.append(told))
    train, test = map(open_table, paths)
    assert [len(paths), *(path.name for path in paths)] == [2, "train.arrow", "test.arrow"]
    assert train.normal.all()
    assert not test.normal.all()
    assert set(test.family[~test.normal]) == {"bright"}
    assert set(train.subjects).isdisjoint(test.subjects)
    assert seen[-1][:2] == (2, 2)

    seen.clear()
    times = [path.stat().st_mtime_ns for path in paths]
    assert demo_tables(tmp_path, lambda *told: seen.append(told)) == paths
    assert [path.stat().st_mtime_ns for path in paths] == times
    assert not seen

    paths[0].write_bytes(b"broken")
    assert demo_tables(tmp_path) == paths
    assert open_table(paths[0], digest=train.digest).digest == train.digest
    assert paths[1].stat().st_mtime_ns == times[1]
