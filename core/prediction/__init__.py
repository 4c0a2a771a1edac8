"""Inference on scans: what a detector needs for it, anomaly maps in a scan's own space, scores, pictures."""

from core.prediction.calibration import Calibration
from core.prediction.inference import Inference, load_inference, save_inference
from core.prediction.volume import RULES, Prediction, Predictor, Rule

__all__ = ["RULES", "Calibration", "Inference", "Prediction", "Predictor", "Rule", "load_inference", "save_inference"]
