"""Asynchronous successive halving (Li et al. 2020): which trial stops after which epoch. The ledger records it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Asha:
    """Rungs at `grace`, `grace` * `reduction`, ... epochs, of which one in `reduction` trials goes on.

    A trial meets those that came to the rung before it: nobody waits, and nobody that went on is called back. While
    fewer than `reduction` have come, only the best of them goes on. A reduction of 1 stops nobody.
    """

    grace: int
    reduction: int

    def rungs(self, epochs: int) -> list[int]:
        """The epochs after which trials are compared, of a training of so many; its last is none of them."""
        found, rung = list[int](), self.grace
        while self.reduction > 1 and rung < epochs:
            found.append(rung)
            rung *= self.reduction
        return found

    def is_rung(self, epoch: int) -> bool:
        """Whether trials are compared after this epoch."""
        return epoch in self.rungs(epoch + 1)

    def goes_on(self, met: int) -> int:
        """How many of those that met at a rung may go on."""
        return max(met // self.reduction, 1)

    def cutoff(self, values: Collection[float]) -> float:
        """The objective that a trial must reach to go on from a rung where these met, its own among them."""
        return sorted(values, reverse=True)[self.goes_on(len(values)) - 1]

    def stops(self, epoch: int, value: float, curves: Iterable[Mapping[int, float]]) -> bool:
        """Whether a trial with this value after this epoch stops. curves: objective by epoch, of all other trials."""
        if not self.is_rung(epoch):
            return False
        return value < self.cutoff([value, *(curve[epoch] for curve in curves if epoch in curve)])
