"""Methods of anomaly detection: each trains on healthy slices and maps a slice to per-pixel anomaly logits.

A new one is one file and one name in `Method`; the contract in tests/detectors holds it from then on.
"""

from core.detectors.denoiser import Denoiser
from core.detectors.protocol import Batch, Detector, Settling
from core.detectors.segmenter import Segmenter
from core.detectors.unet import UNet

Method = Segmenter | Denoiser

__all__ = ["Batch", "Denoiser", "Detector", "Method", "Segmenter", "Settling", "UNet"]
