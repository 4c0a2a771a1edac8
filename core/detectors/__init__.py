"""Anomaly detectors: each trains on synthesised slices and maps a slice to per-pixel anomaly logits."""

from core.detectors.protocol import Batch, Detector
from core.detectors.segmenter import Segmenter, SegmenterDetector
from core.detectors.unet import UNet

__all__ = ["Batch", "Detector", "Segmenter", "SegmenterDetector", "UNet"]
