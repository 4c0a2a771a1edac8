"""How many trials fit a cluster, and what every node must see."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.exceptions import AuthenticationError, TaskUnschedulableError

from core.errors import BadStudy
from study import cluster
from study.cluster import Cluster

ROOT = Path(__file__).parents[2]


Resources = dict[str, float]
HEAD: Resources = {"memory": 2**34}  # of no CPUs, as Ray tells of it


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the nodes that Ray tells of, beside one that has gone; joined: whether the cluster is somebody else's."""

    def have(*resources: Resources, joined: bool = False) -> None:
        found = [{"Alive": True, "Resources": one} for one in resources]
        monkeypatch.setattr(ray, "nodes", lambda: [*found, {"Alive": False, "Resources": {}}])
        if joined:
            monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return have


@pytest.mark.parametrize(
    ("have", "cpus", "gpus", "concurrent", "expected"),
    [
        ([{"CPU": 8}], 1, None, None, (0.0, 8)),
        ([{"CPU": 8}], 3, None, None, (0.0, 2)),
        ([{"CPU": 8}], 1, None, 3, (0.0, 3)),
        ([{"CPU": 8}], 3, None, 64, (0.0, 2)),
        ([{"CPU": 16, "GPU": 2}], 1, None, None, (0.25, 8)),
        ([{"CPU": 16, "GPU": 2}], 1, 0.5, None, (0.5, 4)),
        ([{"CPU": 16, "GPU": 1}], 1, 0.1, None, (0.1, 10)),
        ([{"CPU": 16, "GPU": 4}], 1, 0.4, None, (0.4, 8)),  # two on each: a share lies on one GPU
        ([{"CPU": 16, "GPU": 5}], 1, 2, None, (2, 2)),
        ([{"CPU": 4, "GPU": 8}], 2, 0.25, None, (0.25, 2)),
        ([{"CPU": 16, "GPU": 2}], 1, 0, None, (0, 16)),
        ([HEAD, {"CPU": 3}, {"CPU": 5}], 2, None, None, (0.0, 3)),
        ([HEAD | {"GPU": 1}, {"CPU": 4}], 1, None, None, (0.0, 4)),
        ([{"CPU": 4}, {"CPU": 4, "GPU": 1}], 1, None, None, (0.25, 4)),
    ],
)
def test_trials_are_packed(
    have: list[Resources], cpus: int, gpus: float | None, concurrent: int | None, expected: tuple[float, int],
    nodes: Callable[..., None],
) -> None:  # fmt: skip
    nodes(*have)
    found = Cluster(cpus, gpus, concurrent, None, [])._fitting()
    assert (found.gpus, found.count) == expected


def test_a_cluster_that_grows_may_begin_without_a_node_that_fits(nodes: Callable[..., None]) -> None:
    nodes(HEAD, joined=True)
    found = Cluster(1, 1, 64, None, [])._fitting()
    assert (found.gpus, found.count) == (1, 64)


@pytest.mark.parametrize(
    ("have", "gpus", "concurrent", "warned"),
    [
        ([HEAD], None, 8, True),
        ([HEAD, {"CPU": 4}], None, 8, True),
        ([HEAD], 0.5, 8, False),
        ([HEAD], 0, 8, False),
        ([{"CPU": 4, "GPU": 1}], None, 8, False),
        ([{"CPU": 4}], None, None, False),
    ],
)
def test_trials_that_no_later_gpu_will_serve_are_warned_of(
    have: list[Resources], gpus: float | None, concurrent: int | None, warned: bool, nodes: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    nodes(*have, joined=True)
    Cluster(1, gpus, concurrent, None, [])._fitting()
    said = capsys.readouterr().err
    assert said.startswith("no node that runs trials has a GPU now, so trials run on CPUs") == warned
    assert ("--gpus-per-trial SHARE" in said) == warned
    assert len(said.splitlines()) == warned


def test_a_machine_too_busy_for_ray_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray raises a plain Exception then; any other one stays what it is."""

    def refuse(**_: Any) -> None:
        raise failure

    monkeypatch.setattr(ray, "init", refuse)
    failure = Exception("The current node timed out during startup. This could happen because ...")
    with pytest.raises(BadStudy, match="Ray did not start in time"), cluster._connected():
        pass
    failure = Exception("something else")
    with pytest.raises(Exception, match="something else"), cluster._connected():
        pass


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionError("Could not reach it.\nMore"),
        AuthenticationError("no token was found. To generate"),
        ValueError("Invalid address format: 10.0.0.1"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_one_sentence(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise failure

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.setattr(cluster, "_require_answer", lambda _: None)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(BadStudy, match=r"RAY_ADDRESS=10.0.0.1:6379: .*; expected that of a running cluster, and"):
        _ = Cluster(1, None, None, None, []).slots


def test_nodes_that_have_gone_are_not_counted(
    nodes: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes(HEAD, {"CPU": 2}, joined=True)
    monkeypatch.setattr(ray, "init", lambda **_: None)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    monkeypatch.setattr(cluster, "_require_answer", lambda _: None)
    with cluster._connected():
        assert capsys.readouterr().out == "running on the Ray cluster: 2 node(s), 2 CPUs, 0 GPUs\n"


def test_a_cluster_that_is_not_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ray, "init", lambda **_: asked.append("Ray"))
    monkeypatch.setattr(cluster, "ANSWER", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        cluster._require_answer(address)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BadStudy, match=rf"RAY_ADDRESS={address}: Connection refused; expected that of a running"):
        _ = Cluster(1, None, None, None, []).slots
    with pytest.raises(BadStudy, match=r"RAY_ADDRESS=127.0.0.1:99999: .*; expected that of a running cluster"):
        cluster._require_answer("127.0.0.1:99999")
    for other in ("auto", "nonsense", "[::1]"):
        cluster._require_answer(other)
    for other in ("ray://10.0.0.1:10001", "http://127.0.0.1:8265"):
        with pytest.raises(
            BadStudy, match=rf"RAY_ADDRESS={other}: .* through \w+://; expected HOST:PORT, .* job submit"
        ):
            cluster._require_answer(other)
    assert not asked


@pytest.mark.parametrize("told", [None, "", "local"])
def test_a_cluster_of_ones_own_is_never_somebody_elses(told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def remember(**options: Any) -> None:
        asked.update(options)
        raise ConnectionError("enough")

    monkeypatch.setattr(ray, "init", remember)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if told is not None:
        monkeypatch.setenv("RAY_ADDRESS", told)
    with pytest.raises(ConnectionError):
        _ = Cluster(1, None, None, None, []).slots
    assert asked["address"] == "local"


@pytest.mark.parametrize(("told", "switch"), [("", "0"), ("local", "0"), ("10.0.0.1:6379", "None")])
def test_a_cluster_of_ones_own_is_told_to_stay_on_loopback(told: str, switch: str) -> None:
    """That the switch keeps it there is seen where a whole study runs; Ray reads it when it is imported."""
    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    environment = {key: value for key, value in os.environ.items() if key != name} | {"RAY_ADDRESS": told}
    code = f"import os, study.cluster; print(os.environ.get({name!r}))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == switch


def test_trials_share_memory_where_they_have_a_limit(nodes: Callable[..., None]) -> None:
    nodes({"CPU": 8, "memory": 10 * 2**30})
    found = Cluster(1, None, None, None, [], 3 * 2**30)._fitting()
    assert (found.count, found.resources()) == (3, {"cpu": 1, "gpu": 0, "memory": 3 * 2**30})
    with pytest.raises(BadStudy, match=r"1 CPUs and 0 GPUs and 11\.0 GiB, and no node has as much: .* and 10\.0 GiB"):
        Cluster(1, None, None, None, [], 11 * 2**30)._fitting()


def test_four_trials_at_a_time_on_one_gpu_and_none_sees_it_that_takes_none(tmp_path: Path) -> None:
    """A logical GPU, so that this needs none."""
    home = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("packing.py")), str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    spans = [(trial["began"], trial["ended"]) for trial in found["quarters"]]
    at_once = max(sum(began <= moment < ended for began, ended in spans) for moment, _ in spans)
    assert (found["count"], len(spans), at_once) == (4, 8, 4)
    assert {trial["gpus"] for trial in found["quarters"]} == {"0"}
    assert [trial["gpus"] for trial in found["none"]] == ["", ""]
    assert found["unused"] == 0  # of 8 CPUs


@pytest.mark.parametrize("concurrent", [None, 1])
def test_a_trial_that_fits_nowhere_is_told_what_there_is(concurrent: int | None, nodes: Callable[..., None]) -> None:
    """Also with --concurrent: a cluster of one's own never grows."""
    nodes({"CPU": 2})
    with pytest.raises(BadStudy, match=r"asks for 4 CPUs and 0 GPUs, and no node has as much: 1 with 2 CPUs and 0 GPU"):
        Cluster(4, None, concurrent, None, [])._fitting()


def test_two_small_nodes_are_no_large_one(nodes: Callable[..., None]) -> None:
    nodes(HEAD, {"CPU": 1}, {"CPU": 1}, joined=True)
    told = r"2 CPUs and 0 GPUs, .*: 1 with 0 CPUs and 0 GPUs, 2 with 1 CPUs and 0 GPUs; on .* grows, say --concurrent N"
    with pytest.raises(BadStudy, match=told):
        Cluster(2, None, None, None, [])._fitting()
    nodes(joined=True)
    with pytest.raises(BadStudy, match="there is none"):
        Cluster(1, None, None, None, [])._fitting()


class _Nodes:
    """Nodes, of which the one named `blind` sees no file."""

    def __init__(self, function: Any, blind: str = "b" * 56) -> None:
        self.function, self.name = function, blind

    def options(self, **options: Any) -> "_Nodes":
        self.blind = options["scheduling_strategy"].node_id == self.name
        return self

    def remote(self, paths: list[str]) -> dict[str, int | None]:
        return dict.fromkeys(paths) if self.blind else self.function(paths)


def test_a_node_that_does_not_share_the_storage_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "study.json"
    file.write_text("{}")
    names = [("a" * 56, "10.0.0.1"), ("b" * 56, "10.0.0.2")]
    nodes = [{"Alive": True, "NodeID": name, "NodeManagerAddress": address} for name, address in names]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray, "remote", _Nodes)
    monkeypatch.setattr(ray, "get", lambda asked: asked)
    with pytest.raises(BadStudy, match=rf"node 10\.0\.0\.2 does not see {file}; expected --runs"):
        cluster._require_shared([file])
    nodes[1]["NodeID"] = "c" * 56
    cluster._require_shared([file])
    nodes[1]["NodeID"], nodes[1]["Alive"] = "b" * 56, False
    cluster._require_shared([file])


@pytest.mark.parametrize("lives", [False, True])
def test_a_node_that_goes_while_it_is_asked_is_left_out(
    lives: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray notices some twenty seconds later that a machine has crashed, and offers it until then."""
    file = tmp_path / "study.json"
    file.write_text("{}")
    nodes = [{"Alive": True, "NodeID": name * 56, "NodeManagerAddress": f"10.0.0.{name}"} for name in "12"]

    def answer(asked: Any) -> Any:
        if asked[str(file)] is None:
            nodes[1]["Alive"] = lives
            raise TaskUnschedulableError("the node doesn't exist any more")
        return asked

    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray, "remote", lambda function: _Nodes(function, blind="2" * 56))
    monkeypatch.setattr(ray, "get", answer)
    if lives:
        with pytest.raises(BadStudy, match=r"node 10\.0\.0\.2 does not answer what files it sees: The task is not"):
            cluster._require_shared([str(file)])
    else:
        cluster._require_shared([str(file)])
