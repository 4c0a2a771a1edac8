"""Figures as files of their own: HTML that opens offline, JSON, and PNG and SVG where a browser can draw them."""

import json
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io
from plotly.offline import get_plotlyjs

from core.durable import beside, put, replacing

_LIBRARY = "plotly.min.js"
_WIDTH = 1000  # pixels of a static picture


def figures_of(page: str) -> dict[str, dict[str, Any]]:
    """Figures of a report's page by name: data, layout and config, as its script reads them."""
    reader = _Reader()
    reader.feed(page)
    return {name: json.loads(text) for name, text in reader.found.items()}


def write_figures(figures: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """Write every figure as HTML and JSON, and as PNG and SVG where that is possible. Returns what was written."""
    _write(folder / _LIBRARY, get_plotlyjs())
    for name, figure in figures.items():
        _write(folder / f"{name}.json", json.dumps({part: figure[part] for part in ("data", "layout")}))
        _write(folder / f"{name}.html", _alone(name, figure))
    pictures = _write_pictures(figures, folder)
    return f"{len(figures)} figures as HTML and JSON{pictures}"


def _write_pictures(figures: Mapping[str, Mapping[str, Any]], folder: Path) -> str:
    """Returns the end of the sentence: that there are pictures, or why not."""
    try:
        import kaleido  # noqa: F401
    except ModuleNotFoundError:
        return "; PNG and SVG need kaleido: python -m pip install kaleido"
    drawn = [_printed(figure) for figure in figures.values()]
    try:
        for kind in ("png", "svg"):
            paths = {name: folder / f"{name}.{kind}" for name in figures}
            unfinished = [beside(path).with_suffix(f".{kind}") for path in paths.values()]
            # All at once: a browser is started for each call.
            plotly.io.write_images(
                drawn, [str(path) for path in unfinished], format=kind, scale=2 if kind == "png" else 1
            )
            for made, path in zip(unfinished, paths.values(), strict=True):
                put(made, path)
    except Exception as error:  # noqa: BLE001  kaleido has no error of its own for a browser that is not there
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"; PNG and SVG need a Chrome that kaleido can start ({why})"
    return ", PNG and SVG"


def _printed(figure: Mapping[str, Any]) -> go.Figure:
    """On white, with a legend and margins as on the page."""
    traces = [trace | {"type": "scatter"} if trace["type"] == "scattergl" else trace for trace in figure["data"]]
    made = go.Figure({"data": traces, "layout": figure["layout"]}, skip_invalid=True)
    return made.update_layout(width=_WIDTH, paper_bgcolor="#ffffff", plot_bgcolor="#ffffff")


def _alone(name: str, figure: Mapping[str, Any]) -> str:
    content = json.dumps(figure, ensure_ascii=False).replace("<", "\\u003c").replace("&", "\\u0026")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(name)}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f'<script src="{_LIBRARY}"></script></head><body><div id="figure"></div>'
        f'<script type="application/json" id="data">{content}</script>'
        '<script>const {data, layout, config} = JSON.parse(document.getElementById("data").textContent);'
        'if (matchMedia("(prefers-color-scheme: dark)").matches) layout.font.color = "#e3e7ec";'
        'Plotly.newPlot("figure", data, layout, config);</script></body></html>\n'
    )


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class _Reader(HTMLParser):
    """Finds figures and the data beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._name: str | None = None
        self._reads = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "figure" and attributes.get("class") == "plot":
            self._name = attributes["data-name"]
        self._reads = tag == "script" and self._name is not None

    def handle_data(self, data: str) -> None:
        if self._reads and self._name is not None:
            self.found[self._name] = self.found.get(self._name, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._reads = False
        if tag == "figure":
            self._name = None
