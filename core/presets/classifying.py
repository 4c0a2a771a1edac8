"""Detectors that answer for a slice, not for its pixels."""

from core.config import Config, Training
from core.detectors import CutPasteClassifier
from core.presets.mixes import alone
from core.synthesis import CutPaste, Rectangle, Synthesis

# Li et al., 2021: rectangles of 2 to 15 % of the frame, of aspect 1 to 3.3, cut from elsewhere in the slice at 90 to
# 110 % of their brightness, on half of the slices. Smaller here: their network is a ResNet-18. That half of a rectangle
# lies on tissue is ours; they paste anywhere, and photographs have no background.
CUTPASTE_CLASSIFIER = Config(
    synthesis=Synthesis(
        mask=Rectangle(),
        mix=alone(cutpaste=CutPaste(weight=1, jitter=0.1)),
        probability=0.5,
        min_foreground=0.5,
    ),
    detector=CutPasteClassifier(),
    training=Training(epochs=60),
    score="foreground_mean",
)
