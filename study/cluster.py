"""Joining a Ray cluster, or starting one on this machine that nobody else can reach."""

import logging
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

# Read by Ray when it is imported. Without a token, Ray runs anybody's code that reaches its ports.
os.environ.setdefault("RAY_AUTH_MODE", "token")
if os.environ.get("RAY_ADDRESS", "") in ("", "local"):  # as _joined has it
    # The only switch that keeps a cluster of one's own on loopback: Ray turns 127.0.0.1 into a public address.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # its banner ignores verbose=0
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a trial without a GPU sees none
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Ray would start a process for every CPU at once, also where a GPU or --concurrent leaves most of them unused.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
# A worker trains in a thread, whose memory would go back to the system after each step; see core/allocation.py.
os.environ.setdefault("MALLOC_ARENA_MAX", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")  # a line of ours tells of a worker that died
os.environ.setdefault("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")

import ray
from ray.exceptions import AuthenticationError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from core.console import err, out
from core.errors import BadStudy
from core.mirror import address, place, size
from study.slots import Slots

ANSWER = 10.0
"""Seconds in which a cluster that is joined takes a connection."""

GPU_SHARE = 0.25
"""Four trainings at a time end 2.2 times as many trials as one, small U-Nets or the paper's, and two 1.7 times: a GPU
waits for each to score and save (docs/speed.md). Whoever lacks memory is told to ask for more."""


class Cluster:
    """The Ray cluster of one run, joined when the first trial needs it: a finished study starts nothing.

    cpus, gpus: of one trial; gpus None is GPU_SHARE where there are any now. concurrent: trials at a time at most; None
    is what fits now. A cluster that grows should be given it: where one is joined, no node needs to fit a trial then.
    cache: folder on each node's own disk for copies of the tables. shared: files that every node must see. memory:
    bytes that one trial may allocate, None for no limit. interrupted: set by Ctrl-C and SIGTERM.
    """

    def __init__(
        self,
        cpus: int,
        gpus: float | None,
        concurrent: int | None,
        cache: Path | None,
        shared: Sequence[str],
        memory: int | None = None,
    ) -> None:
        self.cpus, self.gpus, self.memory, self.concurrent = cpus, gpus, memory, concurrent
        self.cache, self.shared = cache, shared
        self.interrupted = threading.Event()
        self._entered = ExitStack()

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    @cached_property
    def slots(self) -> Slots:
        """What a trial occupies. Raises BadStudy when none fits, or when a node does not see the shared files."""
        self._entered.enter_context(_connected())
        # Ray replaces signal handlers when it starts, so ours come after.
        self._entered.enter_context(_stopping_on_signals(self.interrupted))
        _require_shared(self.shared)
        return self._fitting()

    def _fitting(self) -> Slots:
        nodes = [node["Resources"] for node in _alive()]
        # A head without CPUs runs no trial, whatever else it has.
        seen = any(node.get("GPU", 0) > 0 and node.get("CPU", 0) >= self.cpus for node in nodes)
        gpus = self.gpus if self.gpus is not None else GPU_SHARE if seen else 0.0
        if _joined() and self.concurrent:
            if self.gpus is None and not seen:
                err.print(
                    "no node that runs trials has a GPU now, so trials run on CPUs, also on nodes that join later; "
                    "--gpus-per-trial SHARE gives them the GPUs of such nodes",
                    style="yellow",
                )
            return Slots(self.cpus, gpus, self.concurrent, self.cache, self.memory)
        fits = self._fits(nodes, gpus)
        return Slots(self.cpus, gpus, min(self.concurrent or fits, fits), self.cache, self.memory)

    def _fits(self, nodes: Sequence[Mapping[str, float]], gpus: float) -> int:
        """Trials that run at once on these nodes. Raises BadStudy when none does: Ray would wait for a node forever."""
        asked = {"CPU": self.cpus, "GPU": gpus, "memory": self.memory or 0}
        fits = sum(_room(node, asked) for node in nodes)
        if fits < 1:
            have = Counter(self._amounts(node) for node in nodes)
            there = ", ".join(f"{number} with {amounts}" for amounts, number in have.items()) or "there is none"
            grows = "; on a cluster that grows, say --concurrent N" if _joined() else ""
            raise BadStudy(f"a trial asks for {self._amounts(asked)}, and no node has as much: {there}{grows}")
        return fits

    def _amounts(self, of: Mapping[str, float]) -> str:
        memory = f" and {of.get('memory', 0) / 2**30:.1f} GiB" if self.memory else ""
        return f"{of.get('CPU', 0):g} CPUs and {of.get('GPU', 0):g} GPUs{memory}"


def _joined() -> str | None:
    """Address of the cluster that this run joins, None where it starts one of its own, which never grows."""
    address = os.environ.get("RAY_ADDRESS", "")
    return None if address in ("", "local") else address


def _room(node: Mapping[str, float], asked: Mapping[str, float]) -> int:
    """Trials that one node has room for. A share below 1 lies on one GPU, so what is left of that is lost."""
    return min(
        int(node.get(name, 0)) * int(1 / amount + 1e-9) if amount < 1 else int(node.get(name, 0) / amount + 1e-9)
        for name, amount in asked.items()
        if amount
    )


@contextmanager
def _connected() -> Iterator[None]:
    """Within a job or with RAY_ADDRESS set, use that cluster; otherwise start one here, on loopback, for this run."""
    joined = _joined()
    if joined:
        _require_answer(joined)
    # Without an address Ray would join whatever `ray start` has left running on this machine.
    options: dict[str, Any] = {} if joined else {"address": "local", "include_dashboard": False}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, AuthenticationError, ValueError) as failure:  # the last for what is no address
        if not joined:
            raise
        reason = str(failure).splitlines()[0].split(". ")[0]
        raise BadStudy(
            f"RAY_ADDRESS={joined}: {reason}; expected that of a running cluster, and its token in "
            f"~/.ray/auth_token or RAY_AUTH_TOKEN"
        ) from None
    except Exception as failure:
        if "timed out during startup" not in str(failure):  # Ray has no class of its own for this
            raise
        raise BadStudy(
            "Ray did not start in time, as on a machine that is too busy; the same command tries again"
        ) from None
    try:
        resources = ray.cluster_resources()
        where = "the Ray cluster" if joined else "Ray on this machine"
        out.print(
            f"running on {where}: {len(_alive())} node(s), {resources.get('CPU', 0):g} CPUs, "
            f"{resources.get('GPU', 0):g} GPUs",
            markup=False,
        )
        yield
    finally:
        ray.shutdown()


def _require_answer(joined: str) -> None:
    """Raises BadStudy where nothing listens at HOST:PORT: Ray would try for a quarter of an hour.

    Also for the addresses of Ray's client and of its dashboard: only a process of the cluster can drive a study.
    """
    if "://" in joined:
        expected = "expected HOST:PORT, on a machine of the cluster; from others, ray job submit"
        raise BadStudy(
            f"RAY_ADDRESS={joined}: a study cannot be driven through {joined.split('://')[0]}://; {expected}"
        )
    host, _, port = joined.rpartition(":")
    if not port.isdigit():  # `auto`, or what is no address, which Ray refuses
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as failure:
        reason = getattr(failure, "strerror", None) or failure
        raise BadStudy(f"RAY_ADDRESS={joined}: {reason}; expected that of a running cluster") from None


def _require_shared(files: Sequence[str]) -> None:
    """Ask every node whether it sees these files. Raises BadStudy naming the node and the file.

    Checkpoints on a node's own disk would be lost with it, and no other node could go on from them. A node that goes
    meanwhile, or has gone and Ray had not noticed, need not see any.
    """
    nodes = _alive()
    if len(nodes) < 2:
        return
    addresses = [address(place(file).resolve()) for file in files]
    expected = _sizes(addresses)
    asked = [
        ray.remote(_sizes)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote(addresses)
        for node in nodes
    ]
    for node, answer in zip(nodes, asked, strict=True):
        try:
            found = ray.get(answer)
        except RayError as failure:
            if node["NodeID"] not in [other["NodeID"] for other in _alive()]:
                continue
            why = str(failure).splitlines()[0]
            raise BadStudy(f"node {node['NodeManagerAddress']} does not answer what files it sees: {why}") from None
        unseen = [path for path, size in expected.items() if found[path] != size]
        if unseen:
            raise BadStudy(
                f"node {node['NodeManagerAddress']} does not see {unseen[0]}; expected --runs and all tables where "
                f"every node reads and writes: on a shared file system, or s3://BUCKET/FOLDER"
            )


def _alive() -> list[dict[str, Any]]:
    """The nodes that Ray believes to live."""
    return [node for node in ray.nodes() if node["Alive"]]


def _sizes(addresses: list[str]) -> dict[str, int | None]:
    """Sizes of files as this node sees them, None for those that it does not."""
    return {file: size(file) for file in addresses}


@contextmanager
def _stopping_on_signals(asked: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set the event, so that a study ends cleanly; a second Ctrl-C ends it at once."""

    def ask(number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        err.print(f"{signal.Signals(number).name}: stopping; finished trials are kept", style="yellow")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
