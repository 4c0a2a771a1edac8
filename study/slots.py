"""The places that trials run in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Slots:
    """What one trial occupies, how many run at once, and where a node keeps copies of tables.

    memory: bytes that a training may allocate, None for no limit.
    """

    cpus: int
    gpus: float
    count: int
    cache: Path | None = None
    memory: int | None = None

    def resources(self) -> dict[str, float]:
        """What Ray sets aside for a trial."""
        return {"cpu": self.cpus, "gpu": self.gpus} | ({"memory": self.memory} if self.memory else {})

    def fit(self, node: Mapping[str, float]) -> bool:
        """Whether a node could run a trial, were it idle. node: its resources, as Ray names them."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory or 0}
        return all(node.get(name, 0) >= amount for name, amount in asked.items())
