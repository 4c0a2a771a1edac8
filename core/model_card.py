"""The model card beside a detector: what it is, on whom it was made, how it was chosen, what it can and cannot do.

Everything follows from best.json and evaluation.json; the same files give the same text. After Mitchell et al., Model
Cards for Model Reporting, 2019.
"""

import html
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import numpy as np

from core.config import Config, flatten, to_dict
from core.durable import replacing
from core.results import PAPER_SCORE, entry_label, postprocessing_words, smoothing_words

NAME = "MODEL_CARD.md"
_LICENCE = """\
The program that made it: {licence}. The weights: not stated; who trained them decides, and is bound by the terms of \
the training data."""
_USE = """\
Research on anomaly detection: ranking slices, or places in a slice, by how unlike the healthy training slices they \
are, on images of the same kind prepared in the same way. Not a medical device: not for diagnosis, triage, treatment, \
or any decision about a person."""
_LIMITS = """\
- It was trained on pseudo-outliers drawn by a program, not on lesions; what it marks is unusual, not necessarily ill.
- Figures hold for the test data below. Another scanner, sequence, population, or preparation was not measured.
- Pixel figures count the background as easy negatives; those within the tissue do not.
- Intervals are over test subjects and training seeds, and wider the fewer there are of either.
- The figures are means over all seeds; the weights in this folder are those of one."""


def write_card(folder: Path, best: dict[str, Any], evaluation: dict[str, Any]) -> Path:
    """Write MODEL_CARD.md into the detector's folder, from the contents of best.json and evaluation.json."""
    with replacing(folder / NAME) as temporary:
        temporary.write_text(model_card(best, evaluation), encoding="utf-8")
    return folder / NAME


def model_card(best: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """The card as Markdown. Whatever comes from files is text in it, never markup."""
    sections = [
        ("", f"# Anomaly detector of the study {text(best['study'])}\n\nNot a medical device."),
        ("Intended use", _USE),
        ("Limits", _LIMITS),
        (
            "Detector",
            f"{_told(best['config']['detector'])}. A slice becomes a map of logit differences, whose sigmoid is the "
            f"anomaly probability; the slice's anomaly score is `{code(best['config']['score'])}` of that map.\n\n"
            "Departures from the configuration of the paper (Deng & Li, section III.A):\n\n"
            + _departures(best["differences"]),
        ),
        ("Data", _data(best, evaluation)),
        ("How it was chosen", _choice(best, evaluation)),
        ("Results", _results(evaluation)),
        ("Provenance", _provenance(evaluation)),
        ("Licence", _LICENCE.format(licence=text(_licence()))),
    ]
    return "\n\n".join(f"## {title}\n\n{body}" if title else body for title, body in sections) + "\n"


def text(value: object) -> str:
    """Any value as plain text in Markdown: on one line, no HTML, no markup, and no link out of a bare address."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return (
        re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", html.escape(line, quote=False))
        .replace("://", ":&#47;/")
        .replace("www.", "www&#46;")
    )


def code(value: object) -> str:
    """Any value between backticks, in a table too."""
    return re.sub(r"[^\w.+\-/ ]", "", str(value))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _departures(differences: dict[str, Any]) -> str:
    if not differences:
        return "None."
    paper = flatten(to_dict(Config()))
    rows = [
        (f"`{code(path)}`", _plain(value), _plain(paper[path]) if path in paper else "-")
        for path, value in differences.items()
    ]
    return _table(("setting", "here", "paper"), rows)


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def _data(best: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """One row per role; then what each table records of its making, where evaluation.json holds it."""
    recorded = evaluation.get("tables") or {"test": evaluation["test"] or {}}  # of before it held all tables
    rows, about = [], []
    for role, reference in best["tables"].items():
        if reference is None:
            rows.append((role, "none", "-", "-"))
            continue
        told = recorded.get(role, {})
        subjects = str(len(best["subjects"].get(role, [])))
        rows.append((role, subjects, text(told.get("slices", "not recorded")), f"`{code(reference['digest'])}`"))
        made = (f"{name} ({_told(told[name])})" for name in ("source", "preprocessing") if told.get(name))
        about.append(f"- {role}: {'; '.join(made) or 'source and preprocessing are not recorded'}")
    note = (
        "A subject has one role. The slices of the training table include those of the probe's subjects, which are not "
        "trained on."
    )
    return "\n\n".join([_table(("role", "subjects", "slices", "digest of the table"), rows), note, "\n".join(about)])


def _told(values: dict[str, Any]) -> str:
    """`name value, ...`; of lists, such as subjects, only how many."""
    words = []
    for name, value in values.items():
        if isinstance(value, list | dict):
            words.append(f"{len(value)} {text(name)}")
        elif value is not None:
            words.append(f"{text(name)} {_plain(value)}")
    return ", ".join(words)


def _choice(best: dict[str, Any], evaluation: dict[str, Any]) -> str:
    objective, shipped = best["objective"], evaluation["shipped"]
    families = f" ({', '.join(map(text, objective['families']))})" if objective.get("families") else ""
    rule = f" ({text(shipped['rule'])})" if shipped["rule"] else ""
    return "\n\n".join(
        [
            f"Objective: {text(objective['text'])}{families}.",
            f"Verdict: {text(best['verdict']['sentence'])}",
            f"Trained under the seeds {', '.join(map(text, best['seeds']))}; these weights are those of seed "
            f"{text(shipped['seed'])}{rule}.",
        ]
    )


def _results(evaluation: dict[str, Any]) -> str:
    test = evaluation["test"]
    if test is None:
        return "Not tested: the study names no test table."
    opened = f", opened {test['opened']} times" if test.get("opened", 1) > 1 else ""
    intro = (
        f"Test: {len(test['subjects'])} subjects, {text(test['slices'])} slices, {text(test['anomalous_slices'])} of "
        f"them with an anomaly{opened}. Mean over seeds with 95 % intervals over subjects and seeds. Rows "
        "below the winner are controls that were trained alike, then the floor, which needs no training. "
        f"{smoothing_words(evaluation['entries'])}"
    )
    first = evaluation["entries"][0]
    scores = dict.fromkeys((PAPER_SCORE, str(first["config"]["score"])))
    columns = {"pixel": "pixel", "within tissue": "tissue"} | {f"sample, {name}": f"sample.{name}" for name in scores}
    parts = [intro.rstrip()]
    if steps := postprocessing_words(evaluation["entries"]):
        parts.append(
            f"{text(steps)} The row of that name is the winner's own maps after it. The weights in this folder give "
            "the raw map, that of the row `winner`."
        )
    for title, figure in (("AUROC", "auroc"), ("average precision", "average_precision")):
        rows = [
            (_entry_name(entry), *(_interval(entry["intervals"].get(f"{key}.{figure}")) for key in columns.values()))
            for entry in evaluation["entries"]
        ]
        parts.append(_table((title, *map(text, columns)), rows))
    parts.append(f"Against the floor: {text(evaluation['floor_verdict']['sentence'])}")
    dice = [value for value in first["dice"] if value is not None]
    if dice:
        parts.append(f"Dice of the winner at the threshold that is best on the probe: {np.mean(dice):.3f}.")
    families = sorted(
        {key.split(".", 1)[1].rpartition(".")[0] for key in first["figures"][0] if key.startswith("family.")}
    )
    if families:
        rows = [
            (
                text(name),
                *(_mean(first["figures"], f"family.{name}.{which}") for which in ("auroc", "average_precision")),
            )
            for name in families
        ]
        parts.append(_table(("lesion family, winner", "pixel AUROC", "pixel average precision"), rows))
    return "\n\n".join(parts)


def _entry_name(entry: dict[str, Any]) -> str:
    return text(entry_label(entry))


def _interval(found: dict[str, Any] | None) -> str:
    return f"{found['estimate']:.3f} ({found['low']:.3f} to {found['high']:.3f})" if found else "-"


def _mean(runs: list[dict[str, float]], name: str) -> str:
    values = [run[name] for run in runs if name in run]
    return f"{np.mean(values):.3f}" if len(values) == len(runs) else "-"


def _provenance(evaluation: dict[str, Any]) -> str:
    told = dict(evaluation["provenance"])
    packages = ", ".join(f"{text(name)} {text(version or '-')}" for name, version in told.pop("packages").items())
    rest = "\n".join(f"- {text(name)}: {text('not known' if value is None else value)}" for name, value in told.items())
    return f"- packages: {packages}\n{rest}"


def _licence() -> str:
    """As the package's metadata states it."""
    try:
        found = metadata("pseudo-outlier-study").json
    except PackageNotFoundError:
        return "not known"
    return str(found.get("license_expression") or found.get("license") or "not known")
