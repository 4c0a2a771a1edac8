"""Configurations by name: what `--preset` and a search space's `preset` start from."""

from core.config import Config, Training
from core.detectors import AAE, VAE, VQVAE, ContextEncoder, CutPasteClassifier, Denoiser, FAnoGAN
from core.losses import Combo
from core.synthesis import Coarse, Erase, Mix, Noise, Rectangle, Scale, Shift, Square, Synthesis, Warp, Whole

# Chosen on the tumour slices of six development patients (T2, 64x64, detectors trained on the tumour-free slices of the
# other four): with an outlier on every slice a detector must always mark something, and much noise teaches it texture.
ROBUST = Config(
    synthesis=Synthesis(
        mix=Mix(noise=Noise(weight=0.1, std=0.2)), edge=2.0, min_foreground=0.5, label="changed", probability=0.5
    ),
    loss=Combo(alpha=0.0),
    score="foreground_top",
)


def _alone(*, coarse: Coarse | None = None, erase: Erase | None = None) -> Mix:
    """A mix without the paper's own transforms."""
    none = {"noise": Noise(weight=0), "shift": Shift(weight=0), "scale": Scale(weight=0)}
    return Mix(**none, coarse=coarse or Coarse(), erase=erase or Erase())  # type: ignore[arg-type]


# Kascenas et al., 2022 (AntanasKascenas/DenoisingAE). The 67,200 steps are 265 epochs of the paper's 4,050 slices.
# Not taken over: AMSGrad, weight decay 1e-5, and a cosine that comes back up after every 100 of their epochs.
DAE = Config(
    synthesis=Synthesis(mask=Whole(), mix=_alone(coarse=Coarse(weight=1, std=0.2, cells=16))),
    detector=Denoiser(),
    training=Training(epochs=265, batch=16, learning_rate=1e-4, schedule="cosine"),
)

# Pathak et al., 2016 (pathak22/context-encoder, train_random.lua): a quarter of the frame becomes the mean grey. Theirs
# has the shape of a random pattern; here it is a square, which is their central region put anywhere.
CONTEXT_ENCODER = Config(
    synthesis=Synthesis(mask=Square(min_side=64, max_side=64), mix=_alone(erase=Erase(1.0, 0.459, 0.459))),
    detector=ContextEncoder(),
    training=Training(epochs=25, batch=64, learning_rate=2e-3),
)

# The example of the MOOD challenge (MIC-DKFZ/mood, example_algos/algorithms/ce_vae.py). It means to erase up to three
# squares, but draws 0, 1 or 2 and keeps only the last: one square on two slices of three.
CE_VAE = Config(
    synthesis=Synthesis(
        mask=Square(min_side=1, max_side=64), mix=_alone(erase=Erase(1.0, 0.0, 1.0)), probability=2 / 3
    ),
    detector=VAE(context_weight=0.5, scored_by="combined"),
    training=Training(epochs=20, batch=16, learning_rate=1e-4),
)

# snavalm/lsr_mood_challenge_2020: codebook of 128, three halvings, 15 restorations of what is rarer than nine in ten
# healthy codes, 600 epochs for each stage. Smaller here: its encoder widens 16-32-64-256 (ours doubles to 128, entries
# of 64 numbers), and its PixelSNAIL has 4 x 4 blocks of 128 channels with attention (ours 8 gated layers of 64). It
# clips each gradient's value at 1, we the norm; it knows a slice's place in the head and drops out a tenth, we do not.
VQ_VAE = Config(detector=VQVAE(), training=Training(epochs=1200, batch=64, learning_rate=1e-4, clip=1.0))

# tSchlegl/f-AnoGAN: 128 numbers for 64x64, five critic steps a generator's step, penalty 10, kappa 1. It names
# iterations (50,000 for the encoder, which are 790 epochs of 4,050 slices), and trains the encoder by RMSProp at 5e-5,
# we all by one Adam. The widths are ours.
F_ANOGAN = Config(detector=FAnoGAN(), training=Training(epochs=1580, batch=64, learning_rate=1e-4))

# StefanDenn3r/Unsupervised_Anomaly_Detection_Brain_MRI: rho, kappa 1 and scale 10, bottleneck 8x8 at 128x128, batches
# of 8. It trains up to 1000 epochs and stops early, we for 100. Its latent is 128 numbers behind a dense layer, ours 8
# planes; the widths are ours.
CONSTRAINED_AAE = Config(detector=AAE(), training=Training(epochs=100, batch=8, learning_rate=1e-4))

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

PRESETS = {
    "paper": Config(),
    "robust": ROBUST,
    "dae": DAE,
    "context-encoder": CONTEXT_ENCODER,
    "vae": Config(detector=VAE(), training=CE_VAE.training),
    "ce-vae": CE_VAE,
    "vq-vae": VQ_VAE,
    "f-anogan": F_ANOGAN,
    "aae": CONSTRAINED_AAE,
    "cutpaste-classifier": CUTPASTE_CLASSIFIER,
}
