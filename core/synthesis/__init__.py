"""Pseudo-outlier synthesis (section II.A of the paper): masks, transforms, blending, the epsilon rule."""

from core.synthesis.blending import Drawn
from core.synthesis.changes import Affine, Change
from core.synthesis.donors import Donor, Donors
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
from core.synthesis.pseudo_outlier import PseudoOutlier, Synthesis
from core.synthesis.streams import Streams
from core.synthesis.transforms import (
    Blur,
    Coarse,
    CutPaste,
    Erase,
    Foreign,
    Gamma,
    Mix,
    Noise,
    Place,
    Poisson,
    Scale,
    Shift,
    Warp,
)

__all__ = [
    "Affine",
    "Blob",
    "Blur",
    "Brush",
    "Change",
    "Circle",
    "Coarse",
    "CutPaste",
    "Donor",
    "Donors",
    "Drawn",
    "Ellipse",
    "Erase",
    "Foreign",
    "FreeForm",
    "Gamma",
    "Mask",
    "Mix",
    "Noise",
    "Parallelogram",
    "Place",
    "Poisson",
    "Polygon",
    "PseudoOutlier",
    "Rectangle",
    "Scale",
    "Scar",
    "Shift",
    "Square",
    "Streams",
    "Synthesis",
    "Warp",
    "Whole",
]
