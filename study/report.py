"""Write the report of a study: one HTML file that opens anywhere, also without a network and in years.

Examples:
    python -m study.report                            the newest study
    python -m study.report runs/demo
    python -m study.report demo --out demo.html

Exit codes: 0 done; 2 a mistake, told in one sentence; 130 stopped by Ctrl-C.
"""

from pathlib import Path
from typing import Annotated

import typer

from core.console import out, run
from core.durable import replacing
from core.mirror import address
from study.folder import find_study
from study.page.document import page
from study.records import read_study


def main(
    study: Annotated[str | None, typer.Argument(help="A study's name or folder. Default: the newest.")] = None,
    target: Annotated[
        Path | None, typer.Option("--out", help="File to write. Default: report.html in the study's folder.")
    ] = None,
) -> None:
    """Write the report of a study, finished or not."""
    folder = find_study(study)
    record = read_study(folder)
    trainings = len(record.trials) + len(record.replicates)
    chosen = "" if study else ", the newest"
    out.print(f"study {folder.name} in {address(folder.root)}{chosen}: {trainings} trainings", markup=False)
    path = target or folder.report
    content = page(record)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
    out.print(f"wrote {address(path)} ({path.stat().st_size / 1e6:.1f} MB)", markup=False)


if __name__ == "__main__":
    run(main)
