"""One look for all figures: a colour and a symbol per mask shape, axes, and text that cannot carry markup.

Colours are close to Okabe and Ito's, told apart with every common colour blindness, and seen on white and on black;
symbols say the same without colour. The page's script sets the ink of all text for light, dark and print.
"""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go

GREY = "#80868f"
PALE = "rgba(128,134,143,0.28)"
ACCENT = "#d55e00"
SERIES = ("#1f86d0", "#dd8f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
"""Colours for series that are no mask shapes, in this order; beyond six, dashes and symbols tell them apart."""
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
_DASHES = ("dash", "dot", "dashdot", "longdash")


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


def series_looks(shapes: Sequence[str]) -> list[Series]:
    """A look for each of several series by mask shape, '' being the floor.

    The first of a shape is filled and solid, the next ones are hollow and dashed; the floor is a grey stroke.
    """
    found = []
    for index, shape in enumerate(shapes):
        before = list(shapes[:index]).count(shape)
        look = look_of(shape)
        if not shape:
            found.append(Series(GREY, "line-ns-open", _DASHES[before % len(_DASHES)]))
        elif before:
            found.append(Series(look.colour, f"{look.symbol}-open", _DASHES[(before - 1) % len(_DASHES)]))
        else:
            found.append(Series(*look, "solid"))
    return found


def shape_name(shape: str) -> str:
    """A mask shape as a legend entry."""
    return plain(shape) if shape else "unknown shape"


def plain(text: object) -> str:
    """Any text for a figure: plotly reads some HTML tags in titles, ticks and hover texts."""
    return escape(str(text))


def reach(estimate: float, low: float, high: float, colour: str, width: float = 2.5) -> dict[str, Any]:
    """An error bar from low to high around one estimate."""
    up, down = [max(high - estimate, 0.0)], [max(estimate - low, 0.0)]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": colour, "thickness": width}


def number(value: float | None, digits: int = 4) -> str:
    """A number for a hover text."""
    return "–" if value is None else f"{value:.{digits}g}"


def figure(traces: list[Any], *, x: str, y: str, height: int = 380, **layout: Any) -> go.Figure:
    """A figure with our axes; `x` and `y` are the titles, quantities with units or dotted names."""
    return dress(go.Figure(data=traces), x=x, y=y, height=height, **layout)


def dress(drawn: go.Figure, *, x: str, y: str, height: int = 380, **layout: Any) -> go.Figure:
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
