"""Where volumes come from. A source knows names and folders; reading and preprocessing are the same for all.

`folder`, `hcp`, `brats`, `mood`, `bids` and `manifest` are sources.
"""

from typing import Any, Protocol

from core.slices.files import VolumeFile
from core.slices.preprocess import Preprocessing


class Source(Protocol):
    """What ingest needs of a source; see tests/slices for what all must do."""

    @property
    def name(self) -> str:
        """The dataset's name, which becomes part of each subject's key; without a slash."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """What the paper does with such volumes, or what suits them where it is silent."""
        ...

    def volumes(self) -> list[VolumeFile]:
        """All volumes, sorted by name, without reading them. Raises BadInput when the folder is not such a source."""
        ...

    def describe(self) -> dict[str, Any]:
        """Kind and options as plain JSON values, for the table's metadata; no absolute paths."""
        ...
