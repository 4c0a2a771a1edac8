"""Splits by subject, never by slice: neighbouring slices of one head are near copies of each other."""

from collections.abc import Collection, Sequence
from hashlib import sha256
from itertools import combinations

from core.errors import BadInput


def split_subjects(subjects: Sequence[str], held_out: float, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide subjects into (kept, held out), both sorted and never empty.

    held_out: a fraction in (0, 1) as a float, rounded to whole subjects and at least one, or a number of subjects as
    an int. Subjects are ranked by a hash of (seed, name): the order and repetition of the input do not matter, and a
    subject that joins later moves at most those at the border. Raises BadInput with fewer than two subjects, or when
    nothing would be kept; ValueError when held_out is not such a number.
    """
    names = sorted(set(subjects))
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise BadInput(f"a split by subject needs at least two subjects, and there is {found}")
    if isinstance(held_out, float):
        if not 0 < held_out < 1:
            raise ValueError(f"held_out = {held_out}, expected a fraction between 0 and 1 or a number of subjects")
        count = min(max(round(held_out * len(names)), 1), len(names) - 1)
    else:
        count = held_out
    if count < 1:
        raise ValueError(f"held_out = {held_out}, expected at least one subject")
    if count >= len(names):
        raise BadInput(f"{count} subjects cannot be held out of {len(names)}, since none would be kept")
    ranked = sorted(names, key=lambda name: sha256(f"{seed}\0{name}".encode()).digest())
    return tuple(sorted(ranked[count:])), tuple(sorted(ranked[:count]))


def require_disjoint(**roles: Collection[str]) -> None:
    """Raise BadInput naming the subject and both roles when two sets of subjects share one."""
    for (first, some), (second, others) in combinations(roles.items(), 2):
        if shared := set(some) & set(others):
            named = f"subject {min(shared)!r} is"
            if len(shared) > 1:
                named = f"subjects {min(shared)!r} and {len(shared) - 1} more are"
            raise BadInput(f"{named} in both {first} and {second}, which must not meet")
