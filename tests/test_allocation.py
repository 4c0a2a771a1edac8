"""Memory that steps on a CPU and volumes reuse, and how precisely steps compute there."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.allocation import keep_freed_memory
from core.config import Config, Training, override
from core.device import uses_bf16
from core.evaluation import evaluate, scorer_of
from core.slices.folder import FolderSource
from core.slices.ingesting import ingest
from core.slices.table import SliceTable
from core.training import train
from tests.slices.trees import SMALL, make_folder

PAGES = 16_384  # of 64 MiB, twice what glibc takes from the heap by itself
PROGRAM = """
import resource, sys
from threading import Thread
from core.allocation import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * (4096 * {pages})
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def told():
    print(faults(), faults())

assert keep_freed_memory(threads=sys.argv[1] == "threads")
told() if sys.argv[1] == "main" else Thread(target=told).start()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
@pytest.mark.parametrize(("thread", "heaps"), [("main", {}), ("another", {"MALLOC_ARENA_MAX": "1"}), ("threads", {})])
def test_what_is_freed_is_used_again(thread: str, heaps: dict[str, str]) -> None:
    # In a process of its own: where an allocation was ever refused, glibc takes later ones from elsewhere.
    program = [sys.executable, "-c", PROGRAM.format(pages=PAGES), thread]
    found = subprocess.run(program, env=os.environ | heaps, capture_output=True, text=True)
    first, second = map(int, found.stdout.split())
    assert first > PAGES / 2  # the heap may have had a few of them
    assert second < PAGES / 16


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed_memory.__wrapped__()


def test_trainings_and_evaluations_on_a_cpu_ask_for_it(healthy: SliceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("training", "evaluation"):
        monkeypatch.setattr(f"core.{name}.keep_freed_memory", lambda name=name: asked.append(name))
    small = {"detector.base": 2, "detector.depth": 2, "training.epochs": 1}
    (epoch,) = train(override(Config(), small), healthy, seed=0, device="cpu")
    evaluate(scorer_of(epoch.detector), healthy, device=torch.device("cpu"))
    assert asked == ["training", "evaluation"]


def test_an_ingest_asks_for_it_in_all_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, bool]] = []
    monkeypatch.setattr("core.slices.ingesting.keep_freed_memory", lambda **how: asked.append(how))
    make_folder(tmp_path / "d")
    ingest(FolderSource(tmp_path / "d"), tmp_path / "t.arrow", SMALL)
    assert asked == [{"threads": True}]


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize(("precision", "expected"), [("auto", None), ("bf16", True), ("fp32", False)])
def test_bf16_on_a_cpu_needs_tiles_unless_asked_for(
    tiles: bool, precision: str, expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    training = Training(precision=precision)  # type: ignore[arg-type]
    assert uses_bf16(training, torch.device("cpu")) is (tiles if expected is None else expected)
