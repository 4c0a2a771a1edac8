"""The training loop: a generator of epochs. It knows nothing of searches; whoever listens may stop it by closing it."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from core import checkpoint
from core.adam import adam, align_gradients, align_state, set_rate
from core.allocation import keep_freed_memory
from core.batches import Batches, begin_server
from core.captured import Captured, Update
from core.config import Config, flatten, from_dict, to_dict
from core.detectors import Batch, Settling
from core.device import choose_device, uses_bf16
from core.errors import BadConfig, BadStudy, BadTable, TrainingFailed
from core.halving import require_halving, require_several_pixels
from core.lowered import AsLoss, lowered_loss
from core.mirror import address
from core.provenance import provenance
from core.slices.table import SliceTable

_STATISTICS_BATCHES = 16
_MOST_WORKERS = 8  # processes that draw pseudo-outliers for one GPU


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    loss: mean over its steps. seconds: of training alone, without evaluation.
    redrawn: pseudo-outliers drawn again by the epsilon rule; forced: those that needed the visible shift.
    metrics: what the caller's `evaluate` returned.
    detector: the live detector as of the newest epoch; with weight averaging, the averaged one.
    replayed: taken from a checkpoint's history rather than trained now.
    """

    number: int
    loss: float
    seconds: float
    redrawn: int
    forced: int
    metrics: dict[str, float]
    detector: nn.Module
    replayed: bool = False


def train(
    config: Config,
    table: SliceTable,
    *,
    seed: int,
    rows: NDArray[np.intp] | None = None,
    device: str = "auto",
    checkpoints: Path | None = None,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
) -> Iterator[Epoch]:
    """Train on the healthy slices of a table and yield each finished epoch.

    rows: those to train on, by default all. A slice's random draws follow from its row in the table, so they do not
        depend on which others are trained on, save for donors, which are drawn from among these.
    checkpoints: folder to write to and resume from. A resumed training yields the epochs of its history first, then
        goes on; the weights equal those of an uninterrupted one on the same kind of device bit for bit.
    Raises TrainingFailed when the loss is not finite, BadTable when a slice carries a lesion, BadConfig when the U-Net
    is too deep for the slices, BadStudy when a checkpoint belongs to another training, HelperDied when a process that
    draws for a GPU was killed.
    """
    rows = np.arange(len(table)) if rows is None else rows
    with closing(_Run(config, table, seed, rows, choose_device(device))) as run:
        history: list[dict[str, Any]] = []
        found = checkpoint.newest(checkpoints) if checkpoints else None
        if checkpoints and found:
            run.restore(found, checkpoints)
            history = found.state["history"]
            yield from (Epoch(**past, detector=run.evaluated, replayed=True) for past in history)
        if checkpoints:
            checkpoints.mkdir(parents=True, exist_ok=True)  # before an epoch is spent on what cannot be kept
        for number in range(len(history) + 1, config.training.epochs + 1):
            past = run.epoch(number)
            past["metrics"] = evaluate(run.evaluated) if evaluate else {}
            history.append(past)
            if checkpoints:
                checkpoint.save(checkpoints, number, run.snapshot(history))
            yield Epoch(**past, detector=run.evaluated)


class _Run:
    """The moving parts of one training."""

    def __init__(
        self, config: Config, table: SliceTable, seed: int, rows: NDArray[np.intp], device: torch.device
    ) -> None:
        if not table.normal[rows].all():
            raise BadTable(
                f"{table.path}: {int((~table.normal[rows]).sum())} of the training slices carry a lesion mask"
            )
        require_halving(config, table.height, table.width)
        cuda = device.type == "cuda"
        if cuda:
            begin_server()
        self.config, self.device = config, device
        self.identity = {
            "config": to_dict(config),
            "seed": seed,
            "table": table.digest,
            "rows": blake2b(rows.astype("<i8").tobytes(), digest_size=8).hexdigest(),
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            detector = config.detector.build(config.loss)
        if 2**config.detector.depth == max(table.height, table.width):
            require_several_pixels(detector, config, len(rows))
        self.detector = detector.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.bf16 = uses_bf16(config.training, device)
        self.optimiser = adam(self.detector.parameters(), config.training.learning_rate, config.detector.betas, device)
        if not cuda:
            keep_freed_memory()
        self.loss: Callable[[Batch], Tensor] = self.detector.training_loss
        self.update: Update = self._update
        if cuda and not config.detector.staged:
            self.update = Captured(self._update, device)
            if self.bf16:
                self.loss = lowered_loss(self.detector)
        self.average: AveragedModel | None = None
        if config.training.averaging > 0:
            average = get_ema_multi_avg_fn(config.training.averaging)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(self.detector, multi_avg_fn=average)
        # A GPU takes batches faster than one process draws them, even where a trial was given a single core.
        workers = min(max(torch.get_num_threads(), 2), _MOST_WORKERS) if cuda else 0
        self.batches = Batches(config, table, seed, rows, device, workers)

    def close(self) -> None:
        """End the processes that draw batches; free what was recorded."""
        self.batches.close()
        self.update = self._update

    @property
    def evaluated(self) -> nn.Module:
        return self.average.module if self.average is not None else self.detector

    def epoch(self, number: int) -> dict[str, Any]:
        started = time.perf_counter()
        losses, redrawn, forced = [], 0, 0
        recent: deque[Batch] = deque(maxlen=_STATISTICS_BATCHES)
        self.detector.train()
        with _repeatable():
            for batch, drawn in self.batches.epoch(number):
                losses.append(self.step(batch))
                redrawn += drawn.redrawn
                forced += drawn.forced
                recent.append(batch)
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            raise TrainingFailed(f"the loss of epoch {number} is {loss}; expected a finite number")
        if self.average is not None:
            update_bn(([batch] for batch in recent), _AsTrained(self.average.module))
            self.average.module.eval()
        self.detector.eval()
        if isinstance(self.evaluated, Settling):
            with torch.no_grad():
                self.evaluated.settle(batch.clean for batch in recent)
        seconds = time.perf_counter() - started
        return {"number": number, "loss": loss, "seconds": seconds, "redrawn": redrawn, "forced": forced}

    def step(self, batch: Batch) -> Tensor:
        training = self.config.training
        if training.schedule == "cosine":
            set_rate(self.optimiser, training.learning_rate * (1 + math.cos(math.pi * batch.progress)) / 2)
        loss = self.update(batch)
        if self.average is not None:
            self.average.update_parameters(self.detector)
        return loss

    def _update(self, batch: Batch) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        align_gradients(self.detector.parameters())
        if self.config.training.clip > 0:
            nn.utils.clip_grad_norm_(self.detector.parameters(), self.config.training.clip)
        self.optimiser.step()
        return loss.detach()

    def snapshot(self, history: list[dict[str, Any]]) -> checkpoint.Checkpoint:
        tensors: dict[str, Tensor] = {}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
        if self.average is not None:
            tensors |= {f"detector.{name}": tensor for name, tensor in self.detector.state_dict().items()}
            tensors["average.n"] = self.average.n_averaged
        state = {
            **self.identity,
            "history": history,
            "provenance": provenance(self.device) | {"bf16": self.bf16},
        }
        return checkpoint.Checkpoint(self.evaluated.state_dict(), tensors, state)

    def restore(self, found: checkpoint.Checkpoint, folder: Path) -> None:
        before = {name: found.state[name] for name in self.identity}
        with suppress(BadConfig):  # settings that a newer version has are at what they were when there were none
            before["config"] = to_dict(from_dict(before["config"]))
        kept, asked = flatten(before), flatten(self.identity)
        for name in sorted(kept.keys() | asked.keys()):
            # The slice score is chosen after training and has no part in it.
            if name != "config.score" and kept.get(name) != asked.get(name):
                raise BadStudy(
                    f"{address(folder)}: holds a training with {name.removeprefix('config.')} = {kept.get(name)!r}, "
                    f"expected {asked.get(name)!r}, or an empty folder"
                )
        raw = found.model if self.average is None else _under(found.training, "detector.")
        self.detector.load_state_dict(raw)
        optimiser = self.optimiser.state_dict()
        for name, tensor in _under(found.training, "optimiser.").items():
            index, key = name.split(".", 1)
            optimiser["state"].setdefault(int(index), {})[key] = tensor
        self.optimiser.load_state_dict(optimiser)
        align_state(self.optimiser)
        if self.average is not None:
            self.average.module.load_state_dict(found.model)
            self.average.n_averaged.copy_(found.training["average.n"])
            self.average.module.eval()
        self.detector.eval()


class _AsTrained(AsLoss):
    """A detector that `update_bn` shows what a training does, which is not always what it scores, nor all layers."""

    def forward(self, batch: Batch) -> Tensor:
        """With what the batch's own step drew, whether that was recorded or not."""
        batch.generator.manual_seed(batch.generator.initial_seed())
        return super().forward(batch)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Convolutions that add in the same order each time."""
    before, torch.backends.cudnn.deterministic = torch.backends.cudnn.deterministic, True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
