"""Checkpoints of a training: folders `epoch-00003` that are whole or absent, with checksums that are read first.

Each holds `model.safetensors` (the weights that are evaluated), `training.safetensors` (the optimiser, and raw weights
where others are evaluated) and `state.json` (config, seed, history, provenance, checksums). No pickle anywhere: a
checkpoint from others runs no code.
The random state is (seed, epoch): every random number of a training follows from these and the row of the slice.
"""

import errno
import json
import os
import re
import shutil
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core.config import Config, from_dict, to_dict
from core.durable import beside, replacing, write_json
from core.errors import BadInput
from core.mirror import fetch, is_remote, names, publish, withdraw

FORMAT = 4  # another one is not gone on from; raise it when a training would go on as another would
KEPT = 2  # the newest and the one before it, in case the newest is damaged
_FILES = ("model.safetensors", "training.safetensors")


class Checkpoint(NamedTuple):
    """What a training needs to go on: tensors by name and the plain state."""

    model: dict[str, Tensor]
    training: dict[str, Tensor]
    state: dict[str, Any]


def save(folder: Path, epoch: int, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of an epoch under `folder`, then remove those older than the one before it.

    Of later epochs there are only such as cannot be read, or another worker's; neither makes this one an old one.

    On object storage nothing is left on this machine's disk, which would fill up with the checkpoints of past trials.
    A worker on a node that was taken for dead may go on beside the one that took over; both write the same.
    """
    target = folder / f"epoch-{epoch:05d}"
    temporary = beside(target)
    try:
        for name, tensors in zip(_FILES, (checkpoint.model, checkpoint.training), strict=True):
            save_tensors(temporary / name, tensors)
        checksums = {name: _checksum(temporary / name) for name in _FILES}
        write_json(temporary / "state.json", {"format": FORMAT, "crc32": checksums, **checkpoint.state})
        shutil.rmtree(target, ignore_errors=True)
        try:
            temporary.rename(target)
        except OSError as taken:
            if taken.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        publish(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if is_remote(folder):
            shutil.rmtree(target, ignore_errors=True)
    earlier = [name for name in _epochs(folder) if _in_order(name) < _in_order(target.name)]
    for old in earlier[: 1 - KEPT]:
        withdraw(folder / old)


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint under `folder` that is whole, else the one before it, else None.

    What a killed process left half-written is removed.
    """
    for left in folder.glob(".epoch-*.tmp"):
        shutil.rmtree(left, ignore_errors=True)
    for name in reversed(_epochs(folder)):
        candidate = folder / name
        try:
            fetch(candidate)
            state = json.loads((candidate / "state.json").read_text(encoding="utf-8"))
            if state["format"] != FORMAT or any(_checksum(candidate / n) != state["crc32"][n] for n in _FILES):
                continue
            return Checkpoint(load_file(candidate / _FILES[0]), load_file(candidate / _FILES[1]), state)
        except (OSError, ValueError, KeyError, SafetensorError):
            continue  # damaged or half-copied: the one before it is as good, one epoch older
        finally:
            if is_remote(candidate):
                shutil.rmtree(candidate, ignore_errors=True)
    return None


def discard(folder: Path) -> None:
    """Remove the checkpoints under `folder`, of a training from which nobody goes on. Raises BadStorage."""
    for name in _epochs(folder):
        withdraw(folder / name)


def _epochs(folder: Path) -> list[str]:
    """Names of the checkpoints, oldest first."""
    return sorted((name for name in names(folder) if name.startswith("epoch-")), key=_in_order)


def _in_order(name: str) -> tuple[int, str]:
    """By the epoch; beyond 99,999 names are longer."""
    return len(name), name


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write tensors as safetensors, atomically. Raises OSError where storage is full or gone."""
    # Weights for channels_last slices are turned where they lie: a GPU does it faster than the host.
    plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(plain, temporary)
        except SafetensorError as failure:
            # It tells the system's error in words alone.
            number = re.search(r"os error (\d+)", str(failure))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
        if temporary.stat().st_mode != mode:
            temporary.chmod(mode)  # safetensors lets nobody but its owner read it; others may use a shared study too


def save_detector(folder: Path, detector: nn.Module, config: Config) -> None:
    """Write a trained detector for use: `model.safetensors` and `config.json`."""
    save_tensors(folder / "model.safetensors", detector.state_dict())
    write_json(folder / "config.json", to_dict(config))


def load_detector(folder: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, Config]:
    """The detector and configuration that `save_detector` wrote, ready for evaluation. Raises BadInput."""
    try:
        config = from_dict(
            json.loads(fetch(folder / "config.json").read_text(encoding="utf-8")), str(folder / "config.json")
        )
        weights = load_file(fetch(folder / "model.safetensors"))
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise BadInput(f"{missing.filename}: not found; expected a folder written by core.train") from None
    except (ValueError, SafetensorError) as damaged:
        raise BadInput(f"{folder}: cannot be read as a detector: {damaged}") from None
    if wrong := [name for name, tensor in weights.items() if tensor.isnan().any()]:
        raise BadInput(f"{folder / 'model.safetensors'}: {wrong[0]} holds NaN, expected weights")
    detector = config.detector.build(config.loss)
    try:
        detector.load_state_dict(weights)
    except RuntimeError:
        raise BadInput(f"{folder / 'model.safetensors'}: the weights do not fit config.json beside them") from None
    return detector.to(device).eval(), config


def _checksum(path: Path) -> int:
    """It finds damage at seven times the speed of a digest; nothing here guards against malice."""
    with path.open("rb") as file:
        return reduce(lambda before, part: crc32(part, before), iter(lambda: file.read(1 << 18), b""), 0)
