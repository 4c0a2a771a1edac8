"""Object storage as folders, against a real server on loopback."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core import checkpoint, mirror
from core.durable import write_json
from core.errors import BadStorage, BadTable
from core.mirror import address, cache_folder, fetch, names, place, publish, withdraw
from core.slices.cache import open_cached
from core.slices.table import SliceTable, open_table


def put(table: SliceTable, where: str) -> None:
    """Upload a table, and forget the copy."""
    copy = place(where)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(table.path.read_bytes())
    publish(copy)
    copy.unlink()


def another_machine(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From here on, nothing that was copied before is at hand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.mark.parametrize("text", ["s3://bucket/runs/mine", "s3:/bucket/runs/mine", "s3://bucket//runs/mine/"])
def test_addresses_lead_to_copies_and_back(text: str) -> None:
    path = place(text)
    assert path == place(Path(text)) == cache_folder() / "s3" / "bucket" / "runs" / "mine"
    assert address(path) == "s3://bucket/runs/mine"


def test_other_paths_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("here")
    assert place(file) == fetch(file) == file
    assert address(file) == str(file)
    publish(file)
    assert file.read_text() == "here"


@pytest.mark.parametrize("text", ["s3://", "s3://key:secret@bucket/runs"])
def test_an_address_without_a_bucket_or_with_a_password_is_refused(text: str) -> None:
    with pytest.raises(BadStorage, match="expected s3://BUCKET/FOLDER; credentials belong into the environment"):
        place(text)


def test_files_written_whole_are_there_for_other_machines(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(place(f"{bucket}/runs/best.json"), {"a": 1})
    write_json(place(f"{bucket}/runs/more/.hidden.json"), {"a": 1})
    another_machine(monkeypatch, tmp_path / "machine-2")
    folder = place(f"{bucket}/runs")
    assert not folder.exists()
    assert names(folder) == ["best.json"]
    assert fetch(folder / "best.json").read_text() == '{\n "a": 1\n}\n'
    withdraw(folder / "best.json")
    another_machine(monkeypatch, tmp_path / "machine-1")
    assert not fetch(place(f"{bucket}/runs/best.json")).exists()


def test_a_table_is_mapped_from_a_copy_that_is_fetched_once_and_again_when_damaged(
    bucket: str, healthy: SliceTable, lesioned: SliceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(healthy, f"{bucket}/train.arrow")
    assert open_table(Path(f"{bucket}/train.arrow"), verify=True).digest == healthy.digest
    found = open_cached(f"{bucket}/train.arrow", healthy.digest)
    np.testing.assert_array_equal(found.images(slice(None)), healthy.images(slice(None)))
    fetched = []
    monkeypatch.setattr("core.slices.cache.download", lambda *where: fetched.append(where) or mirror.download(*where))
    assert open_cached(f"{bucket}/train.arrow", healthy.digest).path == found.path
    assert not fetched
    content = bytearray(found.path.read_bytes())
    content[len(content) // 2] ^= 255
    found.path.write_bytes(content)
    again = open_cached(f"{bucket}/train.arrow", healthy.digest)
    np.testing.assert_array_equal(again.images(slice(None)), healthy.images(slice(None)))
    assert len(fetched) == 1

    put(lesioned, f"{bucket}/train.arrow")
    with pytest.raises(BadTable, match=f"{bucket}/train.arrow: has digest .* these are other slices than before"):
        open_table(Path(f"{bucket}/train.arrow"), digest=healthy.digest)
    found.path.unlink()
    with pytest.raises(BadTable, match=f"{bucket}/train.arrow: has digest"):
        open_cached(f"{bucket}/train.arrow", healthy.digest)
    with pytest.raises(BadTable, match=f"{bucket}/none.arrow: no such slice table"):
        open_table(Path(f"{bucket}/none.arrow"))


def test_what_is_never_uploaded_stays(bucket: str) -> None:
    """As the volumes that an interrupted ingest has read, beside the table that they will be."""
    folder = place(f"{bucket}/tables")
    write_json(folder / "kept.json", {})
    for left in (folder / ".t.arrow.stage" / "piece.arrow", folder / "gone.json"):
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"")
    fetch(folder)
    assert {path.name for path in folder.rglob("[!.]*.*")} == {"kept.json", "piece.arrow"}


def test_checkpoints_leave_nothing_on_this_machine(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place(f"{bucket}/runs/search/00001")
    for epoch in (1, 2, 3):
        weights = {"w": torch.full((10,), float(epoch))}
        checkpoint.save(folder, epoch, checkpoint.Checkpoint(weights, weights, {"history": []}))
    assert not list(folder.rglob("*"))
    assert names(folder) == ["epoch-00002", "epoch-00003"]
    another_machine(monkeypatch, tmp_path / "machine-2")
    folder = place(f"{bucket}/runs/search/00001")
    found = checkpoint.newest(folder)
    assert found is not None
    assert torch.equal(found.model["w"], torch.full((10,), 3.0))
    assert not list(folder.rglob("model*"))
    # An upload that was cut off: the one before it is as good.
    withdraw(folder / "epoch-00003" / "training.safetensors")
    found = checkpoint.newest(folder)
    assert found is not None
    assert torch.equal(found.model["w"], torch.full((10,), 2.0))


def test_storage_that_does_not_answer_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadStorage, match=r"s3://no-such-bucket/a.json: .*bucket does not exist"):
        write_json(place("s3://no-such-bucket/a.json"), {})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    mirror.filesystem.cache_clear()
    for attempt in (lambda: fetch(place(f"{bucket}/a")), lambda: open_table(Path(f"{bucket}/a.arrow"))):
        with pytest.raises(BadStorage, match=f"{bucket}/a.*Could not connect to server"):
            attempt()
    assert mirror.size(f"{bucket}/a") is None
