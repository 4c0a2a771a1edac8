"""What each arm makes of the same test slices: heat of its map, its reconstructions, slices of its own."""

from typing import NamedTuple

from core.heat import heat_of
from core.panels import Looked, Panels
from study.figures.pictures import panel, sheet_uri


class Sheet(NamedTuple):
    """One arm. rows: what each row of `picture` shows. picture: a data: address."""

    name: str
    rows: tuple[str, ...]
    picture: str


def truth_sheet(panels: Panels) -> str:
    """The slices and the same with the contour of the truth, as a data: address."""
    plain = [panel(image) for image in panels.image]
    return sheet_uri([plain, [panel(image, mask) for image, mask in zip(panels.image, panels.mask, strict=True)]])


def method_sheets(panels: Panels) -> tuple[Sheet, ...]:
    """One sheet for each arm, in the order of the file."""
    return tuple(_sheet(name, looked, panels) for name, looked in panels.looked.items())


def _sheet(name: str, looked: Looked, panels: Panels) -> Sheet:
    told = ["map"]
    rows = [
        [
            panel(image, mask, heat)
            for image, mask, heat in zip(panels.image, panels.mask, heat_of(looked.map), strict=True)
        ]
    ]
    for what, slices in (("reconstruction", looked.reconstruction), ("slices of its own", looked.samples)):
        if slices is not None:
            told.append(what)
            rows.append([panel(one) for one in slices])
    return Sheet(name, tuple(told), sheet_uri(rows))
