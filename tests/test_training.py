"""Training: it learns, resumes bit for bit, falls back from damage, and refuses what cannot work."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core import checkpoint
from core.config import Config, override
from core.drawing import Drawing, Key
from core.errors import BadConfig, BadStudy, BadTable, TrainingFailed
from core.slices.layout import TableMetadata
from core.slices.table import SliceTable, write_table
from core.training import train
from tests.conftest import volume

SMALL = override(
    Config(),
    {
        "detector.base": 2,
        "detector.depth": 2,
        "training.epochs": 4,
        "training.batch": 8,
        "training.learning_rate": 1e-2,
        "training.precision": "fp32",
    },
)
FULL = override(SMALL, {"training.averaging": 0.9, "training.schedule": "cosine", "training.clip": 1.0})
STAGED = override(
    SMALL,
    {"detector.kind": "vq-vae", "detector.base": 2, "detector.depth": 2, "detector.codes": 8, "detector.latent": 4}
    | {"detector.prior_width": 4, "detector.prior_layers": 2, "training.averaging": 0.9},
)
ADVERSARIAL = override(
    SMALL, {"detector.kind": "f-anogan", "detector.base": 2, "detector.depth": 2, "detector.critic_turns": 2}
)


def _weights(config: Config, table: SliceTable, folder: Path | None = None) -> dict[str, torch.Tensor]:
    *_, last = train(config, table, seed=3, checkpoints=folder)
    return {name: tensor.clone() for name, tensor in last.detector.state_dict().items()}


def _equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_loss_falls(healthy: SliceTable) -> None:
    losses = [epoch.loss for epoch in train(override(SMALL, {"training.epochs": 8}), healthy, seed=0)]
    assert losses[-1] < losses[0]


def test_checkpoints_that_cannot_be_kept_are_told_before_an_epoch(healthy: SliceTable, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    measured: list[str] = []

    def evaluate(_detector: torch.nn.Module) -> dict[str, float]:
        measured.append("an epoch was trained")
        return {}

    with pytest.raises(NotADirectoryError):
        next(train(SMALL, healthy, seed=0, checkpoints=tmp_path / "file" / "checkpoints", evaluate=evaluate))
    assert not measured


@pytest.mark.parametrize("config", [SMALL, FULL, STAGED, ADVERSARIAL])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one(
    config: Config, stop: int, healthy: SliceTable, tmp_path: Path
) -> None:
    training = train(config, healthy, seed=3, checkpoints=tmp_path)
    for _ in range(stop):
        next(training)
    training.close()
    numbers = [(epoch.number, epoch.replayed) for epoch in train(config, healthy, seed=3, checkpoints=tmp_path)]
    assert numbers == [(number, number <= stop) for number in range(1, 5)]
    assert _equal(_weights(config, healthy, tmp_path), _weights(config, healthy))


@pytest.mark.parametrize("damage", ["cut", "missing", "swapped", "older"])
def test_a_damaged_checkpoint_costs_one_epoch(damage: str, healthy: SliceTable, tmp_path: Path) -> None:
    training = train(FULL, healthy, seed=3, checkpoints=tmp_path)
    for _ in range(3):
        next(training)
    newest = tmp_path / "epoch-00003"
    if damage == "cut":
        content = (newest / "training.safetensors").read_bytes()
        (newest / "training.safetensors").write_bytes(content[: len(content) // 2])
    elif damage == "missing":
        (newest / "state.json").unlink()
    elif damage == "older":
        state = json.loads((newest / "state.json").read_text())
        (newest / "state.json").write_text(json.dumps(state | {"format": state["format"] - 1}))
    else:
        shutil.copy(tmp_path / "epoch-00002" / "model.safetensors", newest / "model.safetensors")
    again = train(FULL, healthy, seed=3, checkpoints=tmp_path)
    assert [epoch.replayed for epoch in again] == [True, True, False, False]
    assert _equal(_weights(FULL, healthy, tmp_path), _weights(FULL, healthy))


def test_a_training_that_begins_anew_keeps_its_epochs_beside_later_ones_that_cannot_be_read(
    healthy: SliceTable, tmp_path: Path
) -> None:
    list(train(SMALL, healthy, seed=3, checkpoints=tmp_path))
    for state in tmp_path.glob("epoch-*/state.json"):
        state.unlink()
    training = train(SMALL, healthy, seed=3, checkpoints=tmp_path)
    next(training)
    next(training)
    training.close()
    again = train(SMALL, healthy, seed=3, checkpoints=tmp_path)
    assert [epoch.replayed for epoch in again] == [True, True, False, False]
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-00003", "epoch-00004"}
    assert [epoch.replayed for epoch in train(SMALL, healthy, seed=3, checkpoints=tmp_path)] == [True] * 4


def test_a_folder_of_another_training_is_refused(healthy: SliceTable, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    next(train(SMALL, healthy, seed=3, checkpoints=folder))
    with pytest.raises(BadStudy, match=r"checkpoints: holds a training with seed = 3, expected 4, or an empty folder"):
        next(train(SMALL, healthy, seed=4, checkpoints=folder))
    with pytest.raises(BadStudy, match=r"with loss.alpha = 0.5, expected 0.25"):
        next(train(override(SMALL, {"loss.alpha": 0.25}), healthy, seed=3, checkpoints=folder))
    with pytest.raises(BadStudy, match=r"with rows = "):
        next(train(SMALL, healthy, seed=3, rows=np.arange(30), checkpoints=folder))
    other = write_table(tmp_path / "other.arrow", (volume(number) for number in range(1, 7)), TableMetadata())
    with pytest.raises(BadStudy, match=f"with table = '{healthy.digest}', expected '{other.digest}'"):
        next(train(SMALL, other, seed=3, checkpoints=folder))


def test_a_training_of_before_a_setting_existed_goes_on(healthy: SliceTable, tmp_path: Path) -> None:
    training = train(FULL, healthy, seed=3, checkpoints=tmp_path)
    next(training)
    training.close()
    file = tmp_path / "epoch-00001" / "state.json"
    state = json.loads(file.read_text())
    assert state["config"]["detector"].pop("norm") == "batch"
    file.write_text(json.dumps(state))
    assert [epoch.replayed for epoch in train(FULL, healthy, seed=3, checkpoints=tmp_path)][:2] == [True, False]


def test_the_newest_two_checkpoints_are_kept_however_long_their_numbers(healthy: SliceTable, tmp_path: Path) -> None:
    training = train(SMALL, healthy, seed=3, checkpoints=tmp_path)
    next(training)
    training.close()
    found = checkpoint.newest(tmp_path)
    assert found is not None
    for epoch in (99_998, 99_999, 100_000):
        checkpoint.save(tmp_path, epoch, found._replace(state=found.state | {"number": epoch}))
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-99999", "epoch-100000"}
    newest = checkpoint.newest(tmp_path)
    assert newest is not None
    assert newest.state["number"] == 100_000


def test_averaged_weights_get_statistics_of_what_the_training_shows_them(healthy: SliceTable) -> None:
    settings = {"detector.kind": "denoiser", "detector.norm": "batch", "detector.base": 2, "detector.depth": 2}
    settings |= {"synthesis.mask.kind": "whole", "synthesis.mix.erase.weight": 1, "synthesis.mix.erase.min_value": 0.5}
    settings |= {f"synthesis.mix.{name}.weight": 0 for name in ("noise", "shift", "scale")}
    shown: list[torch.Tensor] = []

    def watch(detector: torch.nn.Module) -> dict[str, float]:
        detector.unet.register_forward_pre_hook(lambda _, given: shown.append(given[0].clone()))
        return {}

    training = train(override(SMALL, settings | {"training.averaging": 0.9}), healthy, seed=0, evaluate=watch)
    next(training)
    next(training)
    # What is done around the tissue a denoiser does not see.
    empty = (healthy.images(slice(None)) == 0).mean()
    assert 0 < empty == pytest.approx((torch.cat(shown) == 0).float().mean().item())


def test_averaged_weights_get_statistics_where_scores_do_not_come_by(healthy: SliceTable) -> None:
    scored = {"detector.kind": "vae", "detector.scored_by": "kl-gradient", "detector.norm": "batch"}
    *_, last = train(override(SMALL, scored | {"detector.base": 2, "training.averaging": 0.9}), healthy, seed=0)
    norms = [module for module in last.detector.decoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert all(norm.num_batches_tracked for norm in norms)


def test_a_loss_that_is_not_finite_ends_the_training(healthy: SliceTable) -> None:
    exploding = override(SMALL, {"training.learning_rate": 1.0, "training.epochs": 50, "detector.norm": "none"})
    training = train(exploding, healthy, seed=0)
    first = next(training)
    with torch.no_grad():
        next(first.detector.parameters()).fill_(torch.nan)
    with pytest.raises(TrainingFailed, match="loss of epoch 2 is nan"):
        next(training)


def test_what_cannot_work_is_refused_before_it_begins(healthy: SliceTable, lesioned: SliceTable) -> None:
    with pytest.raises(BadConfig, match=r"detector.depth = 6.*32x32"):
        next(train(override(SMALL, {"detector.depth": 6}), healthy, seed=0))
    deepest = override(SMALL, {"detector.depth": 5, "training.batch": 1})
    with pytest.raises(BadConfig, match=r"training.batch = 1: .* batch normalisation sees one pixel"):
        next(train(deepest, healthy, seed=0))
    with pytest.raises(BadConfig, match="batch normalisation sees one pixel"):
        next(train(override(deepest, {"training.batch": 2}), healthy, seed=0, rows=np.arange(3)))
    with pytest.raises(BadConfig, match=r"detector\.norm = 'instance': at detector\.depth = 5 it sees one pixel"):
        next(train(override(deepest, {"training.batch": 8, "detector.norm": "instance"}), healthy, seed=0))
    next(train(override(deepest, {"detector.norm": "none"}), healthy, seed=0))
    # Nine slices by eight are batches of five and four.
    next(train(override(deepest, {"training.batch": 8}), healthy, seed=0, rows=np.arange(9)))
    with pytest.raises(BadTable, match="carry a lesion"):
        next(train(SMALL, lesioned, seed=0))


def test_rows_draw_the_same_whoever_else_is_trained_on(healthy: SliceTable) -> None:
    few, every = np.array([4, 9]), np.arange(len(healthy))
    one = Drawing(SMALL, healthy, 0, few)[[Key(np.array([0, 1]), 1, 0)]]
    two = Drawing(SMALL, healthy, 0, every)[[Key(np.array([4, 9]), 1, 0)]]
    assert torch.equal(one.values, two.values)


PROGRAM = """
import sys
from pathlib import Path
from core.config import Config, override
from core.slices import open_table
from core.training import train

small = override(Config(), {"detector.base": 2, "detector.depth": 2, "training.epochs": 2, "training.averaging": 0.9})
for epochs in (1, 2):  # the second goes on
    begun = train(small, open_table(sys.argv[1]), seed=0, device="cpu", checkpoints=Path(sys.argv[2]))
    print(*(epoch.number for epoch, _ in zip(begun, range(epochs))))
print("torch._dynamo" in sys.modules)
"""


def test_torchs_compiler_is_not_loaded(healthy: SliceTable, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(healthy.path), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert ended.stdout.split() == ["1", "1", "2", "False"]
