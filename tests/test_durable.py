"""Files that are whole or absent, and what is said of the one that could not be written."""

import errno
import json
from pathlib import Path

import pyarrow as pa
import pytest

from core.durable import replacing, update_json, write_json


def test_json_names_files_whose_names_are_no_text(tmp_path: Path) -> None:
    """And is not written anew when it says the same."""
    value = {"file": "M\udcfcller/é"}
    update_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value
    written = (tmp_path / "a.json").stat().st_ino
    update_json(tmp_path / "a.json", value)
    assert (tmp_path / "a.json").stat().st_ino == written


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(FileNotFoundError), replacing(path) as temporary:
        temporary.write_text((tmp_path / "missing").read_text())
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["é" * 127, "t" * 255])
def test_names_may_be_as_long_as_the_system_allows(name: str, tmp_path: Path) -> None:
    write_json(tmp_path / name, {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("named", [True, False])
def test_a_full_disk_is_told_of_the_file_itself(tmp_path: Path, *, named: bool) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(OSError, match="No space left on device") as refused, replacing(path) as temporary:
        raise OSError(errno.ENOSPC, "Error writing bytes", *([str(temporary)] if named else []))
    assert refused.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_can_only_be_read_is_told_of_the_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses to remove the temporary file too, also where there is none."""

    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(OSError, match="Read-only file system") as told:
        write_json(tmp_path / "a.json", 1)
    assert told.value.filename == str(tmp_path / "a.json")


def test_arrow_says_which_file_when_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    with (
        pytest.raises(OSError, match="No space left on device") as refused,
        replacing(path),
        pa.OSFile("/dev/full", "wb") as sink,
    ):
        sink.write(b"slices")
    assert refused.value.filename == str(path)


def test_another_file_that_is_missing_is_told_by_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing, replacing(tmp_path / "a.json"):
        (tmp_path / "scan.nii").read_bytes()
    assert missing.value.filename == str(tmp_path / "scan.nii")
