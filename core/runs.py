"""Where studies lie when nothing else is said."""

from pathlib import Path

RUNS = Path("runs")


def default_runs() -> Path:
    """`runs` here; for a Ray job, whose working folder is a copy that Ray throws away, `runs` in the home folder."""
    return Path.home() / RUNS if "working_dir_files" in Path.cwd().parts else RUNS
