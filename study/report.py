"""Write the report of a study, or of several beside each other: one HTML file that opens anywhere, also in years.

Examples:
    python -m study.report                            the newest study
    python -m study.report runs/demo
    python -m study.report demo --out demo.html --figures pictures/
    python -m study.report demo mine yours            beside each other, into comparison.html
    python -m study.report mine --runs /shared/runs   where the search had it
    python -m study.report demo --watch --every 60    again whenever it moved on, until it is finished

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.console import out, run
from core.errors import BadConfig
from core.options import Runs

if TYPE_CHECKING:
    from study.records import StudyRecord

COMPARISON = Path("comparison.html")


def main(
    studies: Annotated[
        list[str] | None,
        typer.Argument(help="Names or folders of studies. Default: the newest.", metavar="[STUDY ...]"),
    ] = None,
    runs: Runs = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", help="File to write. Default: report.html in the study's folder; comparison.html for several."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="Also write every figure into this folder: HTML, JSON, and PNG and SVG. Default: none is."),
    ] = None,
    watched: Annotated[
        bool, typer.Option("--watch", help="Write it again whenever the study moved on, until it is finished.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="With --watch: seconds between two looks.")] = 30,
) -> None:
    """Write the report of a study, finished or not, or compare several."""
    from core.mirror import address, place
    from study.folder import StudyFolder, find_study
    from study.records import read_study
    from study.watching import watch

    names: list[str | None] = list(dict.fromkeys(studies or [])) or [None]
    if figures is not None and figures.exists() and not figures.is_dir():
        raise BadConfig(f"--figures {figures}: is a file, expected a folder")

    figures = place(figures) if figures else None
    root = place(runs) if runs else None

    def find() -> list[StudyFolder]:
        return [find_study(name, root) for name in names]

    if watched:
        out.print(f"looking every {every} s; Ctrl-C ends it", markup=False)
        watch(find, lambda records, last: _write(records, target, figures, 0 if last else every), every)
        out.print("finished: nothing more will be trained", markup=False)
    else:
        folders = find()
        chosen = "" if studies else ", the newest"
        records = [read_study(folder) for folder in folders]
        for record in records:
            told = f"{record.ended} of {len(record.trainings)} trainings ended"
            out.print(f"study {record.folder.name} in {address(record.folder.root)}{chosen}: {told}", markup=False)
        _write(records, target, figures, 0)


def _write(records: Sequence["StudyRecord"], target: Path | None, figures: Path | None, reload: int) -> None:
    from core.durable import replacing
    from core.mirror import address, place
    from study.page.document import comparing_page, page
    from study.page.files import figures_of, write_figures

    several = len(records) > 1
    path = place(target) if target else COMPARISON if several else records[0].folder.report
    content = comparing_page(records, reload=reload) if several else page(records[0], reload=reload)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    out.print(f"wrote {address(path)} ({path.stat().st_size / 1e6:.1f} MB)", markup=False)
    if figures is not None:
        for record in records:
            folder = figures / record.folder.name if several else figures
            drawn = figures_of(page(record) if several else content)
            out.print(f"wrote {write_figures(drawn, folder)} into {address(folder)}", markup=False)


if __name__ == "__main__":
    run(main)
