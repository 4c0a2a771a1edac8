"""Training steps recorded once as a CUDA graph: a step's hundreds of kernels are then launched by one call.

Without it a GPU waits most of the time for Python to launch the next kernel.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from core.detectors import Batch

Update = Callable[[Batch], Tensor]
"""Changes weights by one batch and returns its loss, a scalar. It takes no turns: of a batch it reads the tensors and
draws from the generator, and nothing else that it reads changes from step to step."""
_WARM = 3  # steps of a shape before it is recorded: libraries choose and allocate in the first ones


class _Recorded(NamedTuple):
    """A graph, the places from which it reads its batch, and the one where it leaves the loss."""

    graph: torch.cuda.CUDAGraph
    batch: Batch
    loss: Tensor


class Captured:
    """An update of batches on a GPU that does the same faster. The first steps of each shape run as they are."""

    def __init__(self, update: Update, device: torch.device) -> None:
        self._update, self._device = update, device
        self._seen: Counter[torch.Size] = Counter()
        self._recorded: dict[torch.Size, _Recorded] = {}
        self._aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch) -> Tensor:
        """Update by one batch; its loss."""
        shape = batch.image.shape
        self._seen[shape] += 1
        if self._seen[shape] <= _WARM:
            return self._warm(batch)
        if shape not in self._recorded:
            self._recorded[shape] = self._record(batch)
        recorded = self._recorded[shape]
        recorded.batch.generator.manual_seed(batch.generator.initial_seed())
        torch._foreach_copy_(_tensors(recorded.batch), _tensors(batch))
        recorded.graph.replay()
        return recorded.loss.clone()

    def _warm(self, batch: Batch) -> Tensor:
        """Not on the default stream, whose work cannot be recorded, nor what was begun there."""
        usual = torch.cuda.current_stream(self._device)
        self._aside.wait_stream(usual)
        with torch.cuda.stream(self._aside):
            loss = self._update(batch)
        usual.wait_stream(self._aside)
        return loss

    def _record(self, batch: Batch) -> _Recorded:
        """Recording computes nothing: the first replay does."""
        graph, generator = torch.cuda.CUDAGraph(), torch.Generator(self._device)
        graph.register_generator_state(generator)
        image, mask, clean = (each.clone() for each in _tensors(batch))
        kept = Batch(image, mask, clean, batch.progress, generator)
        # Graphs run one after another, so their temporaries may lie in the same memory.
        pool = next((one.graph.pool() for one in self._recorded.values()), None)
        # What other threads of the program do on the GPU meanwhile has no part in it.
        with torch.cuda.graph(graph, pool=pool, stream=self._aside, capture_error_mode="thread_local"):
            loss = self._update(kept)
        return _Recorded(graph, kept, loss)


def _tensors(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.image, batch.mask, batch.clean
