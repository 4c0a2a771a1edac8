"""Every program teaches: its examples are right, its defaults and exit codes are told, and it answers at once."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from core.command import application
from study.cluster import GPU_SHARE

ROOT = Path(__file__).parents[1]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
PROGRAMS = sorted(name.replace("-", ".") for name in SCRIPTS)


def _command(program: str) -> Any:
    return get_command(application(import_module(program).main, completes=False))


def _help(program: str) -> str:
    shown = CliRunner().invoke(
        application(import_module(program).main, completes=False), ["--help"], terminal_width=110
    )
    assert shown.exit_code == 0, shown.output
    return shown.output


def _examples(program: str) -> list[list[str]]:
    """The words of each example of this program; what stands two blanks behind it explains it."""
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in _help(program).splitlines() if " -m " in line]
    found = [shlex.split(line) for line in lines if f"python -m {program}" in line]
    return [words[words.index("-m") + 2 :] for words in found]


@pytest.mark.parametrize("program", ["study.search", "study.ablation"])
def test_help_tells_the_share_of_a_gpu_that_a_trial_gets(program: str) -> None:
    assert f"GPUs of one trial. Default: {GPU_SHARE:g} where there are any." in _help(program)


def test_every_program_has_a_console_name() -> None:
    sources = [*(ROOT / "core").glob("*.py"), *(ROOT / "study").glob("*.py")]
    programs = {f"{path.parent.name}.{path.stem}" for path in sources if "if __name__" in path.read_text()}
    assert programs - {"core.mood"} == set(PROGRAMS)  # the challenge's own entry is called by its scripts
    assert set(SCRIPTS.values()) == {"core.console:named"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_holds_examples_and_exit_codes(program: str) -> None:
    text = _help(program)
    assert _examples(program)
    codes = " ".join(text.split("Exit codes: ")[1].split())
    assert {int(code) for code in re.findall(r"(?:^|; )(\d+) ", codes)} >= {0, 2, 130}
    assert ("3 some were skipped" in codes) == (program == "core.predict")
    assert "\x1b" not in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_examples_name_options_that_exist_and_can_be_parsed(program: str) -> None:
    command = _command(program)
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    for words in _examples(program):
        assert {word for word in words if word.startswith("-")} <= options, words
        command.make_context(program, list(words))  # raises when typer would refuse the line


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_option_tells_what_happens_without_it(program: str) -> None:
    for parameter in _command(program).params:
        if getattr(parameter, "is_flag", False) or parameter.required or parameter.name == "help":
            continue
        told = parameter.default not in (None, ()) or "Default: " in (parameter.help or "")
        assert told or "may be repeated" in parameter.help, f"{program} {parameter.name}: {parameter.help}"


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "study.report"])
def test_options_stand_in_groups(program: str) -> None:
    headings = re.findall(r"^(\S.*):$", _help(program), re.MULTILINE)
    assert headings[-1] == "Examples"
    assert "Options" in headings
    if len(_command(program).params) > 4:
        assert len(headings) >= 4, headings


def test_one_thing_has_one_name_and_one_help_everywhere() -> None:
    """Options that several programs have mean the same in each, or say in what they differ."""
    seen: dict[str, set[str]] = {}
    for program in PROGRAMS:
        for parameter in _command(program).params:
            if parameter.param_type_name == "option" and not getattr(parameter, "is_flag", False):
                seen.setdefault(parameter.opts[0], set()).add(str(parameter.metavar))
    told = {name: kinds for name, kinds in seen.items() if len(kinds) > 1}
    # --out names what a program writes: a table, a file or a folder.
    assert set(told) <= {"--out"}, told


def test_help_and_completion_answer_without_loading_what_they_do_not_need() -> None:
    code = (
        "import sys; from importlib import import_module; from typer.main import get_command; "
        "from core.command import application\n"
        f"for program in {PROGRAMS}:\n"
        "    get_command(application(import_module(program).main, completes=True))\n"
        "print([m for m in ('torch', 'ray', 'optuna', 'pandas', 'scipy', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def console_name(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """study-search as pip would write it, whether or not the project is installed here."""
    path = tmp_path_factory.mktemp("bin") / "study-search"
    path.write_text(f"#!{sys.executable}\nfrom core.console import named\nnamed()\n")
    path.chmod(0o755)
    return path


def _run(command: Path, *words: str, **environment: str) -> str:
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False, env=known, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_console_name_completes_options_and_spaces(console_name: Path) -> None:
    script = _run(console_name, "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "complete -o default -F _study_search_completion study-search" in script
    completing = {"_STUDY_SEARCH_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    options = _run(console_name, COMP_WORDS="study-search --", **completing).split()
    assert {"--space", "--dry-run", "--list", "--status", "--log", "--cpus-per-trial"} <= set(options)
    spaces = _run(console_name, **{**completing, "COMP_WORDS": "study-search --space ", "COMP_CWORD": "2"}).split()
    assert {"demo", "everything"} <= set(spaces)
    assert "shapes" not in spaces  # an ablation
