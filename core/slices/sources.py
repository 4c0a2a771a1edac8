"""Every source by its name, as `python -m core.ingest` opens them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.slices.bids import BidsSource
from core.slices.brats import BratsSource
from core.slices.choosing import Group, subject_list
from core.slices.folder import FolderSource
from core.slices.hcp import HcpSource
from core.slices.manifest import ManifestSource
from core.slices.mood import MoodSource
from core.slices.source import Source

SOURCES: dict[str, Callable[..., Source]] = {
    "folder": FolderSource,
    "hcp": HcpSource,
    "brats": BratsSource,
    "mood": MoodSource,
    "bids": BidsSource,
    "manifest": ManifestSource,
}
_WORDS: dict[str, dict[str, str]] = {
    "folder": {"tumour-free": "normal_only"},
    "hcp": {"modality": "image", "subjects": "subjects", "exclude-subjects": "exclude"},
    "brats": {
        "modality": "modality",
        "subjects": "subjects",
        "exclude-subjects": "exclude",
        "tumour-free": "tumour_free",
        "paper-cases": "paper_cases",
    },
    "mood": {"modality": "task", "tumour-free": "normal_only"},
    "bids": {"modality": "suffix", "group": "group", "masks": "masks", "tumour-free": "normal_only"},
    "manifest": {"group": "group", "tumour-free": "normal_only"},
}
"""Per source, the options it takes and what they are called there."""
_READ: dict[str, Callable[[str], Any]] = {
    "subjects": subject_list,
    "exclude-subjects": subject_list,
    "group": Group.parse,
}


def open_source(kind: str, path: Path, dataset: str | None, options: dict[str, str | bool | None]) -> Source:
    """The source of this kind. options: as words of the command line, None or False for those not given.

    Raises BadInput on an option that this source does not take, or on a wrong value.
    """
    given: dict[str, Any] = {"dataset": dataset} if dataset else {}
    for option, value in options.items():
        if value is None or value is False:
            continue
        if option not in _WORDS[kind]:
            takers = [name for name, words in _WORDS.items() if option in words]
            raise BadInput(f"--{option} is for {' and '.join(takers)}, not for {kind}")
        given[_WORDS[kind][option]] = _READ[option](str(value)) if option in _READ else value
    return SOURCES[kind](path, **given)
