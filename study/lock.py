"""One driver per study. The lock is a file in the study's folder that its holder keeps touching.

No clock is compared with another: whether a holder on another machine lives is seen by watching its touches.
"""

import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.console import err, out
from core.errors import BadStudy

BEAT = 5.0  # seconds between touches
PATIENCE = 4  # beats that are waited for before a holder on another machine counts as gone


class StudyLock:
    """Held while the `with` block runs. Raises BadStudy when a living driver holds it.

    A lock whose process is gone is taken over, and that is said. lost: set when another driver has taken this one over,
    as after this machine was cut off for long: its holder must stop writing.
    """

    def __init__(self, folder: Path, lost: threading.Event) -> None:
        self.path, self.lost = folder / "driver.lock", lost
        self._mine = {"token": uuid4().hex, **_this_process()}
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "StudyLock":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while not self._taken():
            holder = self._holder()
            if holder is None:
                continue
            if self._lives(holder):
                raise BadStudy(
                    f"{self.path.parent}: process {holder['pid']} on {holder['host']} carries this study out; stop it "
                    f"or wait for it, or give another --study name"
                )
            if self._remove(holder):
                out.print(f"took over from process {holder['pid']} on {holder['host']}, which is gone", markup=False)
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._beating.join()
        if self._holds(self._mine):
            self.path.unlink(missing_ok=True)

    def _taken(self) -> bool:
        try:
            with self.path.open("x", encoding="utf-8") as file:
                json.dump(self._mine, file)
        except FileExistsError:
            return False
        except OSError:
            self.path.unlink(missing_ok=True)  # on a full disk, the name without its content
            raise
        return True

    def _holder(self) -> dict[str, Any] | None:
        """Who holds the lock; None when it has just been given up."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
            return {"pid": "?", "host": "?", "token": ""} | found
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return {"pid": "?", "host": "?", "token": ""}

    def _holds(self, who: dict[str, Any]) -> bool:
        holder = self._holder()
        return holder is not None and holder["token"] == who["token"]

    def _lives(self, holder: dict[str, Any]) -> bool:
        here = _this_process()
        if holder.get("boot") == here["boot"]:
            started = _started(holder["pid"])
            return started is not None and started == holder["started"]
        seen = self._touched()
        for _ in range(PATIENCE):
            time.sleep(BEAT)
            if self._touched() != seen:
                return True
        return False

    def _remove(self, holder: dict[str, Any]) -> bool:
        """Move a dead holder's lock away, unless another driver has done so in the meantime."""
        if not self._holds(holder):
            return False
        away = self.path.with_name(f".{self.path.name}.{uuid4().hex}")
        try:
            self.path.rename(away)
            away.unlink()
        except FileNotFoundError:
            return False
        return True

    def _touched(self) -> int | None:
        try:
            return self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            try:
                if not self._holds(self._mine):
                    err.print(f"{self.path.parent}: another driver has taken this study over; stopping", style="yellow")
                    self.lost.set()
                    return
                os.utime(self.path)
            except OSError:
                continue  # storage that is away for a moment is no reason to give the study up


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "boot": _boot(), "pid": pid, "started": _started(pid)}


def _boot() -> str:
    """Names this start of this machine, or this container's machine: process numbers mean nothing elsewhere."""
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip() + pids
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None when there is no such process.

    Process numbers are used again; with this time they are unique. Where there is no /proc it is always 0.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return 0
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        fields = stat.rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else int(fields[19])
    except OSError:
        return None
