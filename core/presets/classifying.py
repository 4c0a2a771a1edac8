"""Detectors that answer for a slice, not for its pixels."""

from core.config import Config, Training
from core.detectors import CutPasteClassifier
from core.synthesis import Mix, Noise, Rectangle, Scale, Shift, Synthesis, Warp

# Li et al., 2021: rectangles of 2 to 15 % of the frame, of aspect 1 to 3.3, on half of the slices. Alterations are
# ours: what is under the rectangle is shifted in grey, scaled or warped. Smaller here: their network is a ResNet-18.
# On 720 slices (T1, 64x64, heads with skull) base 8 had learned nothing after 14 epochs at 1e-3: loss 0.69, a coin's.
CUTPASTE_CLASSIFIER = Config(
    synthesis=Synthesis(
        mask=Rectangle(),
        mix=Mix(noise=Noise(weight=0), shift=Shift(std=0.3), scale=Scale(std=0.3), warp=Warp(weight=1.0)),
        probability=0.5,
        min_foreground=0.5,
    ),
    detector=CutPasteClassifier(),
    training=Training(epochs=60),
    score="foreground_mean",
)
