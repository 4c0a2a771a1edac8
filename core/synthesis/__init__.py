"""Pseudo-outlier synthesis (section II.A of the paper): masks, transforms, blending, the epsilon rule."""

from core.synthesis.masks import Brush, Circle, Mask, Square
from core.synthesis.pseudo_outlier import Drawn, PseudoOutlier, Synthesis
from core.synthesis.transforms import Change, Mix, Noise, Scale, Shift

__all__ = [
    "Brush",
    "Change",
    "Circle",
    "Drawn",
    "Mask",
    "Mix",
    "Noise",
    "PseudoOutlier",
    "Scale",
    "Shift",
    "Square",
    "Synthesis",
]
