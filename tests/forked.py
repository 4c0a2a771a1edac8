"""Programs as processes of their own, forked from one that has imported torch and its like once and does nothing else.

`python -m MODULE` spends four seconds on imports, more than most programs that tests start spend on their work. A start
here differs in that alone; tests of starting itself, of signals and of what Python reads when it starts use `python`.
"""

import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

# Only what knows nothing of the environment: Ray reads it when it is imported.
IMPORTED = [
    "torch", "pandas", "scipy.ndimage", "scipy.stats", "sklearn.metrics", "cv2", "optuna",
    "pyarrow.parquet", "nibabel", "pydantic", "rich.progress", "typer",
]  # fmt: skip

_forking = get_context("forkserver")
_forking.set_forkserver_preload(IMPORTED)


def run(
    module: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], seconds: float = 500
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run([python, "-m", module, *arguments], cwd=cwd, env=env, capture_output=True)` returns."""
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        written = out.name, err.name
        process = _forking.Process(target=_program, args=(module, list(arguments), str(cwd), dict(env), *written))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module, *arguments], seconds)
        return subprocess.CompletedProcess([module, *arguments], process.exitcode, out.read(), err.read())


def _program(module: str, arguments: list[str], cwd: str, env: dict[str, str], *outputs: str) -> None:
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
