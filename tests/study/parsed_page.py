"""A report as a program reads it: elements, scripts and plain text."""

from html.parser import HTMLParser

from plotly.offline import get_plotlyjs

from study.folder import StudyFolder
from study.page.document import page
from study.records import read_study

VOID = {"img", "br", "meta", "hr"}
PLOTLY = get_plotlyjs()


class Parsed(HTMLParser):
    """Elements with their attributes, scripts, plain text, and whether every element was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text.replace(PLOTLY, "plotly.js"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


def read(folder: StudyFolder) -> Parsed:
    return Parsed(page(read_study(folder)))
