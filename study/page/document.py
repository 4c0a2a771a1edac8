"""The whole page: sections in the order of a reader's questions, in one file that needs nothing else."""

from datetime import UTC, datetime
from importlib.resources import files

from plotly.offline import get_plotlyjs

from study.page.ablation import ablation_section, headline_of
from study.page.chosen import chosen_section
from study.page.html import Html, Section, tag
from study.page.methods import methods_section
from study.page.replicated import replicated_section
from study.page.searched import searched_section
from study.page.shown import shown_section
from study.page.spent import spent_section
from study.page.tested import tested_section
from study.page.troubles import troubles_section
from study.page.verdict import headline, verdict_section
from study.records import StudyRecord

# The browser itself refuses the network to this page. plotly compiles its WebGL drawing, hence the evaluation.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"
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


def page(record: StudyRecord, written: datetime | None = None) -> str:
    """The report as HTML. plotly.js is in it once; nothing is loaded from anywhere."""
    compares = record.compares_arms
    state, _ = headline_of(record.ablation) if compares else headline(record)
    sections = [section(record) for section in (OF_ABLATIONS if compares else SECTIONS)]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{record.folder.name}: {state.lower()}"),
        tag("style", _resource("page.css")),
    )
    body = tag(
        "body",
        tag("a", "To the verdict", href="#verdict", class_="skip"),
        _contents(record, sections),
        tag(
            "main", _title(record, written), *(_section(section) for section in sections), data_study=record.folder.name
        ),
        tag("script", Html(get_plotlyjs())),
        tag("script", _resource("page.js")),
        tag("script", _resource("selection.js")),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _contents(record: StudyRecord, sections: list[Section]) -> Html:
    links = (tag("a", section.brief, href=f"#{section.key}") for section in sections)
    return tag("nav", tag("strong", record.folder.name), *links, aria_label="Contents")


def _title(record: StudyRecord, written: datetime | None) -> Html:
    at = (written or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M UTC")
    ended = sum(trial.state.is_finished() for trial in (*record.trials, *record.replicates))
    what = "Ablation" if record.compares_arms else "Search over"
    about = f"{what} {record.definition.space_name}, {ended} trainings ended. Written {at} from {record.folder.root}."
    noscript = tag("noscript", tag("p", "The figures need JavaScript; tables, pictures and words do not."))
    return tag("header", tag("h1", f"Study {record.folder.name}"), tag("p", about, class_="about"), noscript)


def _section(section: Section) -> Html:
    heading = tag("h2", section.title, id=f"{section.key}-title")
    return tag("section", heading, section.body, id=section.key, aria_labelledby=f"{section.key}-title")


def _resource(name: str) -> Html:
    return Html(files("study.page").joinpath(name).read_text(encoding="utf-8"))
