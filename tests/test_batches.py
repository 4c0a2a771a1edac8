"""Batches drawn by other processes are those that this one would draw, and their processes end with them."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

import core.batches
from core.batches import Batches, _received
from core.config import Config, override
from core.drawing import Order, seed_of
from core.errors import HelperDied
from core.presets import PRESETS
from core.slices.table import SliceTable

FPI = override(PRESETS["fpi"], {"training.batch": 8})  # borrows from other slices
HEALTHY = override(Config(), {"training.batch": 8, "detector.kind": "vq-vae"})  # sees no pseudo-outliers


@pytest.mark.parametrize("message", [1, 130_000, 2**20])  # bytes: a batch of FPI's alone, two together, all five
@pytest.mark.parametrize("config", [FPI, HEALTHY])
def test_batches_of_other_processes_are_the_same_bit_for_bit(
    config: Config, message: int, healthy: SliceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.batches, "_MESSAGE", message)
    cpu, rows = torch.device("cpu"), np.arange(3, len(healthy))
    alone, ahead = (Batches(config, healthy, 3, rows, cpu, workers) for workers in (0, 2))
    for number in (2, 3, 2):
        pairs = list(zip(alone.epoch(number), ahead.epoch(number), strict=True))
        assert len(pairs) == 5
        for (one, drawn), (two, again) in pairs:
            for name in ("image", "mask", "clean"):
                assert torch.equal(getattr(one, name), getattr(two, name))
            assert (one.progress, one.generator.initial_seed()) == (two.progress, two.generator.initial_seed())
            assert drawn[-2:] == again[-2:]


def test_an_epoch_takes_every_slice_once_in_an_order_of_its_own() -> None:
    found = []
    for seed, epoch in ((3, 1), (3, 2), (4, 1)):
        keys = list(Order(seed, 36, 5, 4).keys(epoch))
        found.append(np.concatenate([key.chosen for key in keys]))
        assert sorted(found[-1]) == list(range(36))
        assert {len(key.chosen) for key in keys} == {7, 8}
        assert [(key.epoch, key.step) for key in keys] == [(epoch, 5 * (epoch - 1) + number) for number in range(5)]
    assert len({tuple(order) for order in found}) == 3


def test_a_message_holds_batches_of_one_epoch() -> None:
    order = Order(3, 36, 5, 4)
    found = list(order.messages(2, 2))
    assert [[(key.epoch, key.step) for key in keys] for keys in found[:4]] == [
        [(2, 5), (2, 6)],
        [(2, 7), (2, 8)],
        [(2, 9)],
        [(3, 10), (3, 11)],
    ]
    assert found[-1][-1].step == 19


def test_a_training_takes_slices_and_draws_as_in_earlier_versions() -> None:
    """Or one that was begun by them would go on as another."""
    order = Order(3, 8, 2, 4)
    assert [(key.chosen.tolist(), key.step) for key in order.keys(2)] == [([3, 2, 5, 7], 2), ([4, 1, 0, 6], 3)]
    assert [key.step for keys in order.messages(3, 3) for key in keys] == [4, 5, 6, 7]
    assert seed_of(3, 7) == 1414455516995635420


def test_a_batch_is_its_slices_with_what_was_drawn_and_how_far_the_training_is(healthy: SliceTable) -> None:
    rows = np.arange(3, len(healthy))
    empty = override(FPI, {"synthesis.epsilon": 0.5, "training.epochs": 4})  # so visible that some are forced
    batches, seeds = Batches(empty, healthy, 3, rows, torch.device("cpu")), set()
    for number in (1, 4):
        for step, (batch, drawn) in enumerate(batches.epoch(number)):
            assert batch.progress == pytest.approx((number - 1 + step / 5) / 4)
            key = list(batches.order.keys(number))[step]
            pixels = healthy.images(rows[key.chosen])
            np.testing.assert_allclose(batch.clean[:, 0].numpy(), pixels / 255, atol=1e-6)
            images, labels = pixels / np.float32(255), np.zeros(pixels.shape, np.float32)
            outliers = batches.drawing.draw(images, labels, number, key.chosen)
            np.testing.assert_array_equal(batch.image[:, 0].numpy(), images)
            np.testing.assert_array_equal(batch.mask.numpy(), labels)
            layers = [layer for outlier in outliers for layer in outlier.layers]
            assert drawn.redrawn == sum(layer.tries for layer in layers) - len(layers) > 0
            assert drawn.forced == sum(layer.forced for layer in layers)
            seeds.add(batch.generator.initial_seed())
    assert len(seeds) == 10
    for batch, drawn in Batches(HEALTHY, healthy, 3, rows, torch.device("cpu")).epoch(1):
        assert (drawn.redrawn, drawn.forced) == (0, 0)
        assert torch.equal(batch.image, batch.clean)
        assert not batch.mask.any()


def test_processes_end_with_a_training_that_is_given_up(healthy: SliceTable) -> None:
    before = set(multiprocessing.active_children())
    batches = Batches(FPI, healthy, 3, np.arange(len(healthy)), torch.device("cpu"), 2)
    epoch = batches.epoch(1)
    next(epoch)
    assert len(set(multiprocessing.active_children()) - before) == 2
    del batches, epoch
    assert set(multiprocessing.active_children()) == before


def test_a_notebook_is_still_one_afterwards(healthy: SliceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    main = sys.modules["__main__"]
    # Its absence tells libraries that they are used interactively.
    monkeypatch.delattr(main, "__file__", raising=False)
    epoch = Batches(FPI, healthy, 3, np.arange(len(healthy)), torch.device("cpu"), 2).epoch(1)
    next(epoch)
    assert not hasattr(main, "__file__")


def test_a_process_that_is_killed_is_told_as_such(healthy: SliceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.batches, "_MESSAGE", 1)  # or all epochs would be here already
    before = set(multiprocessing.active_children())
    batches = Batches(FPI, healthy, 3, np.arange(len(healthy)), torch.device("cpu"), 2)
    epochs = chain.from_iterable(map(batches.epoch, range(1, 9)))
    next(epochs)
    for child in set(multiprocessing.active_children()) - before:
        child.kill()
    with pytest.raises(HelperDied, match="draws pseudo-outliers was killed"):
        list(epochs)


def test_epochs_that_follow_each_other_cost_no_new_processes(healthy: SliceTable) -> None:
    before = set(multiprocessing.active_children())
    batches = Batches(FPI, healthy, 3, np.arange(len(healthy)), torch.device("cpu"), 2)
    found = []
    for number in (4, 5):
        for _ in batches.epoch(number):
            found.append(set(multiprocessing.active_children()) - before)
    assert len(found[0]) == 2
    assert found == found[:1] * len(found)
    batches.close()
    assert set(multiprocessing.active_children()) == before
    assert len(list(batches.epoch(6))) == 5
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize(
    ("error", "killed"),
    [
        (RuntimeError("DataLoader worker (pid 3) is killed by signal: Killed."), True),
        (ConnectionResetError("Connection reset by peer"), True),
        (EOFError(), True),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0."), False),
        (FileNotFoundError("Caught FileNotFoundError in DataLoader worker process 0."), False),
        (RuntimeError("unable to mmap"), False),
    ],
)
def test_an_error_of_a_process_that_lives_is_told_as_it_is(error: Exception, killed: bool) -> None:
    def failing() -> Iterator[None]:
        raise error
        yield

    with pytest.raises(HelperDied if killed else type(error)):
        list(_received(failing()))  # type: ignore[arg-type]


PROGRAM = """
import multiprocessing, signal, sys
import numpy, torch
from core.batches import Batches
from core.config import Config, override
from core.slices import open_table

signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may ignore it
table = open_table(sys.argv[1])
endless = override(Config(), {"training.epochs": 100_000})
batches = Batches(endless, table, 0, numpy.arange(len(table)), torch.device("cpu"), 2)
print("begun", flush=True)
for number in range(1, endless.training.epochs):
    for _ in batches.epoch(number):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _server_is_loading(group: int) -> bool:
    """Whether the server that makes the processes, in this group, has begun to leave Ctrl-C to others."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mine = os.getpgid(int(process.name)) == group and "forkserver" in (process / "cmdline").read_text()
            ignored = re.search(r"SigIgn:\s*(\w+)", (process / "status").read_text())
        except OSError:
            continue
        if mine and ignored and int(ignored[1], 16) >> (signal.SIGINT - 1) & 1:
            return True
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("after", ["begun", "a batch"])
def test_processes_end_with_a_program_that_is_killed(
    number: signal.Signals, after: str, healthy: SliceTable, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, tmp_path / "program.py", healthy.path]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with (tmp_path / "said").open("w") as said, (tmp_path / "errors").open("w") as errors:
        program = subprocess.Popen(command, stdout=said, stderr=errors, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while (tmp_path / "said").read_text().count("\n") < (1 if after == "begun" else 3):
        assert program.poll() is None, (tmp_path / "errors").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while number == signal.SIGINT and not _server_is_loading(program.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # As a terminal does: Ctrl-C reaches all of them.
    program.kill() if number == signal.SIGKILL else os.killpg(program.pid, number)
    program.wait(60)
    children = [int(word) for line in (tmp_path / "said").read_text().splitlines()[1:] for word in line.split()]
    while any(map(_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # Nobody but the program itself says where it was.
    assert (tmp_path / "errors").read_text().count("KeyboardInterrupt") == (number == signal.SIGINT)
