"""One line of a table of benchmarks: ours against what a user would write otherwise, both measured in one run."""

from typing import NamedTuple


class Row(NamedTuple):
    """ours, theirs: seconds or MiB, as `unit` says; the ratio is theirs / ours. remark: what the figures depend on."""

    what: str
    ours: float
    theirs: float
    unit: str
    remark: str
