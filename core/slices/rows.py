"""Small tables that people write to describe volumes: CSV, TSV or Parquet, each row with the line it stands in."""

import csv
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from core.errors import BadInput

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Rows:
    """columns: in the file's order. lines: (line number, or row number for Parquet, {column: text}), blanks stripped
    from both ends and an absent value as ``""``."""

    path: Path
    columns: tuple[str, ...]
    lines: list[tuple[int, dict[str, str]]]

    @property
    def unit(self) -> str:
        """What is counted: line, or row where the file has no lines."""
        return "row" if self.path.suffix.lower() == ".parquet" else "line"

    def where(self, line: int) -> str:
        """The file and the line, for a message."""
        return f"{self.path}, {self.unit} {line}"


def read_rows(path: Path) -> Rows:
    """Read a table by its ending. Raises BadInput when it cannot be read, or a line has more values than columns."""
    ending = path.suffix.lower()
    if ending != ".parquet" and ending not in _SEPARATORS:
        raise BadInput(f"{path}: ends in {ending!r}, expected .csv, .tsv or .parquet")
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    return _parquet(path) if ending == ".parquet" else _text(path, _SEPARATORS[ending])


def _text(path: Path, separator: str) -> Rows:
    found: list[tuple[int, list[str]]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            # Strict, or a quotation mark without its other one would swallow all lines behind it.
            reader = csv.reader(file, delimiter=separator, strict=True)
            found += ((reader.line_num, [word.strip() for word in row]) for row in reader if row)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a {path.suffix[1:].upper()} text file in UTF-8 ({error})") from error
    except csv.Error as error:
        first = found[-1][0] + 1 if found else 1
        raise BadInput(
            f"{path}: cannot be read from line {first} on ({error}), expected quotation marks in pairs around a value"
        ) from error
    columns = _unique(path, tuple(found[0][1]) if found else ())
    if len(columns) == 1 and (other := next((one for one in ",;\t" if one in columns[0]), "")):
        raise BadInput(f"{path}: its columns are separated by {other!r}, expected {separator!r}")
    rows = Rows(path, columns, [])
    for line, row in found[1:]:
        if len(row) > len(columns):
            raise BadInput(f"{rows.where(line)}: has more values than the {len(columns)} columns {', '.join(columns)}")
        rows.lines.append((line, dict(zip_longest(columns, row, fillvalue=""))))
    return rows


def _parquet(path: Path) -> Rows:
    try:
        found = parquet.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error
    columns = _unique(path, tuple(found.column_names))
    values = [["" if value is None else str(value).strip() for value in found[name].to_pylist()] for name in columns]
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    return Rows(path, columns, list(enumerate(lines, start=1)))


def _unique(path: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    for n, name in enumerate(columns):
        if name in columns[:n]:
            raise BadInput(f"{path}: has two columns {name!r}")
    return columns
