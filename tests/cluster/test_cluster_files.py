"""The files under cluster/: what can be known of them without the clusters that they are for."""

import os
import re
import shutil
import subprocess
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from tests.programs import LOOPBACK, descendants, listening

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())
PLACEHOLDER = re.compile(r"<[A-Z_]+>")

# The fields of ray.io/v1 and of pods that the file uses. The API server drops unknown ones without a word.
CONTAINER = {"name": str, "image": str, "resources": dict, "volumeMounts": list}
POD = {"containers": [CONTAINER], "volumes": list, "securityContext": dict}
TEMPLATE = {"spec": POD}
HEAD = {"rayStartParams": dict, "template": TEMPLATE}
WORKER = HEAD | {"groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int}
CLUSTER = {
    "rayVersion": str, "enableInTreeAutoscaling": bool, "authOptions": {"mode": str, "secretName": str},
    "autoscalerOptions": {"idleTimeoutSeconds": int}, "headGroupSpec": HEAD, "workerGroupSpecs": [WORKER],
}  # fmt: skip
JOB = {
    "entrypoint": str, "backoffLimit": int, "submissionMode": str, "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int, "rayClusterSpec": CLUSTER,
}  # fmt: skip


def strange(found: Any, known: Any, where: str = "spec") -> list[str]:
    """Paths of fields that are unknown or of another type."""
    if isinstance(known, dict) and isinstance(found, dict):
        unknown = [f"{where}.{name}" for name in found.keys() - known.keys()]
        return unknown + [
            p for name in found.keys() & known.keys() for p in strange(found[name], known[name], f"{where}.{name}")
        ]
    if isinstance(known, list) and isinstance(found, list):
        return [path for index, each in enumerate(found) for path in strange(each, known[0], f"{where}[{index}]")]
    return [] if isinstance(known, type) and type(found) is known else [where]


@pytest.fixture
def kuberay() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text()))


def test_the_ray_job_has_known_fields_alone(kuberay: list[dict[str, Any]]) -> None:
    _, job = kuberay
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert strange(job["spec"], JOB) == []
    typo = deepcopy(job["spec"])
    typo["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 4
    typo["backoffLimit"] = "20"
    assert sorted(strange(typo, JOB)) == ["spec.backoffLimit", "spec.rayClusterSpec.workerGroupSpecs[0].maxReplica"]


def test_the_ray_job_resumes_shares_and_is_guarded(kuberay: list[dict[str, Any]]) -> None:
    claim, job = kuberay
    cluster = job["spec"]["rayClusterSpec"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        mounted = pod["containers"][0]["volumeMounts"][0]["mountPath"]
        assert f"--runs {mounted}/" in job["spec"]["entrypoint"]
    assert job["spec"]["backoffLimit"] > 0


def test_rays_launcher_takes_the_aws_file() -> None:
    found = prepare_config(yaml.safe_load((FOLDER / "aws.yaml").read_text()))
    validate_config(found)
    assert found["available_node_types"]["head"]["resources"]["CPU"] == 0
    assert found["available_node_types"]["gpu"]["min_workers"] == 0
    assert found["available_node_types"]["gpu"]["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"
    for command in (found["head_start_ray_commands"][-1], found["worker_start_ray_commands"][-1]):
        assert command.startswith("RAY_AUTH_MODE=token ")
    assert "--dashboard-host=127.0.0.1" in found["head_start_ray_commands"][-1]


def test_what_is_written_on_aws_lies_in_folders_of_the_user() -> None:
    """The root of a new EFS belongs to root, and nobody else may write there."""
    config = yaml.safe_load((FOLDER / "aws.yaml").read_text())
    user, setup = config["auth"]["ssh_user"], config["setup_commands"]
    mount, made = (
        next(index for index, command in enumerate(setup) if words in command)
        for words in ("mount -t nfs4", f"install -d -o {user} -g {user} ")
    )
    assert mount < made
    theirs = setup[made].split(f"-g {user} ")[1].split()
    section = (FOLDER / "README.md").read_text().split("\n## AWS\n")[1].split("\n## ")[0]
    used = re.findall(r"/shared/[\w./]+", section.split("```")[1])
    assert len(used) == 3
    assert [path for path in used if not any(Path(path).is_relative_to(folder) for folder in theirs)] == []


def test_rays_launcher_refuses_a_wrong_provider() -> None:
    wrong = yaml.safe_load((FOLDER / "aws.yaml").read_text())
    wrong["provider"]["type"] = "awss"
    with pytest.raises(Exception, match="awss"):
        validate_config(prepare_config(wrong))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shell_scripts_are_sound(script: Path) -> None:
    assert os.access(script, os.X_OK)
    shellcheck = Path(sys.executable).with_name("shellcheck")
    for command in (["bash", "-n", script], [shellcheck, script]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert re.search(r"^ *export .*\bRAY_AUTH_MODE=token\b", text, re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_what_is_to_be_filled_in_is_explained_and_nothing_listens_to_the_world(file: Path) -> None:
    text, told = file.read_text(), (FOLDER / "README.md").read_text()
    assert {place for place in PLACEHOLDER.findall(text) if f"`{place}`" not in told} == set()
    assert "0.0.0.0" not in text


def test_commands_name_real_options() -> None:
    done = subprocess.run([sys.executable, "-m", "study.search", "--help"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"--[a-z-]+", done.stdout))
    found = 0
    for file in FILES:
        for command in re.findall(r"(?:study\.search|slurm\.sh) (--[^\n'`]*)", file.read_text()):
            options = set(re.findall(r"--[a-z-]+", command))
            assert options <= known, f"{file.name}: {options - known}"
            found += 1
    assert found >= 5


def test_rays_launcher_takes_the_file_for_machines_of_ones_own() -> None:
    found = prepare_config(yaml.safe_load((FOLDER / "onprem.yaml").read_text()))
    validate_config(found)
    assert found["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    for command in (found["head_start_ray_commands"][-1], found["worker_start_ray_commands"][-1]):
        assert "/cluster/onprem.sh " in command


@pytest.mark.skipif(not (ROOT / ".venv" / "bin" / "ray").exists(), reason="the script uses the project's own .venv")
def test_the_onprem_head_listens_on_loopback_with_a_token_of_its_owners(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_TMPDIR": f"/tmp/ray-{os.getpid()}"}
    head = subprocess.Popen(
        [FOLDER / "onprem.sh", "head", "--block", "--port=26379"], env=environment, cwd=tmp_path,
        start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline and not any(
            b"raylet" in command for command in descendants(head.pid).values()
        ):
            time.sleep(0.5)
        assert head.poll() is None, head.communicate()[0]
        found = listening(head.pid)
        assert found
        assert found <= LOOPBACK
        token = tmp_path / ".ray" / "auth_token"
        assert token.stat().st_mode & 0o077 == 0
    finally:
        os.killpg(head.pid, 15)
        head.wait(timeout=180)
        shutil.rmtree(environment["RAY_TMPDIR"], ignore_errors=True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["worker"], "worker needs the head's address"),
        (["dance"], "expected head"),
        ([], "expected head"),
        (["worker", "127.0.0.1"], "auth_token is missing"),
    ],
)
def test_the_onprem_script_refuses_in_one_sentence(words: list[str], told: str, tmp_path: Path) -> None:
    bare = {**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run([FOLDER / "onprem.sh", *words], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
