"""A trained detector as one file that loads without this package: for plain torch (.pt2) or for ONNX runtimes (.onnx).

Both take slices and give anomaly maps, for any batch and any size that the network takes. The file carries what it
takes and gives as JSON: for torch as the extra file `metadata.json`, for ONNX as the model's metadata `metadata`.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.checkpoint import load_detector
from core.config import Config, to_dict
from core.detectors import VQVAE
from core.durable import replacing
from core.errors import BadConfig, BadInput
from core.prediction.inference import Inference, load_inference
from core.provenance import provenance

FORMAT = 1
TOLERANCE = 1e-4  # logits; the two runtimes round differently
_Runs = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def export(folder: Path, path: Path) -> float:
    """Write the detector of a folder as `path`, by its ending, and read it back: the largest difference of its maps.

    Raises BadInput when the folder holds no detector, or ONNX is asked for and not installed; BadConfig for another
    ending, or a detector that draws while it scores; RuntimeError when what was written does not give the detector's
    maps. Nothing is left then.
    """
    writers = {".pt2": _write_torch, ".onnx": _write_onnx}
    if path.suffix not in writers:
        raise BadConfig(f"--out {path}: expected a name that ends in {' or '.join(writers)}")
    detector, config = load_detector(folder)
    if isinstance(config.detector, VQVAE):
        raise BadConfig(
            f"{folder / 'config.json'}: detector.kind = {config.detector.kind!r} redraws codes one by one, which no "
            "fixed graph holds; expected another kind"
        )
    for parameter in detector.parameters():
        parameter.requires_grad_(False)
    metadata = describe(config, load_inference(folder) or Inference(None))
    with replacing(path) as temporary:
        with _quiet():
            runs = writers[path.suffix](detector, metadata, temporary)
        difference = _difference(detector, runs, metadata["input"]["multiple_of"])
        if not difference < TOLERANCE:
            raise RuntimeError(f"{path}: gives maps that differ from the detector's by {difference:g}")
    return difference


def describe(config: Config, inference: Inference) -> dict[str, Any]:
    """What an exported file takes and gives, how it was configured, and what wrote it; null where it is not known."""
    step = 2**config.detector.depth
    return {
        "format": FORMAT,
        "input": {
            "name": "image",
            "shape": ["batch", 1, "rows", "columns"],
            "dtype": "float32",
            "range": [0, 1],
            "multiple_of": step,
            "at_least": 2 * step,
            "words": "slices prepared as those that this detector was trained on; 0 outside the tissue",
            "preprocessing": asdict(inference.preprocessing) if inference.preprocessing else None,
        },
        "output": {
            "name": "anomaly_map",
            "shape": ["batch", "rows", "columns"],
            "dtype": "float32",
            "words": "logit differences; their sigmoid is the anomaly probability",
            "threshold": inference.threshold,
            "calibration": inference.calibration.to_dict() if inference.calibration else None,
        },
        "anomaly_score": {"name": config.score, "words": "how the map becomes one score per slice in core.scores"},
        "config": to_dict(config),
        "provenance": provenance(torch.device("cpu")),
    }


def _write_torch(detector: nn.Module, metadata: dict[str, Any], path: Path) -> _Runs:
    packed = BytesIO()
    torch.export.save(_traced(detector, metadata), packed, extra_files={"metadata.json": json.dumps(metadata)})
    path.write_bytes(packed.getbuffer())
    module = torch.export.load(BytesIO(path.read_bytes())).module()
    return lambda images: np.asarray(module(torch.from_numpy(images)))


def _write_onnx(detector: nn.Module, metadata: dict[str, Any], path: Path) -> _Runs:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as missing:
        raise BadInput(
            f"{path.suffix} needs the package {missing.name}; pip install 'pseudo-outlier-study[onnx]' or choose .pt2"
        ) from None
    program = torch.onnx.export(
        _traced(detector, metadata),
        dynamo=True,
        verbose=False,
        input_names=[metadata["input"]["name"]],
        output_names=[metadata["output"]["name"]],
    )
    if program is None:
        raise RuntimeError("torch wrote no ONNX program")
    program.model.metadata_props["metadata"] = json.dumps(metadata)
    path.write_bytes(program.model_proto.SerializeToString())
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run(None, {metadata["input"]["name"]: images})[0])


def _traced(detector: nn.Module, metadata: dict[str, Any]) -> torch.export.ExportedProgram:
    """The detector's graph, free in batch and size. At a size of one step torch would fix what may be 1."""
    step = metadata["input"]["multiple_of"]
    batch, rows, columns = (torch.export.Dim(name, min=1) for name in ("batch", "rows", "columns"))
    example = torch.zeros(2, 1, 2 * step, 3 * step)
    return torch.export.export(
        detector, (example,), dynamic_shapes={"image": {0: batch, 2: step * rows, 3: step * columns}}
    )


def _difference(detector: nn.Module, runs: _Runs, step: int) -> float:
    """Over images of noise, another batch and size each time."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for batch, rows, columns in ((1, 2, 2), (3, 4, 2)):
        images: Tensor = torch.rand(batch, 1, rows * step, columns * step, generator=generator)
        with torch.inference_mode():
            wanted = detector(images).numpy()
        got = runs(images.numpy())
        found.append(float(np.abs(got - wanted).max()) if got.shape == wanted.shape else np.inf)
    return max(found)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks on packages that they do not need here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
