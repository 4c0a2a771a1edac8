"""Numbers and settings in words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.trial import TrialState

from study.page.html import Child, Html, code, join, tag

STATES = {
    TrialState.COMPLETE: "full budget",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
    TrialState.WAITING: "waiting",
}


def figure(value: float | None, digits: int = 3) -> str:
    """A figure of merit."""
    return "–" if value is None else f"{value:z.{digits}f}"


def interval(found: Any, digits: int = 3) -> Child:
    """Estimate and interval, of anything that has estimate, low and high as attributes or keys."""
    if found is None:
        return "–"
    at = found if isinstance(found, Mapping) else {name: getattr(found, name) for name in ("estimate", "low", "high")}
    # z: no minus before a zero.
    spread = f"[{at['low']:z.{digits}f}, {at['high']:z.{digits}f}]"
    return join(f"{at['estimate']:z.{digits}f} ", tag("span", spread, class_="spread"))


def setting(value: Any) -> str:
    """A value of a configuration."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def settings(values: Mapping[str, Any]) -> Html:
    """Settings by dotted path, one after another."""
    return join(*(part for path, value in values.items() for part in (code(f"{path} = {setting(value)}"), " ")))


def duration(seconds: float) -> str:
    """A time for people, which no line breaks."""
    if seconds < 90:
        return f"{seconds:.0f}\u00a0s"
    if seconds < 5400:
        return f"{seconds / 60:.0f}\u00a0min"
    return f"{seconds / 3600:.1f}\u00a0h"


def floor_words(floor: tuple[str, float] | None) -> str:
    """What a score without training reaches on the objective; '' where that is not known."""
    return f"{floor[1]:.4f} for {floor[0]}, the best objective of a score that needs no training" if floor else ""


def subjects_in_words(found: Mapping[str, Any] | None) -> str:
    """How many subjects have which role. found: a study's best.json; '' before there is one."""
    roles = {"train": "to train", "probe": "in the probe", "test": "to test"}
    counted = (found or {}).get("subjects", {})
    return (
        series([f"{len(counted[role])} {words}" for role, words in roles.items() if role in counted]) if counted else ""
    )


def capital(sentence: str) -> str:
    """A sentence with its first letter raised."""
    return sentence[:1].upper() + sentence[1:]


def count(number: int, one: str, many: str = "") -> str:
    """'1 trial', '14 trials'."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(share: float, digits: int = 0) -> str:
    """'64 %'. share: 0 to 1."""
    return f"{100 * share:.{digits}f} %"


def snapshot(moment: datetime) -> str:
    """Of when a page is that tells of a study which runs. moment: in UTC."""
    return f"This page is a snapshot of {moment:%Y-%m-%d %H:%M} UTC."


def series(parts: Sequence[str]) -> str:
    """'a, b and c'."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else "none"
