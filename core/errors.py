"""Mistakes that a user can make; each is told in one sentence and ends a program with exit code 2.

    StudyError
    ├── BadInput            a file or folder that was given is not what it should be
    │   ├── BadVolume       one NIfTI volume (ingest skips it, lists it, and goes on)
    │   └── BadTable        a slice table: format version, digest, content
    ├── BadConfig           a value of a configuration or a search space, named by its dotted path
    ├── BadStudy            a study folder that belongs to other data, another space, or is incomplete
    ├── BadStorage          a place that cannot be written to: full, read-only, or gone
    ├── Halted              a study that waits until its storage or a node of its cluster is mended
    ├── Overtaken           a study that another driver carries out now; it ends this one as Ctrl-C does, with 130
    ├── TrainingFailed      a run that cannot go on, such as a loss that is not finite
    └── HelperDied          a process that works for a training was killed; nothing is wrong with the training

The message names the file, the field, the value, and what was expected. Programs print it without a traceback.
"""

import errno
from collections.abc import Iterable
from difflib import get_close_matches

_STORAGE = {"ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE", "EFBIG", "EUCLEAN"}
_STORAGE |= {"ETIMEDOUT", "ENOTCONN", "ESHUTDOWN", "ECOMM", "EREMOTEIO", "ENOLINK", "EHOSTDOWN", "EHOSTUNREACH"}
"""Names of the system's errors that tell of storage, or of the way to it as with NFS, Lustre, BeeGFS and FUSE."""


class StudyError(Exception):
    """An expected mistake. Its text is one sentence for the person at the terminal."""


class BadInput(StudyError):
    """A file or folder that was given is not what it should be."""


class BadVolume(BadInput):
    """One volume cannot be used. Ingest skips it and goes on with the others."""


class BadTable(BadInput):
    """A slice table has the wrong version, digest or content."""


class BadConfig(StudyError):
    """A value of a configuration or search space is out of its range, named by its dotted path."""


class BadStudy(StudyError):
    """A study folder belongs to other data or another space, or lacks a file."""


class BadStorage(StudyError):
    """A place cannot be written to: it is full, read-only, or gone."""

    @classmethod
    def of(cls, error: OSError) -> "BadStorage | None":
        """The mistake behind an operating system's error, None where it says nothing of storage."""
        if errno.errorcode.get(error.errno or 0) not in _STORAGE:
            return None
        return cls(f"{error.filename or 'storage'}: {error.strerror}")


class Halted(StudyError):
    """A study waits until its storage or a node of its cluster is mended; nothing that was recorded is lost."""


class Overtaken(StudyError):
    """Another driver has taken a study over; this one writes nothing more to it."""


class TrainingFailed(StudyError):
    """Training cannot go on, for example because the loss is not finite."""


class HelperDied(StudyError):
    """A process that works for a training was killed, most likely for memory. The training can go on where it was."""


def nearest(given: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist: '; did you mean X?', '' where nothing is near."""
    near = get_close_matches(given, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
