"""Loaded by every Python that has this folder on its path: each training of an epoch leaves a line when it begins and
one when it has ended, in the file that EPOCHS_TRAINED names."""

import builtins
import os
import sys
from collections.abc import Callable
from typing import Any

_import = builtins.__import__


def _watching(*names: Any, **more: Any) -> Any:
    module = _import(*names, **more)
    run = getattr(sys.modules.get("core.training"), "_Run", None)
    if run is not None and builtins.__import__ is _watching:  # once: imports are nested
        builtins.__import__ = _import
        run.epoch = _counted(run.epoch)
    return module


def _counted(train: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
    def epoch(run: Any, number: int) -> Any:
        which = f"{run.seed} {run.config.loss.alpha!r} {number}\n"
        _leave("begun " + which)
        past = train(run, number)
        _leave("ended " + which)
        return past

    return epoch


def _leave(line: str) -> None:
    with open(os.environ["EPOCHS_TRAINED"], "ab", buffering=0) as file:  # noqa: PTH123
        file.write(line.encode())


if "EPOCHS_TRAINED" in os.environ:
    builtins.__import__ = _watching
