"""--list: the studies of a folder, and the spaces that come with the project."""

from pathlib import Path

from rich.table import Table

from core.console import out
from core.errors import StudyError
from core.mirror import address, names
from study.folder import StudyFolder
from study.shipped_spaces import shipped, space_names
from study.standing import ago, standing


def tell_studies(runs: Path) -> None:
    """A line for each study of a folder, the one that moved last at the end."""
    found, damaged = [], []
    for name in names(runs):
        folder = StudyFolder(runs / name).fetch()
        if not folder.definition_file.is_file():
            continue
        try:
            found.append(standing(folder))
        except StudyError as mistake:
            damaged.append(str(mistake))
    if not found and not damaged:
        out.print(f"{address(runs)}: holds no study; python -m study.search begins one", markup=False)
        return
    table = Table("study", "state", "phase", "ended", "best trial", "last event", box=None)
    for one in sorted(found, key=lambda one: one.last or 0.0):
        phase = next(part for part in one.phases if part.name == one.phase)
        of = f"/{phase.total}" if phase.total is not None else ""
        best = f"{one.best[1]:.4f}" if one.best else ""
        table.add_row(
            one.folder.name, one.state, one.phase, f"{phase.ended}{of}", best, ago(one.last) if one.last else ""
        )
    out.print(f"studies in {address(runs)}", markup=False)
    out.print(table)
    for sentence in damaged:
        out.print(sentence, markup=False, style="yellow")


def tell_spaces() -> None:
    """The shipped spaces, each with the question that it opens with."""
    for ablations, program in ((False, "study.search"), (True, "study.ablation")):
        out.print(f"\npython -m {program} --space ...", markup=False)
        for name in space_names(ablations=ablations):
            out.print(f"  {name:<11} {question(name)}", markup=False)


def question(name: str) -> str:
    """The question of a shipped space: the comment that it opens with, on one line."""
    lines = shipped(name).read_text(encoding="utf-8").splitlines()
    words = [lines[0].removeprefix("# Question:").strip()]
    for line in lines[1:]:
        if not line.startswith("#  "):
            break
        words.append(line.removeprefix("#").strip())
    return " ".join(words)
