"""Post-processing of maps: each step by its definition, the choice on a probe, and the entry beside the raw winner."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.best import Best
from core.config import Config, Training, to_dict
from core.detectors import Denoiser, Segmenter
from core.errors import BadConfig, BadInput
from core.evaluation import evaluate, scorer_of
from core.jobs import Job
from core.losses import Combo
from core.postprocessing import REMOVED, Postprocessing, choose, postprocessed, restorer_of
from core.presets import PRESETS
from core.probes import build_probe
from core.retraining import retrain
from core.slices.table import SliceTable

CPU = torch.device("cpu")
LESION = np.s_[12:18, 14:20]  # of tests.conftest


def _disc(side: int = 32) -> np.ndarray:
    """Tissue of grey 0.2 to 0.8, from the left to the right."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    grey = np.broadcast_to(np.linspace(0.2, 0.8, side), (side, side))
    return np.where(rows**2 + columns**2 < 14**2, grey, 0).astype(np.float32)


def _applied(step: Postprocessing, anomaly: np.ndarray, restored: np.ndarray | None = None) -> np.ndarray:
    found = step.applied(anomaly[None], _disc()[None], None if restored is None else restored[None])
    assert found.dtype == np.float32
    return found[0]


def test_the_defaults_do_nothing() -> None:
    anomaly = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    np.testing.assert_array_equal(_applied(Postprocessing(), anomaly), anomaly)
    assert Postprocessing(threshold=1.0).does_nothing
    scorer = torch.logit
    assert postprocessed(scorer, Postprocessing()) is scorer
    assert not any(
        step.does_nothing
        for step in (
            Postprocessing(positive=True), Postprocessing(quantile=0.1), Postprocessing(erosion=1),
            Postprocessing(median=3), Postprocessing(smallest=1),
        )
    )  # fmt: skip


def test_positive_keeps_what_is_brighter_than_the_reconstruction() -> None:
    restored = np.full((32, 32), 0.5, np.float32)
    found = _applied(Postprocessing(positive=True), np.ones((32, 32), np.float32), restored)
    np.testing.assert_array_equal(found == 1, _disc() > 0.5)
    with pytest.raises(BadConfig, match="positive = True: the detector gives no reconstruction"):
        _applied(Postprocessing(positive=True), np.ones((32, 32), np.float32))


def test_the_quantile_is_of_the_tissue() -> None:
    image = _disc()
    found = _applied(Postprocessing(quantile=0.75), np.ones((32, 32), np.float32))
    assert (found[image > 0] == 1).mean() == pytest.approx(0.25, abs=0.03)
    assert image[found == 1].min() > image[(found != 1)].max()
    empty = Postprocessing(quantile=0.9).applied(np.ones((1, 8, 8), np.float32), np.zeros((1, 8, 8), np.float32))
    assert (empty == 1).all()


def test_erosion_takes_so_many_pixels_off_the_rim() -> None:
    tissue = _disc() > 0
    for pixels in (1, 3):
        kept = _applied(Postprocessing(erosion=pixels), np.ones((32, 32), np.float32)) == 1
        rows, columns = np.mgrid[-pixels : pixels + 1, -pixels : pixels + 1].reshape(2, -1)
        neighbours = [np.roll(tissue, (row, column), (0, 1)) for row, column in zip(rows, columns, strict=True)]
        np.testing.assert_array_equal(kept, np.all(neighbours, 0))


def test_the_median_is_that_of_the_window() -> None:
    anomaly = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    for side in (3, 5):
        around = np.lib.stride_tricks.sliding_window_view(np.pad(anomaly, side // 2, mode="edge"), (side, side))
        np.testing.assert_array_equal(
            _applied(Postprocessing(median=side), anomaly), np.median(around, (2, 3)).astype(np.float32)
        )


def test_small_components_go_and_large_ones_stay() -> None:
    anomaly = np.zeros((32, 32), np.float32)
    anomaly[3, 3:6] = 2  # three pixels
    anomaly[10:13, 10:13] = 3
    anomaly[13, 13] = 3  # ten, the last at a corner
    anomaly[25:30, 25:30] = 0.5  # below the threshold
    for smallest, removed in ((3, 0), (4, 3), (10, 3), (11, 13)):
        found = _applied(Postprocessing(smallest=smallest, threshold=1.0), anomaly)
        assert (found == REMOVED).sum() == removed
        np.testing.assert_array_equal(found[found != REMOVED], anomaly[found != REMOVED])


@settings(max_examples=30, deadline=None)
@given(
    step=st.builds(
        Postprocessing, st.booleans(), st.floats(0, 0.95), st.integers(0, 4), st.sampled_from([1, 3, 5]),
        st.integers(0, 30), st.floats(-3, 3),
    ),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_slice_is_treated_alone_and_nothing_is_raised(step: Postprocessing, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maps = rng.normal(0, 3, (3, 32, 32)).astype(np.float32)
    images, restored = np.stack([_disc()] * 3), rng.random((3, 32, 32), np.float32)
    before = maps.copy()
    together = step.applied(maps, images, restored)
    np.testing.assert_array_equal(maps, before)
    for index in range(3):
        (alone,) = step.applied(maps[[index]], images[[index]], restored[[index]])
        np.testing.assert_array_equal(alone, together[index])
    if step.median == 1:
        assert ((together == maps) | (together == REMOVED)).all()
    assert together.max() <= maps.max()


def test_what_was_removed_is_never_raised() -> None:
    low = np.full((32, 32), -200, np.float32)
    assert (_applied(Postprocessing(erosion=3), low) == -200).all()


def test_speckle_is_removed_where_that_helps_and_nothing_is_done_where_nothing_does(lesioned: SliceTable) -> None:
    def exact(images: torch.Tensor) -> torch.Tensor:
        return (images == 1).float()

    def speckled(images: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(0)) > 0.97
        return exact(images) + 2 * noise

    kept, told = choose(exact, lesioned, CPU)
    assert kept == Postprocessing()
    assert told.raw == told.chosen == 1
    assert told.tried == 9  # nothing, and two values of each of four steps
    chosen, told = choose(speckled, lesioned, CPU)
    assert chosen.median > 1 or chosen.smallest > 0
    assert told.chosen > told.raw + 0.2
    for scorer, figure in ((speckled, told.raw), (postprocessed(speckled, chosen), told.chosen)):
        measured = evaluate(scorer, lesioned, device=CPU).pixel().average_precision
        assert measured == pytest.approx(figure, abs=1e-6)


def test_the_sign_of_the_residual_is_used_where_there_is_one(lesioned: SliceTable) -> None:
    """Bright tissue is reconstructed too bright by more than lesions are too dark."""

    def restorer(images: torch.Tensor) -> torch.Tensor:
        return torch.where(images == 1, 0.3, images + 0.8 * (images > 0.7))

    def residual(images: torch.Tensor) -> torch.Tensor:
        return (images - restorer(images)).abs()

    without, told = choose(residual, lesioned, CPU)
    assert not without.positive
    chosen, better = choose(residual, lesioned, CPU, restorer)
    assert chosen.positive
    assert better.chosen > told.chosen
    assert better.tried == told.tried + 1
    found = evaluate(postprocessed(residual, chosen, restorer), lesioned, device=CPU)
    assert found.pixel().average_precision == pytest.approx(better.chosen, abs=1e-6)


def test_a_table_without_anomalies_is_refused(healthy: SliceTable) -> None:
    with pytest.raises(BadInput, match=r"healthy.arrow: no pixel is anomalous; expected a probe"):
        choose(torch.logit, healthy, CPU)


def test_only_detectors_that_reconstruct_have_a_restorer() -> None:
    assert restorer_of(Segmenter(base=2, depth=1).build(Combo())) is None
    detector = Denoiser(base=2, depth=1).build(Combo()).eval()
    restorer, images = restorer_of(detector), torch.rand(2, 8, 8)
    assert restorer is not None
    torch.testing.assert_close(restorer(images), detector.reconstruction(images[:, None])[:, 0])


def test_the_entry_is_the_winners_own_maps_post_processed(
    healthy: SliceTable, lesioned: SliceTable, tmp_path: Path
) -> None:
    probe = build_probe(healthy, tmp_path / "probe.arrow", held_out=2, per_family=3, clean=4)
    training = Training(epochs=3, batch=8, learning_rate=0.02, precision="fp32")
    config = Config(PRESETS["dae"].synthesis, Denoiser(base=4, depth=1), training=training)
    tables = {"train": healthy, "probe": probe, "test": lesioned}
    data = {
        "study": "s",
        "config": to_dict(config),
        "controls": {},
        "seeds": [4, 5],
        "objective": {},
        "tables": {role: {"path": str(table.path), "digest": table.digest} for role, table in tables.items()},
    }
    folder = retrain(Best(tmp_path / "study", data), device="cpu", say=lambda _: None)
    result = json.loads((folder / "evaluation.json").read_text())
    raw, after, *floor = result["entries"]
    assert (raw["name"], raw["kind"], after["kind"]) == ("winner", "detector", "postprocessed")
    assert {entry["kind"] for entry in floor} == {"floor"}
    assert after["config"] == raw["config"]
    assert after["name"] in result["differences"]
    assert after["postprocessing"]["chosen_on"] == "probe"
    for index, one in enumerate(after["postprocessing"]["by_seed"]):
        job = next(path for path in (folder / "checkpoints").iterdir() if path.name.endswith(f"-{one['seed']}"))
        rows = healthy.rows_without(probe.subjects)
        *_, last = Job("winner", config, one["seed"], healthy, rows, "cpu", job).epochs()
        scorer, restorer = scorer_of(last.detector), restorer_of(last.detector)
        chosen, choice = choose(scorer, probe, CPU, restorer)
        assert one["settings"] == vars(chosen)
        assert one["on_probe"] == choice._asdict()
        assert evaluate(scorer, lesioned, device=CPU).figures() == raw["figures"][index]
        done = evaluate(postprocessed(scorer, chosen, restorer), lesioned, device=CPU)
        assert done.figures() == after["figures"][index]
