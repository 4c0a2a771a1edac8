"""An ablation's arms looked at: what they searched, how they converge, what each makes of the same test slices."""

from core.panels import Panels, read_panels
from study.figures.convergence import convergence_info, draw_convergence
from study.figures.methods import method_sheets, truth_sheet
from study.page.html import Html, Section, join, paragraphs, picture, plot, tag
from study.page.tuned import own_searches
from study.page.words import series
from study.records import StudyRecord, TrialRecord

TITLE = "Do the arms work"


def methods_section(record: StudyRecord) -> Section:
    """What each arm's search found, convergence of every arm, then a sheet of pictures for each."""
    return Section("arms", "Arms", TITLE, join(own_searches(record), _convergence(record), _panels(record)))


def trained_by_arm(record: StudyRecord) -> dict[str, list[TrialRecord]]:
    """The trainings of each arm under the common seeds; empty before there is a verdict."""
    found: dict[str, list[TrialRecord]] = {name: [] for name in record.arm_names.values()}
    for trial in record.replicates:
        name = record.arm_names.get(trial.params.get("trial", -1))
        if name is not None and trial.curve:
            found[name].append(trial)
    return {name: trials for name, trials in found.items() if trials}


def _convergence(record: StudyRecord) -> Html:
    info = [arm for arm in convergence_info(trained_by_arm(record)) if arm.points]
    if not info:
        return paragraphs("No arm is trained in full yet.")
    rising = [arm.name for arm in info if arm.still_rising]
    words = (
        f"Still rising by more than a tenth over the last quarter of the training: {series(rising)}. A longer training "
        "may change their place."
        if rising
        else "No arm's mean rose by more than a tenth over the last quarter of the training."
    )
    return join(
        tag("h3", "Convergence"),
        paragraphs(words),
        plot(
            draw_convergence(info, record.objective),
            name="convergence",
            alt=f"The objective of {len(info)} arms after every epoch. {words}",
            caption="Lines are means over the seeds, ribbons their range. A click on a name hides its arm.",
        ),
    )


def _panels(record: StudyRecord) -> Html:
    panels = read_panels(record.folder.retrained / "panels.npz")
    if record.untested or panels is None:
        return paragraphs(record.untested or "There is no panels.npz: core.train --best --again writes it anew.")
    return join(
        tag("h3", "The same slices through every arm"),
        paragraphs(
            "Chosen without looking at any arm: of up to five subjects the slice with the largest lesion, and the "
            "healthy slice with most tissue. Detectors are those of the first seed. Heat is clear at the median of an "
            "arm's own maps and bright at their highest 0.2 %, so brightness cannot be compared between arms. Arms "
            "that reconstruct show what they take the slice for; those that can draw slices show some of their own."
        ),
        _truth(panels),
        *(
            picture(
                sheet.picture,
                alt=f"{_name(sheet.name, record)} on the same slices, row by row: {', '.join(sheet.rows)}.",
                caption=f"{_name(sheet.name, record)}: {', '.join(sheet.rows)}",
            )
            for sheet in method_sheets(panels)
        ),
    )


def _name(name: str, record: StudyRecord) -> str:
    """core.train calls the best arm `winner`; here it has its own name too."""
    arm = record.best["verdict"].get("arm") if record.best else None
    return f"{arm}, the winner" if name == "winner" and arm else name


def _truth(panels: Panels) -> Html:
    subjects = ", ".join(panels.subject.tolist())
    return picture(
        truth_sheet(panels), alt=f"Test slices of {subjects}.", caption=f"The slices, and the truth: {subjects}"
    )
