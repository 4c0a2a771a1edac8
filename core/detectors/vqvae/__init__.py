"""VQ-VAE with an autoregressive prior and restoration of its codes."""

from core.detectors.vqvae.detector import VQVAE, VQVAEDetector

__all__ = ["VQVAE", "VQVAEDetector"]
