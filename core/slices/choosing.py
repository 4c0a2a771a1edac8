"""Which subjects of a source are taken: by name, or by a column of the table that describes them."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from core.errors import BadInput
from core.slices.rows import Rows


def choose(root: Path, known: Collection[str], only: Collection[str] | None, exclude: Collection[str]) -> list[str]:
    """The names in `known` that were chosen, sorted: `only` these (None: all), without `exclude`.

    Raises BadInput on an unknown name, one both chosen and excluded, or when none is left.
    """
    for name in [*(only or ()), *exclude]:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"{root}: has no subject {name!r} among its {len(known)}{hint}")
    if both := sorted(set(only or ()) & set(exclude)):
        raise BadInput(f"subject {both[0]!r} is both chosen and excluded")
    chosen = set(known if only is None else only) - set(exclude)
    if not chosen:
        raise BadInput(f"{root}: no subject is left of {len(known)}")
    return sorted(chosen)


def subject_list(text: str) -> tuple[str, ...]:
    """Names from `a,b,c`, or from a text file that holds one name a line. Raises BadInput when there is none.

    What ends in .txt is a file.
    """
    path = Path(text)
    # A long list is no name that a file can have, and asking for it fails.
    in_file = "," not in text and path.is_file()
    if "," not in text and path.suffix.lower() == ".txt" and not in_file:
        raise BadInput(f"{path}: no such file, expected one with one subject a line, or a,b,c")
    try:
        words = path.read_text(encoding="utf-8-sig").splitlines() if in_file else text.split(",")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file with one subject a line") from error
    names = tuple(word.strip() for word in words if word.strip() and not word.strip().startswith("#"))
    if not names:
        raise BadInput(f"{text!r} names no subject, expected a,b,c or a text file with one name a line")
    return names


@dataclass(frozen=True)
class Group:
    """Rows of a table whose `column` holds one of `values`."""

    column: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Group":
        """From `control`, `control,sibling` (column group) or `diagnosis=CN`. Raises BadInput when a part is empty."""
        column, equals, values = text.rpartition("=")
        words = tuple(word.strip() for word in values.split(","))
        if not all(words) or (equals and not column.strip()):
            raise BadInput(f"group {text!r}: expected a value, such as control, or column=value, such as diagnosis=CN")
        return cls(column.strip() if equals else "group", words)

    def __str__(self) -> str:
        return f"{self.column}={','.join(self.values)}"

    def of(self, rows: Rows) -> Rows:
        """The rows in this group. Raises BadInput when the table has no such column, or one of the values nowhere."""
        if self.column not in rows.columns:
            raise BadInput(f"{rows.path}: has no column {self.column!r}, only {', '.join(rows.columns)}")
        known = {row[self.column] for _, row in rows.lines}
        if absent := [value for value in self.values if value not in known]:
            shown = ", ".join(sorted(known - {""})[:8]) or "nothing"
            raise BadInput(f"{rows.path}: column {self.column!r} nowhere holds {absent[0]!r}, only {shown}")
        return Rows(rows.path, rows.columns, [line for line in rows.lines if line[1][self.column] in self.values])
