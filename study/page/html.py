"""HTML that is escaped by construction: text is text unless it is already `Html`."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go

CONFIG = {"showSendToCloud": False, "displaylogo": False, "responsive": True}
_PERCENT = re.compile(r"(?<=\d) %")  # '95 %', which no line breaks
_VOID = frozenset({"img", "br", "meta", "hr"})


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


Child = str | int | float | None


class Section(NamedTuple):
    """A part of the page. brief: its entry in the contents bar."""

    key: str
    brief: str
    title: str
    body: Html


def tag(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """An element. Children are escaped unless they are Html; `class_` and `data_x` become class and data-x."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after another."""
    return Html("".join(child if isinstance(child, Html) else _text(child) for child in children if child != ""))


def _text(child: Child) -> str:
    return _PERCENT.sub("\u00a0%", escape(str(child)))


def paragraphs(*sentences: Child) -> Html:
    """One paragraph each; empty ones are left out."""
    return join(*(tag("p", sentence) for sentence in sentences if sentence))


def code(text: object) -> Html:
    """A dotted name, a value or a command."""
    return tag("code", str(text))


def block(text: str) -> Html:
    """Text as it is: commands, TOML."""
    return tag("pre", tag("code", text))


def listing(items: Iterable[Child]) -> Html:
    """A bullet list."""
    return tag("ul", *(tag("li", item) for item in items))


def facts(items: Iterable[tuple[str, Child]]) -> Html:
    """Names with their values."""
    pairs = (join(tag("dt", name), tag("dd", value)) for name, value in items if value not in ("", None))
    return tag("dl", *pairs)


def table(
    head: Sequence[Child],
    rows: Sequence[Sequence[Child]],
    *,
    caption: Child = "",
    words: int = 1,
    marked: Collection[int] = (),
    muted: Collection[int] = (),
) -> Html:
    """A table that scrolls sideways when it must. words: how many columns at the left hold text, the rest numbers.

    marked, muted: indices of rows to be set off, or back.
    """
    kinds = ["words" if column < words else "number" for column in range(len(head))]
    top = tag(
        "tr",
        *(tag("th", cell, scope="col", class_=kind) for cell, kind in zip(head, kinds, strict=True)),
    )
    body = []
    for index, row in enumerate(rows):
        first, *rest = row
        cells = [tag("th", first, scope="row", class_=kinds[0])]
        cells += [tag("td", cell, class_=kind) for cell, kind in zip(rest, kinds[1:], strict=True)]
        look = "marked" if index in marked else "muted" if index in muted else None
        body.append(tag("tr", *cells, class_=look))
    parts = [tag("caption", caption) if caption else "", tag("thead", top), tag("tbody", *body)]
    return tag("div", tag("table", *parts), class_="scroll", tabindex=0)


def details(summary: Child, *children: Child) -> Html:
    """What is folded until it is asked for; printing unfolds it."""
    return tag("details", tag("summary", summary), *children)


def plot(figure: go.Figure, *, name: str, alt: str, caption: Child = "") -> Html:
    """A plotly figure with its words. The page's script draws it; its data cannot end the script element.

    name: unique within a study's report; the name of its file where figures are written as files.
    """
    described: dict[str, Any] = json.loads(figure.to_json(validate=False))
    height = int(figure.layout.height or 400)
    return tag(
        "figure",
        tag("div", role="group", aria_label=alt, class_="canvas", data_height=height, style=f"height:{height}px"),
        data(described | {"config": CONFIG}),
        tag("figcaption", caption) if caption else "",
        class_="plot",
        data_name=name,
    )


def data(value: Any, **attributes: str) -> Html:
    """Plain data for the page's script."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    content = content.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return tag("script", Html(content), type="application/json", **attributes)


def picture(source: str, *, alt: str, caption: Child) -> Html:
    """A static picture from a data: address."""
    return tag("figure", tag("img", src=source, alt=alt), tag("figcaption", caption), class_="picture")


def gallery(pictures: Sequence[Html]) -> Html:
    """Pictures in a grid."""
    return tag("div", *pictures, class_="gallery")
