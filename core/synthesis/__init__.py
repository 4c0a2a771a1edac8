"""Pseudo-outlier synthesis (section II.A of the paper): masks, transforms, blending, the epsilon rule."""

from core.synthesis.masks import (
    Blob,
    Brush,
    Circle,
    Ellipse,
    FreeForm,
    Mask,
    Parallelogram,
    Polygon,
    Rectangle,
    Scar,
    Square,
)
from core.synthesis.pseudo_outlier import Drawn, PseudoOutlier, Synthesis
from core.synthesis.transforms import Change, Mix, Noise, Scale, Shift

__all__ = [
    "Blob",
    "Brush",
    "Change",
    "Circle",
    "Drawn",
    "Ellipse",
    "FreeForm",
    "Mask",
    "Mix",
    "Noise",
    "Parallelogram",
    "Polygon",
    "PseudoOutlier",
    "Rectangle",
    "Scale",
    "Scar",
    "Shift",
    "Square",
    "Synthesis",
]
