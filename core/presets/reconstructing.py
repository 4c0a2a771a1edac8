"""Detectors that restore what a synthesis altered, or decode what fits into a latent."""

from core.config import Config, Training
from core.detectors import VAE, ContextEncoder, Denoiser
from core.presets.mixes import alone
from core.synthesis import Coarse, Erase, Square, Synthesis, Whole

# Kascenas et al., 2022 (AntanasKascenas/DenoisingAE). The 67,200 steps are 265 epochs of the paper's 4,050 slices.
# Not taken over: AMSGrad, weight decay 1e-5, and a cosine that comes back up after every 100 of their epochs.
DAE = Config(
    synthesis=Synthesis(mask=Whole(), mix=alone(coarse=Coarse(weight=1, std=0.2, cells=16))),
    detector=Denoiser(),
    training=Training(epochs=265, batch=16, learning_rate=1e-4, schedule="cosine"),
)

# Pathak et al., 2016 (pathak22/context-encoder, train_random.lua): a quarter of the frame becomes the mean grey. Theirs
# has the shape of a random pattern; here it is a square, which is their central region put anywhere.
CONTEXT_ENCODER = Config(
    synthesis=Synthesis(mask=Square(min_side=64, max_side=64), mix=alone(erase=Erase(1.0, 0.459, 0.459))),
    detector=ContextEncoder(),
    training=Training(epochs=25, batch=64, learning_rate=2e-3),
)

# The example of the MOOD challenge (MIC-DKFZ/mood, example_algos/algorithms/ce_vae.py). It means to erase up to three
# squares, but draws 0, 1 or 2 and keeps only the last: one square on two slices of three.
CE_VAE = Config(
    synthesis=Synthesis(mask=Square(min_side=1, max_side=64), mix=alone(erase=Erase(1.0, 0.0, 1.0)), probability=2 / 3),
    detector=VAE(context_weight=0.5, scored_by="combined"),
    training=Training(epochs=20, batch=16, learning_rate=1e-4),
)

PLAIN_VAE = Config(detector=VAE(), training=CE_VAE.training)
