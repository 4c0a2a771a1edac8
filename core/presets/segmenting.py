"""Segmenters of pseudo-outliers, each with the pseudo-outliers of its publication, and our own `robust`."""

from core.config import Config, Training
from core.losses import Combo
from core.presets.mixes import alone
from core.synthesis import (
    CutPaste,
    Ellipse,
    Foreign,
    Gamma,
    Mix,
    Noise,
    Poisson,
    Rectangle,
    Square,
    Synthesis,
    Warp,
)

# Chosen on the tumour slices of six development patients (T2, 64x64, detectors trained on the tumour-free slices of the
# other four): with an outlier on every slice a detector must always mark something, and much noise teaches it texture.
ROBUST = Config(
    synthesis=Synthesis(
        mix=Mix(noise=Noise(weight=0.1, std=0.2)), edge=2.0, min_foreground=0.5, label="changed", probability=0.5
    ),
    loss=Combo(alpha=0.0),
    score="foreground_top",
)

# Tan et al., FPI (jemtan/FPI), brain; a pair of slices is mixed one way, not both. A pixel counts as unchanged below a
# mean change of 0.001 around it, theirs only where nothing changed. Not taken over: its wide residual network, its
# weight decay, its score of a volume (the upper quartile of smoothed slice means).
FPI = Config(
    synthesis=Synthesis(
        mask=Square(min_side=12.8, max_side=51.2, core=0.5),
        mix=alone(foreign=Foreign(weight=1, min_factor=0.05, max_factor=0.95)),
        epsilon=0.004,
        label="soft",
    ),
    loss=Combo(alpha=0.0),
    training=Training(epochs=50, batch=32, learning_rate=1e-3),
)

# Tan et al., PII (jemtan/PII), without its network. Its tolerance of 0.001 holds for the mean over 5x5 pixels here.
PII = Config(
    synthesis=Synthesis(
        mask=Square(min_side=12.8, max_side=51.2, core=0.8),
        mix=alone(poisson=Poisson(weight=1, min_factor=0.05, max_factor=0.95)),
        epsilon=0.004,
        label="soft",
    ),
    loss=Combo(alpha=0.0),
    training=Training(epochs=50, batch=32, learning_rate=1e-3),
)

# Li et al., CutPaste, as segmentation. Not taken over: rectangles and scars in one training, jitter beyond brightness.
CUTPASTE = Config(
    synthesis=Synthesis(
        mask=Rectangle(min_area=0.02, max_area=0.15, max_aspect=3.3),
        mix=alone(cutpaste=CutPaste(weight=1, jitter=0.1)),
    ),
    loss=Combo(alpha=0.0),
)

# Schlueter et al., NSA with source gradients (hmsch/NSA). Here the patch is neither moved nor resized by 0.7 to 1.3;
# half-widths of 0.03 + Gamma(2, 0.05) of each side are squares of the same least and mean; the training is the paper's.
NSA = Config(
    synthesis=Synthesis(
        mask=Square(min_side=7.68, max_side=58.88),
        mix=alone(poisson=Poisson(weight=1, min_factor=1.0, max_factor=1.0)),
        epsilon=4 / 255,  # a grey level of mean change is visible
        min_foreground=0.7,
        label="saturating",
        count=3,
    ),
    loss=Combo(alpha=0.0),
)

# Baugh et al., many-tasks (matt-baugh), in 2-D, its tasks at once; the number of outliers is uniform, not halved for
# each further one. Not taken over: MSE, AdamW, the label 1 - exp(-d^2 / 0.08), donors from another data set, boxes
# among the shapes, mixed gradients at full strength, its length of training.
MANY_TASKS = Config(
    synthesis=Synthesis(
        mask=Ellipse(min_radius=3.84, max_radius=51.2),
        mix=alone(
            gamma=Gamma(weight=1),
            warp=Warp(weight=2, min_radius=3.84, max_radius=51.2),
            poisson=Poisson(weight=1, min_factor=0.5, max_factor=0.5),
        ),
        epsilon=0.004,
        min_foreground=0.5,
        label="saturating",
        count=4,
    ),
    loss=Combo(alpha=0.0),
    training=Training(batch=8, learning_rate=1e-3),
)
