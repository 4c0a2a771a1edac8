"""Pseudo-outlier synthesis (section II.A of the paper): masks, transforms, blending, the epsilon rule."""

from core.synthesis.changes import Affine, Change
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
    Whole,
)
from core.synthesis.pseudo_outlier import Drawn, PseudoOutlier, Synthesis
from core.synthesis.transforms import Blur, Coarse, Erase, Gamma, Mix, Noise, Place, Scale, Shift, Warp

__all__ = [
    "Affine",
    "Blob",
    "Blur",
    "Brush",
    "Change",
    "Circle",
    "Coarse",
    "Drawn",
    "Ellipse",
    "Erase",
    "FreeForm",
    "Gamma",
    "Mask",
    "Mix",
    "Noise",
    "Parallelogram",
    "Place",
    "Polygon",
    "PseudoOutlier",
    "Rectangle",
    "Scale",
    "Scar",
    "Shift",
    "Square",
    "Synthesis",
    "Warp",
    "Whole",
]
