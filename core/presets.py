"""Configurations by name: what `--preset` and a search space's `preset` start from."""

from core.config import Config
from core.losses import Combo
from core.synthesis import Mix, Noise, Synthesis

# Chosen on the tumour slices of six development patients (T2, 64x64, detectors trained on the tumour-free slices of the
# other four): with an outlier on every slice a detector must always mark something, and much noise teaches it texture.
ROBUST = Config(
    synthesis=Synthesis(
        mix=Mix(noise=Noise(weight=0.1, std=0.2)), edge=2.0, min_foreground=0.5, label="changed", probability=0.5
    ),
    loss=Combo(alpha=0.0),
    score="foreground_top",
)
PRESETS = {"paper": Config(), "robust": ROBUST}
