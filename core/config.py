"""The configuration of one training. `Config()` is the paper, section III.A; every departure is a visible value."""

import json
import re
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from core.detectors import Method, Segmenter
from core.errors import BadConfig, nearest
from core.losses import Combo
from core.strict import STRICT
from core.synthesis import Synthesis

ScoreName = Literal["mean", "top", "smooth_max", "foreground_mean", "foreground_top"]


@dataclass(frozen=True)
class Training:
    """The optimisation. The paper: Adam, 1e-4, 10 epochs, batches of 16; nothing else is described.

    schedule: learning rate over all steps, constant or a half cosine down to 0.
    averaging: decay of an exponential average of the weights, evaluated instead of them; 0 is off. Batch statistics
        are computed anew for the averaged weights.
    clip: largest gradient norm; 0 is off.
    precision: `auto` is bf16 autocast on a GPU that computes it and on a CPU that has tiles for it (AMX), else fp32.
    """

    epochs: Annotated[int, Ge(1), Le(100_000)] = 10
    batch: Annotated[int, Ge(1), Le(4096)] = 16
    learning_rate: Annotated[float, Gt(0), Le(1)] = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    averaging: Annotated[float, Ge(0), Lt(1)] = 0.0
    clip: Annotated[float, Ge(0)] = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT


@dataclass(frozen=True)
class Config:
    """Everything that decides a training besides data and seed.

    score: how an anomaly map becomes the slice's anomaly score; `mean` is the paper's.
    """

    synthesis: Synthesis = field(default_factory=Synthesis)
    detector: Annotated[Method, Field(discriminator="kind")] = field(default_factory=Segmenter)
    loss: Combo = field(default_factory=Combo)
    training: Training = field(default_factory=Training)
    score: ScoreName = "mean"

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT


_ADAPTER = TypeAdapter(Config)
# A member of a union keeps only its `kind` when another one is chosen.
_UNIONS = ("synthesis.mask", "detector")


def to_dict(config: Config) -> dict[str, Any]:
    """Plain, JSON-ready data; `from_dict` is its inverse."""
    return asdict(config)


def from_dict(data: object, where: str = "configuration") -> Config:
    """Validate plain data. Raises BadConfig naming the dotted path, the value and what was expected."""
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"] if not _is_tag(part, first["loc"]))
        value = "" if isinstance(first["input"], dict) else f" = {first['input']!r}"
        told = first["msg"].removeprefix("Value error, ")
        raise BadConfig(f"{where}: {path}{value}: {told}{_near(first)}") from None


def flatten(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'loss': {'alpha': 0.5}} becomes {'loss.alpha': 0.5}."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def override(config: Config, values: dict[str, Any], where: str = "configuration") -> Config:
    """Set values by dotted path, such as {'loss.alpha': 0.3}. Raises BadConfig with the nearest path for a typo.

    Choosing another `kind` of a union, such as synthesis.mask.kind, starts from that member's defaults.
    """
    data = to_dict(config)
    for path, value in sorted(values.items(), key=lambda item: not item[0].endswith(".kind")):
        parent, _, leaf = path.rpartition(".")
        if leaf == "kind" and parent in _UNIONS and _get(data, path) != value:
            _set(data, parent, {"kind": value})
            data = to_dict(from_dict(data, where))
            continue
        if path not in flatten(data):
            raise BadConfig(f"{where}: {path} = {value!r}: there is no such setting{nearest(path, flatten(data))}")
        _set(data, path, value)
    return from_dict(data, where)


def differences(config: Config, reference: Config | None = None) -> dict[str, Any]:
    """The settings in which a configuration departs from a reference, by default the paper."""
    base = flatten(to_dict(reference or Config()))
    return {path: value for path, value in flatten(to_dict(config)).items() if base.get(path) != value}


def _get(data: dict[str, Any], path: str) -> Any:
    for part in path.split("."):
        data = data.get(part, {})
    return data


def _set(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for part in parents:
        data = data[part]
    data[leaf] = value


def _near(error: ErrorDetails) -> str:
    """The nearest of the names that a union or a literal knows."""
    context = error.get("ctx", {})
    known = re.findall(r"'([^']+)'", str(context.get("expected_tags") or context.get("expected") or ""))
    return nearest(str(context.get("tag", error["input"])), known)


def _is_tag(part: int | str, loc: tuple[int | str, ...]) -> bool:
    """Pydantic puts the chosen kind of a union into the path; ours does not have it."""
    index = loc.index(part)
    return index > 0 and ".".join(map(str, loc[:index])) in _UNIONS


def parse_setting(text: str) -> tuple[str, Any]:
    """'loss.alpha=0.3' becomes ('loss.alpha', 0.3); values are JSON where they can be, else text. Raises BadConfig."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise BadConfig(f"--set {text!r}: expected dotted.path=value")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value
