"""Memory that steps on a CPU reuse, and how precisely they compute there."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from core.allocation import keep_freed_memory
from core.config import Config, Training, override
from core.device import uses_bf16
from core.evaluation import evaluate, scorer_of
from core.slices.table import SliceTable
from core.training import train

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
    assert keep_freed_memory()
    print(faults(), faults())

told() if sys.argv[1] == "main" else Thread(target=told).start()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
@pytest.mark.parametrize("thread", ["main", "another"])
def test_what_is_freed_is_used_again(thread: str) -> None:
    # In a process of its own: where an allocation was ever refused, glibc takes later ones from elsewhere.
    program = [sys.executable, "-c", PROGRAM.format(pages=PAGES), thread]
    found = subprocess.run(program, env=os.environ | {"MALLOC_ARENA_MAX": "1"}, capture_output=True, text=True)
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


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize(("precision", "expected"), [("auto", None), ("bf16", True), ("fp32", False)])
def test_bf16_on_a_cpu_needs_tiles_unless_asked_for(
    tiles: bool, precision: str, expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    training = Training(precision=precision)  # type: ignore[arg-type]
    assert uses_bf16(training, torch.device("cpu")) is (tiles if expected is None else expected)
