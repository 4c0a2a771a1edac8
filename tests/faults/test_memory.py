"""A configuration that fills its node's memory fails alone, after one more try; its neighbours finish."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.slices.table import SliceTable
from tests.programs import SPACE, Place

# GiB beyond what is used now, at which Ray begins to kill: more than tests beside this one take, less than the large
# trial does.
ROOM = 5
LARGE = (
    SPACE.replace('"detector.base" = 2\n"detector.depth" = 2\n', '"detector.depth" = 5\n')
    .replace("[space]\n", '[space]\n"detector.base" = { choices = [2, 256] }\n')
    .replace("[study]\n", "[study]\nseed = 2\n")
    .replace('"training.epochs" = 2', '"training.epochs" = 12')
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
    if memory["MemAvailable"] < 2 * ROOM * 2**20:
        pytest.skip("too little memory is free to run out of it safely")
    place = Place(tmp_path, healthy, lesioned, LARGE, small_probe)
    used = memory["MemTotal"] - memory["MemAvailable"]
    place.environment["RAY_memory_usage_threshold"] = f"{(used + ROOM * 2**20) / memory['MemTotal']:.4f}"
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
            assert (trial["state"], len(trial["curve"])) == ("COMPLETE", 12)
    assert {trial["detector.base"] for trial in trials} == {2, 256}
