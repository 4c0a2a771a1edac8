"""Small tables made on the spot: six healthy subjects, and four patients of whom two have a lesion."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Read when torch and OpenCV load, here and in the programs that tests start: on a busy machine, threads that wait for
# each other make these small trainings ten times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import pytest
from pyarrow import fs

from core import mirror
from core.probes import build_probe
from core.slices.layout import TableMetadata, VolumeSlices
from core.slices.table import SliceTable, write_table

SIDE = 32


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts programs takes longest and comes first, so that no worker is left with it at the end."""
    files = {item.path for item in items}
    long = {path for path in files if "from tests.programs" in path.read_text(encoding="utf-8")}
    items.sort(key=lambda item: item.path not in long)


def head(seed: int, side: int = SIDE) -> np.ndarray:
    """A smooth disc of tissue on background 0, (side, side) uint8."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(rng.random((side, side)), (0, 0), 1.5)
    texture = (texture - texture.min()) / (texture.max() - texture.min())
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    inside = rows**2 + columns**2 < (0.42 * side) ** 2
    return np.where(inside, 20 + 220 * texture, 0).astype(np.uint8)


def volume(
    number: int, *, lesion: bool = False, prefix: str = "healthy", slices: int = 6, side: int = SIDE
) -> VolumeSlices:
    """One subject; with a lesion, a bright square on every other slice."""
    images = np.stack([head(100 * number + index, side) for index in range(slices)])
    masks = np.zeros_like(images)
    if lesion:
        masks[::2, 12:18, 14:20] = 1
        images[masks > 0] = 255
    return VolumeSlices(
        dataset="test",
        subject=f"{prefix}-{number}",
        volume=f"{prefix}-{number}",
        images=images,
        masks=masks,
        slice_index=np.arange(slices, dtype=np.int32),
        families=["bright" if lesion and index % 2 == 0 else None for index in range(slices)],
    )


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """36 healthy slices of six subjects, 32x32."""
    path = tmp_path_factory.mktemp("tables") / "healthy.arrow"
    return write_table(path, (volume(number) for number in range(6)), TableMetadata())


@pytest.fixture(scope="session")
def lesioned(tmp_path_factory: pytest.TempPathFactory) -> SliceTable:
    """24 slices of four subjects, of whom two have a lesion."""
    path = tmp_path_factory.mktemp("tables") / "lesioned.arrow"
    volumes = (volume(number, lesion=number < 52, prefix="patient") for number in range(50, 54))
    return write_table(path, volumes, TableMetadata())


@pytest.fixture(scope="session")
def small_probe(tmp_path_factory: pytest.TempPathFactory, healthy: SliceTable) -> SliceTable:
    """A tenth of the probe that a study makes for itself of the healthy subjects: scoring takes half of an epoch."""
    return build_probe(healthy, tmp_path_factory.mktemp("tables") / "probe.arrow", per_family=3, clean=4)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3-compatible server on loopback."""
    log = tmp_path_factory.mktemp("s3") / "log"
    program = Path(sys.executable).with_name("moto_server")
    with log.open("w") as said:
        server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", "0"], stdout=said, stderr=said)
    try:
        while "Running on http" not in log.read_text():
            assert server.poll() is None, log.read_text()
            time.sleep(0.1)
        yield "http://" + log.read_text().split("Running on http://")[1].split()[0]
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket, `s3://...`; this test's copies lie in a folder of its own."""
    environment = {
        "AWS_ENDPOINT_URL": s3_server, "AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "anything",
        "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "XDG_CACHE_HOME": str(tmp_path / "machine-1"),
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget = mirror.filesystem.cache_clear
    forget()
    name = f"bucket-{time.time_ns()}"
    fs.S3FileSystem(endpoint_override=s3_server, allow_bucket_creation=True).create_dir(name)
    yield f"s3://{name}"
    forget()
