"""A configuration that fills its node's memory fails alone, after one more try; its neighbours finish."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place

# KiB beyond what is used now, at which Ray begins to kill: more than tests beside this one take, less than the large
# trial does. Of all that is used then, the large one must have more than half, or others are held to have filled it.
ROOM, MORE_THAN_OTHERS = 5 * 2**20, 3 * 2**20
LARGE = (
    SPACE.replace('"detector.base" = 2\n"detector.depth" = 2\n', '"detector.depth" = 5\n')
    .replace("[space]\n", '[space]\n"detector.base" = { choices = [2, 256] }\n')
    .replace("[study]\n", "[study]\nseed = 2\n")
    .replace('"training.epochs" = 2', '"training.epochs" = 6')
    .replace("reduction = 3", "reduction = 1")
    .replace("top = 2", "top = 1")
)


def _kilobytes() -> dict[str, int]:
    lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


def test_it_is_the_large_one_that_fails(
    tmp_path: Path, healthy: SliceTable, lesioned: SliceTable, small_probe: SliceTable
) -> None:
    memory = _kilobytes()
    used = memory["MemTotal"] - memory["MemAvailable"]
    room = max(ROOM, used + MORE_THAN_OTHERS)
    if memory["MemAvailable"] < 2 * room:
        pytest.skip("too little memory is free to run out of it safely")
    place = Place(tmp_path, healthy, lesioned, LARGE, small_probe)
    place.environment["RAY_memory_usage_threshold"] = f"{(used + room) / memory['MemTotal']:.4f}"
    place.environment["RAY_memory_monitor_refresh_ms"] = "100"
    done = place.run(place.search("--concurrent", "2"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    trials = pq.read_table(place.root / "runs" / "tiny" / "trials.parquet").to_pylist()
    for trial in trials:
        if trial["detector.base"] == 256:
            assert trial["state"] == "FAIL"
            assert trial["reason"].startswith("out of memory: its node used ")
        else:
            assert (trial["state"], len(trial["curve"])) == ("COMPLETE", 6)
    assert {trial["detector.base"] for trial in trials} == {2, 256}
