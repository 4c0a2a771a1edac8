"""Asynchronous successive halving (Li et al. 2020): which trial stops after which epoch. The ledger records it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Asha:
    """Rungs at `grace`, `grace` * `reduction`, ... epochs, of which one in `reduction` trials goes on.

    A trial meets those that came to the rung before it: nobody waits, and nobody that went on is called back. While
    fewer than `reduction` have come, only the best of them goes on. A reduction of 1 stops nobody.
    """

    grace: int
    reduction: int

    def is_rung(self, epoch: int) -> bool:
        """Whether trials are compared after this epoch."""
        rung = self.grace
        while self.reduction > 1 and rung < epoch:
            rung *= self.reduction
        return self.reduction > 1 and rung == epoch

    def stops(self, epoch: int, value: float, curves: Iterable[Mapping[int, float]]) -> bool:
        """Whether a trial with this value after this epoch stops. curves: objective by epoch, of all other trials."""
        if not self.is_rung(epoch):
            return False
        met = sorted([curve[epoch] for curve in curves if epoch in curve] + [value], reverse=True)
        return value < met[max(len(met) // self.reduction, 1) - 1]
