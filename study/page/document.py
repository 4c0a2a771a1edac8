"""The whole page: sections in the order of a reader's questions, in one file that needs nothing else."""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from plotly.offline import get_plotlyjs

from study.page.ablation import ablation_section, headline_of
from study.page.chosen import chosen_section
from study.page.compared import compared, comparison
from study.page.html import Html, Section, tag
from study.page.methods import methods_section
from study.page.replicated import replicated_section
from study.page.searched import searched_section
from study.page.shown import shown_section
from study.page.spent import spent_section
from study.page.tested import tested_section
from study.page.troubles import troubles_section
from study.page.verdict import headline, verdict_section
from study.page.words import count, series
from study.records import StudyRecord

# The browser itself refuses the network to this page. plotly compiles its WebGL drawing, hence the evaluation.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
_CLOCK = "%Y-%m-%d %H:%M UTC"
_NOSCRIPT = tag("noscript", tag("p", "The figures need JavaScript; tables, pictures and words do not."))
SECTIONS = (
    verdict_section,
    tested_section,
    replicated_section,
    searched_section,
    shown_section,
    chosen_section,
    spent_section,
    troubles_section,
)
OF_ABLATIONS = (
    ablation_section,
    tested_section,
    methods_section,
    shown_section,
    chosen_section,
    spent_section,
    troubles_section,
)


def page(record: StudyRecord, reload: int = 0) -> str:
    """The report as HTML. plotly.js is in it once; nothing is loaded from anywhere.

    reload: seconds after which the page reads itself anew, while its study is watched; 0 for never.
    """
    state, _ = headline_of(record.ablation) if record.compares_arms else headline(record)
    sections = sections_of(record)
    links = [(section.brief, section.key) for section in sections]
    body = (_title(record), *(_section(section) for section in sections))
    name = record.folder.name
    return _whole(f"{name}: {state.lower()}", name, links, tag("main", *body, data_study=name), reload)


def comparing_page(records: Sequence[StudyRecord], reload: int = 0) -> str:
    """Several studies side by side, with each one's sections folded below."""
    studies = compared(records)
    names, first = series([one.name for one in studies]), comparison(studies)
    at = datetime.now(UTC).strftime(_CLOCK)
    folded = [
        tag(
            "details",
            tag("summary", tag("h2", f"Study {one.name}: {one.headline[0].lower()}")),
            *(_section(section, one.key) for section in sections_of(one.record)),
            class_="study",
            data_study=one.name,
        )
        for one in studies
    ]
    title = f"{count(len(studies), 'study', 'studies')} compared"
    header = tag("header", tag("h1", title), tag("p", f"{names}. Written {at}.", class_="about"), _NOSCRIPT)
    links = [(section.brief, section.key) for section in first]
    links += [(one.name, f"{one.key}verdict") for one in studies]
    body = tag("main", header, *(_section(section) for section in first), *folded)
    return _whole(f"{title}: {names}", title, links, body, reload)


def sections_of(record: StudyRecord) -> list[Section]:
    """Every section of a study's report."""
    return [section(record) for section in (OF_ABLATIONS if record.compares_arms else SECTIONS)]


def _whole(title: str, name: str, links: Sequence[tuple[str, str]], main: Html, reload: int) -> str:
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _resource("page.css")),
    )
    body = tag(
        "body",
        tag("a", "To the verdict", href=f"#{links[0][1]}", class_="skip"),
        tag(
            "nav",
            tag("strong", name),
            *(tag("a", brief, href=f"#{key}") for brief, key in links),
            aria_label="Contents",
        ),
        main,
        tag("script", Html(get_plotlyjs())),
        tag("script", _resource("page.js")),
        tag("script", _resource("selection.js")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en', data_reload=reload or None)}\n"


def _title(record: StudyRecord) -> Html:
    at = record.read.strftime(_CLOCK)
    what = "Ablation" if record.compares_arms else "Search over"
    ended = f"{count(record.ended, 'training')} ended"
    about = f"{what} {record.definition.space_name}, {ended}. Written {at} from {record.folder.root}."
    return tag("header", tag("h1", f"Study {record.folder.name}"), tag("p", about, class_="about"), _NOSCRIPT)


def _section(section: Section, prefix: str = "") -> Html:
    key = f"{prefix}{section.key}"
    heading = tag("h2", section.title, id=f"{key}-title")
    return tag("section", heading, section.body, id=key, aria_labelledby=f"{key}-title")


def _resource(name: str) -> Html:
    return Html(files("study.page").joinpath(name).read_text(encoding="utf-8"))
