"""One look for all figures: a colour and a symbol per mask shape, axes, and text that cannot carry markup.

Colours are close to Okabe and Ito's, told apart with every common colour blindness, and seen on white and on black;
symbols say the same without colour. The page's script sets the ink of all text for light, dark and print.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from core.results import POSTPROCESSED

GREY = "#80868f"
PALE = "rgba(128,134,143,0.28)"
ACCENT = "#d55e00"
SERIES = ("#1f86d0", "#dd8f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
"""Colours for series that are no mask shapes, in this order."""
WEBGL_ABOVE = 2000  # points: above this many, SVG makes a page slow
HOLLOW = 1.6  # pixels, the stroke of a hollow symbol: at full strength, or it is lost on black
PALE_LINE = 0.7  # opacity of what was stopped: behind the others, and still seen on black
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


class Look(NamedTuple):
    """How one mask shape is drawn in every figure."""

    colour: str
    symbol: str


SHAPES = {
    "brush": Look("#1f86d0", "diamond"),
    "circle": Look("#dd8f00", "circle"),
    "square": Look("#009e73", "square"),
    "ellipse": Look("#cc79a7", "triangle-up"),
    "blob": Look("#56b4e9", "pentagon"),
    "free-form": Look("#d55e00", "star"),
    "polygon": Look("#8f7ee0", "hexagram"),
}
_MORE = [Look("#cc79a7", "triangle-down"), Look("#56b4e9", "star-diamond"), Look("#d55e00", "x")]
_NONE = Look(GREY, "cross")
_SYMBOLS = ("diamond", "circle", "square", "triangle-up", "star", "pentagon")
_DASHES = ("dash", "dot", "dashdot", "solid", "2px,7px", "12px,3px,3px,3px,3px,3px")  # unlike in a legend's short key
_ALIKE = 2  # series of one shape that are told apart by filled and hollow; more of them have colours of their own


def look_of(shape: str) -> Look:
    """The look of a mask shape; shapes that this file does not name share the remaining colours, '' is grey."""
    if not shape:
        return _NONE
    return SHAPES.get(shape) or _MORE[sum(shape.encode()) % len(_MORE)]


class Series(NamedTuple):
    """How one of several series is drawn: the look of its mask shape, and what sets it apart from others of it."""

    colour: str
    symbol: str
    dash: str


def series_looks(shapes: Mapping[str, str]) -> dict[str, Series]:
    """A look for each of several series, {name: mask shape}, '' being the floor.

    The first of a shape is filled and solid, a second one hollow and dotted. Where more share a shape, it would tell
    nothing apart: each series then has a colour and a symbol of its own. The winner post-processed is the winner,
    dashed. The floor is a grey stroke.
    """
    trained = {name: shape for name, shape in shapes.items() if shape and name != POSTPROCESSED}
    floors = [name for name, shape in shapes.items() if not shape]
    counted = [*trained.values()]
    own = any(counted.count(shape) > _ALIKE for shape in counted)
    found = {name: Series(GREY, "line-ns-open", _DASHES[index % len(_DASHES)]) for index, name in enumerate(floors)}
    for index, (name, shape) in enumerate(trained.items()):
        look = Look(SERIES[index % len(SERIES)], _SYMBOLS[index % len(SERIES)]) if own else look_of(shape)
        again = index >= len(SERIES) if own else shape in counted[:index]
        found[name] = Series(look.colour, f"{look.symbol}-open", "dot") if again else Series(*look, "solid")
    if POSTPROCESSED in shapes and trained:
        first = found[next(iter(trained))]
        found[POSTPROCESSED] = Series(first.colour, f"{first.symbol}-open-dot", "dash")
    return found


_ENDS = {TrialState.COMPLETE: "", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed"}


def end_of(state: TrialState) -> str:
    """How a trial ended; '' at full budget."""
    return _ENDS.get(state, "unfinished")


def shape_name(shape: str, end: str = "") -> str:
    """A mask shape, and how its trials ended, as a legend entry."""
    return (plain(shape) if shape else "unknown shape") + (f", {end}" if end else "")


def plain(text: object) -> str:
    """Any text for a figure: plotly reads some HTML tags in titles, ticks and hover texts."""
    return escape(str(text))


def reach(estimate: float, low: float, high: float, colour: str) -> dict[str, Any]:
    """An error bar from low to high around one estimate."""
    up, down = [max(high - estimate, 0.0)], [max(estimate - low, 0.0)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": 2.5}


def number(value: float | None, digits: int = 4) -> str:
    """A number for a hover text."""
    return "–" if value is None else f"{value:.{digits}g}"


def figure(traces: list[Any], *, x: str, y: str, height: int = 380, **layout: Any) -> go.Figure:
    """A figure with our axes; `x` and `y` are the titles, quantities with units or dotted names."""
    return dress(go.Figure(data=traces), x=x, y=y, height=height, **layout)


def dress(drawn: go.Figure, *, x: str, y: str, height: int, **layout: Any) -> go.Figure:
    """Give a figure, with one panel or several, our look."""
    drawn.update_layout(**_layout(height))
    drawn.update_xaxes(title_text=x, **AXIS)
    drawn.update_yaxes(title_text=y, **AXIS)
    return drawn.update_layout(**layout)


AXIS: dict[str, Any] = {
    "showline": True,
    "linecolor": PALE,
    "gridcolor": PALE,
    "zeroline": False,
    "ticks": "outside",
    "tickcolor": PALE,
    "automargin": True,
    "title_standoff": 8,
    "title_font_size": 12.5,
}


def _layout(height: int) -> dict[str, Any]:
    return {
        "template": "none",
        "height": height,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": "#1c2128"},
        "margin": {"l": 60, "r": 16, "t": 62, "b": 52},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemsizing": "constant"},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}},
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)",
            "color": GREY,
            "activecolor": ACCENT,
            "remove": ["select2d", "lasso2d"],
        },
        "dragmode": "zoom",
    }
