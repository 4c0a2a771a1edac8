"""Tests that need a GPU; without one they are skipped and say so."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip(f"torch {torch.__version__} sees no GPU here")
