"""Methods of anomaly detection: each trains on healthy slices and maps a slice to per-pixel anomaly logits.

A new one is one file and one name in `Method`; the contract in tests/detectors holds it from then on.
"""

from core.detectors.aae import AAE
from core.detectors.context_encoder import ContextEncoder
from core.detectors.cutpaste_classifier import CutPasteClassifier
from core.detectors.denoiser import Denoiser
from core.detectors.fanogan import FAnoGAN
from core.detectors.protocol import Batch, Detector, Reconstructing, Sampling, Settling
from core.detectors.segmenter import Segmenter
from core.detectors.unet import UNet
from core.detectors.vae import VAE
from core.detectors.vqvae import VQVAE

Method = Segmenter | Denoiser | ContextEncoder | VAE | VQVAE | FAnoGAN | AAE | CutPasteClassifier

__all__ = [
    "AAE",
    "VAE",
    "VQVAE",
    "Batch",
    "ContextEncoder",
    "CutPasteClassifier",
    "Denoiser",
    "Detector",
    "FAnoGAN",
    "Method",
    "Reconstructing",
    "Sampling",
    "Segmenter",
    "Settling",
    "UNet",
]
