"""Detectors that learn what healthy slices look like: by codes and a prior, or against an adversary."""

from core.config import Config, Training
from core.detectors import AAE, VQVAE, FAnoGAN

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
