"""core.predict and the MOOD scripts, run as users run them."""

import csv
import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import core.predict
import core.prediction.scans
from core.prediction import Prediction, Predictor, load_inference
from core.prediction.volume import predict_volume
from core.probes import build_probe
from core.protocols.mood import score_folder
from core.slices.table import SliceTable
from tests import forked, inline
from tests.prediction.conftest import Store, head

ROOT = Path(__file__).parents[2]
MOOD = ROOT / "cluster" / "mood"


def program(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return inline.run("core.predict", [*arguments, "--device", "cpu"], cwd=cwd)


def test_a_folder_with_a_bad_scan(detector: Path, store: Store, tmp_path: Path) -> None:
    """Good ones are written, the bad one is one line, and the exit code tells."""
    store("a.nii.gz", head(1), "PSR")
    store("b.nii", head(2), "LAS")
    (tmp_path / "scans" / "c.nii.gz").write_bytes(b"\x1f\x8b damaged")
    command = [sys.executable, "-m", "core.predict", "detector", "scans", "--out", "out", "--mask", "--pictures"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("skipped: scans/c.nii.gz: its gzip compression is")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    expected = {f"{name}{ending}" for name in "ab" for ending in ("_anomaly.nii.gz", "_mask.nii.gz", ".png")}
    assert made == expected | {"scores.csv", "slice_scores.csv", "prediction.json"}
    with (tmp_path / "out" / "scores.csv").open() as file:
        assert [row["volume"] for row in csv.DictReader(file)] == ["a", "b"]
    told = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert told["detectors"][0]["threshold_logit"] == 0.5
    assert [name for name, _ in told["skipped"]] == ["c.nii.gz"]
    for name in ("a.nii.gz", "b.nii"):
        scan, found = nib.load(tmp_path / "scans" / name), nib.load(tmp_path / "out" / f"{name[0]}_anomaly.nii.gz")
        assert found.shape == scan.shape
        np.testing.assert_array_equal(found.affine, scan.affine)


def test_mistakes_are_one_sentence_and_leave_nothing(detector: Path, store: Store, tmp_path: Path) -> None:
    store("c.nii.gz", head()).write_bytes(b"\x1f\x8b damaged")
    mistakes = [
        (["detector", "scans"], "none of 1 scans can be used"),
        (["scans"], "there is no best.json"),
        (["detector", "scans", "--out", "scans"], "is the folder of the scans"),
        (["detector", "detector", "scans", "--probe", "p.arrow"], "--train and --probe belong to one detector"),
        (["scans", "detector/config.json"], "expected a .nii or .nii.gz file"),
        (["detector", "scans/c.nii.gz", "scans/c.nii.gz"], "c.nii.gz: expected a detector's folder; several"),
    ]
    for arguments, sentence in mistakes:
        done = program("--out", "out", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "out").exists()
    assert [file.name for file in (tmp_path / "scans").iterdir()] == ["c.nii.gz"]


def test_what_was_finished_before_a_refusal_is_in_the_tables(detector: Path, store: Store, tmp_path: Path) -> None:
    """A folder stands where the second scan's map, mask or picture should be; without it, the same call does all."""
    for seed, name in enumerate("abc"):
        store(f"{name}.nii.gz", head(seed))
    words = ["detector", "scans", "--out", "out", "--mask", "--pictures"]
    for ending in ("_anomaly.nii.gz", "_mask.nii.gz", ".png"):
        barrier = tmp_path / "out" / f"b{ending}"
        barrier.mkdir(parents=True)
        done = program(*words, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr == f"error: the system refused a file operation 'out/b{ending}': Is a directory\n"
        assert "wrote 1 maps, scores.csv and slice_scores.csv into out" in done.stdout
        assert told(tmp_path / "out") == ({"a"}, ["a"], ["b.nii.gz", "c.nii.gz"])
        assert not [path.name for path in (tmp_path / "out").iterdir() if path.name[0] in ".c"]
        barrier.rmdir()
    done = program(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert told(tmp_path / "out") == ({"a", "b", "c"}, ["a", "b", "c"], [])


def test_names_that_would_spoil_a_table(detector: Path, store: Store, tmp_path: Path) -> None:
    """They cannot all be written as text: such a scan is skipped, told with its name escaped, and harms no other."""
    odd = {b"a\nb.nii": r"a\nb.nii", b"\x1b[31mred.nii": r"\x1b[31mred.nii", b"\xff.nii": r"\udcff.nii"}
    for name in (*odd, "é=1,b.nii".encode()):
        store("x.nii", head()).rename(tmp_path / "scans" / os.fsdecode(name))
    words = ["detector", "scans", "--out", "out", "--device", "cpu"]
    done = forked.run("core.predict", words, cwd=tmp_path, env={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 3, done.stderr
    reason = "its name holds a character that cannot be printed"
    assert sorted(done.stderr.splitlines()) == sorted(f"skipped: {name}: {reason}" for name in odd.values())
    assert told(tmp_path / "out") == ({"é=1,b"}, ["é=1,b"], [])
    (tmp_path / "scans" / "é=1,b.nii").unlink()
    done = forked.run("core.predict", words, cwd=tmp_path, env=os.environ)
    assert done.returncode == 2
    assert "none of 3 scans can be used" in done.stderr


def test_a_folder_whose_name_is_no_text_and_a_link_in_a_circle(detector: Path, store: Store, tmp_path: Path) -> None:
    """Why a scan was skipped is told with that folder, also in prediction.json."""
    store("a.nii.gz", head())
    folder = (tmp_path / "scans").rename(tmp_path / os.fsdecode(b"M\xfcller"))
    (folder / "b.nii.gz").symlink_to("b.nii.gz")
    words = ["detector", str(folder), "--out", "out", "--device", "cpu"]
    done = forked.run("core.predict", words, cwd=tmp_path, env=os.environ)
    assert done.returncode == 3, done.stderr
    reason = f"{folder / 'b.nii.gz'}: cannot be read (Too many levels of symbolic links)"
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())["skipped"] == [["b.nii.gz", reason]]
    assert told(tmp_path / "out") == ({"a"}, ["a"], [])


def told(out: Path) -> tuple[set[str], list[str], list[str]]:
    """Scans of slice_scores.csv and of scores.csv, and the unfinished ones of prediction.json."""
    with (
        (out / "scores.csv").open(encoding="utf-8") as scores,
        (out / "slice_scores.csv").open(encoding="utf-8") as slices,
    ):
        rows = [[row["volume"] for row in csv.DictReader(file)] for file in (slices, scores)]
    return set(rows[0]), rows[1], json.loads((out / "prediction.json").read_text())["unfinished"]


def test_what_was_finished_before_an_interruption_is_in_the_tables(
    detector: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where nothing was finished, the tables of an earlier call are as they were."""
    for seed, name in enumerate("abc"):
        store(f"{name}.nii.gz", head(seed))

    def interrupted_at(name: str) -> None:
        def predict_or_stop(path: Path, predictors: list[Predictor]) -> Prediction:
            if path.name == name:
                raise KeyboardInterrupt
            return predict_volume(path, predictors)

        monkeypatch.setattr(core.prediction.scans, "predict_volume", predict_or_stop)
        with pytest.raises(KeyboardInterrupt):
            core.predict.main([detector, tmp_path / "scans"], tmp_path / "out", device="cpu")

    interrupted_at("a.nii.gz")
    assert not (tmp_path / "out").exists()
    for _ in range(2):
        interrupted_at("c.nii.gz")
        assert told(tmp_path / "out") == ({"a", "b"}, ["a", "b"], ["c.nii.gz"])
    before = (tmp_path / "out" / "scores.csv").stat()
    interrupted_at("a.nii.gz")
    assert (tmp_path / "out" / "scores.csv").stat() == before


SEALED = 'mount --make-rprivate / && mount --bind "$2" "$2" && mount -o remount,bind,ro / && exec "$0" "$@"'


@pytest.fixture
def sealed() -> list[str]:
    """A command prefix: no network, and every file system below / read-only but for the third word, OUT."""
    prefix = ["unshare", "--mount", "--net", "sh", "-c", SEALED]
    if subprocess.run([*prefix, "true", "/tmp", "/tmp"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not mount read-only file systems in a namespace of its own")
    return prefix


@pytest.mark.parametrize(("level", "region"), [("pixel", "brain"), ("sample", "abdom")])
def test_the_mood_scripts_answer_on_a_read_only_system(
    level: str, region: str, sealed: list[str], detector: Path, store: Store, tmp_path: Path
) -> None:
    names = ["case_1.nii.gz", "case_2.nii.gz"]
    for seed, name in enumerate(names):
        store(name, head(seed) / 1000, "LAS")
    (tmp_path / "scans" / "damaged.nii.gz").write_bytes(b"no scan")
    out, entry = tmp_path / "pred", tmp_path / "entry" / region
    out.mkdir()
    entry.mkdir(parents=True)
    detector.rename(entry / "axial")
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "DETECTORS": str(entry.parent),
    }  # fmt: skip
    command = [*sealed, MOOD / f"run_{level}_{region}.sh", tmp_path / "scans", out]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = sorted(path.name for path in out.iterdir())
    if level == "sample":
        assert answers == [f"{name}.txt" for name in names]
        scores = [(out / name).read_text().splitlines() for name in answers]
        assert all(len(lines) == 1 and 0 <= float(lines[0]) <= 1 for lines in scores)
        return
    assert answers == names
    for name in names:
        case, answer = nib.load(tmp_path / "scans" / name), nib.load(out / name)
        assert answer.shape == case.shape
        assert answer.get_data_dtype() == np.float32
        np.testing.assert_array_equal(answer.affine, case.affine)
        values = answer.get_fdata(dtype=np.float16)
        assert np.isfinite(values).all()
        assert 0 <= values.min() < values.max() <= 1
    truth, scores = [], []
    (tmp_path / "label").mkdir()
    for name in names:
        answer = nib.load(out / name)
        label = np.zeros(answer.shape, np.uint8)
        label[tuple(slice(side // 3, side // 2) for side in answer.shape)] = 1
        nib.save(nib.Nifti1Image(label, answer.affine), tmp_path / "label" / name)
        truth.append(label.ravel())
        scores.append(answer.get_fdata(dtype=np.float16).ravel())
    expected = average_precision_score(np.concatenate(truth), np.concatenate(scores))
    scored = score_folder(out, tmp_path / "label", "pixel")["pooled"]["average_precision"]
    assert scored == pytest.approx(expected, abs=1e-12)


def test_the_mood_scripts_are_sound_and_say_what_they_expect(tmp_path: Path) -> None:
    scripts = sorted(MOOD.glob("*.sh"))
    for level, region in product(("pixel", "sample"), ("brain", "abdom")):
        text = (MOOD / f"run_{level}_{region}.sh").read_text()
        assert text.endswith(f'run.sh" {level} {region} "$@"\n')
    assert len(scripts) == 5
    shellcheck = Path(sys.executable).with_name("shellcheck")
    checked = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    wrong = subprocess.run([MOOD / "run_pixel_brain.sh", tmp_path], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr == "error: expected two folders, IN and OUT\n"
    bare = {**os.environ, "PYTHON": sys.executable, "DETECTORS": str(tmp_path)}
    (tmp_path / "out").mkdir()
    call = [MOOD / "run_pixel_brain.sh", tmp_path, tmp_path / "out"]
    none = subprocess.run(call, capture_output=True, text=True, check=False, env=bare)
    assert none.returncode == 2, none.stderr
    assert none.stderr.startswith("error: ")


def test_a_mood_answer_does_not_replace_its_case(detector: Path, store: Store, tmp_path: Path) -> None:
    case = store("case.nii.gz", head())
    before = case.read_bytes()
    for source in ("scans", "scans/case.nii.gz"):
        done = inline.run("core.mood", ["pixel", source, "scans", "detector"], cwd=tmp_path)
        assert done.returncode == 2
        assert "is the folder of case.nii.gz, which a map of the same name would replace" in done.stderr
    assert case.read_bytes() == before


def test_a_map_is_packed_as_its_name_says(detector: Path, store: Store, tmp_path: Path) -> None:
    scan = store("case.nii.gz", head())
    answers = []
    for name in ("case.nii.gz", "case.NII.GZ"):
        scan = scan.rename(scan.with_name(name))
        done = inline.run("core.mood", ["pixel", "scans", "answers", "detector"], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        answers.append((tmp_path / "answers" / name).read_bytes())
    assert answers[0] == answers[1]


def test_a_scan_unlike_the_training_scans_is_told(store: Store, tmp_path: Path, detector: Path) -> None:
    """The scale of the maps holds for scans that look like those that set it."""
    store("scan.nii.gz", head())
    content = json.loads((detector / "inference.json").read_text())
    for lowest, highest in ((0.05, 0.06), (0.5, 0.6)):
        content["calibration"] = {"logits": [-400.0, 400.0], "values": [lowest, highest]}
        (detector / "inference.json").write_text(json.dumps(content))
        done = program("detector", "scans", "--out", "out", cwd=tmp_path)
        assert done.returncode == 0
        told = json.loads((tmp_path / "out" / "prediction.json").read_text())["unlike"]
        assert told == ({"scan": 1.0} if lowest == 0.5 else {})
        assert done.stderr.startswith("scan: 100% of its tissue is above 0.27, " if told else "")
        assert bool(done.stderr) == bool(told)


def test_air_that_is_not_0_is_told(store: Store, tmp_path: Path, detector: Path) -> None:
    """It counts as tissue, which makes the map of a patient low everywhere; scans that are scored later keep what was
    told of it."""
    store("airy.nii.gz", head() + 100)
    store("scan.nii.gz", head())
    done = program("detector", "scans", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert "airy: 44% of the frame's edge counts as tissue, as air around a head does that is not 0; " in done.stderr
    assert "scan: " not in done.stderr
    done = program("detector", "scans/scan.nii.gz", "--out", "out", cwd=tmp_path)
    assert "edge" not in done.stderr
    assert list(json.loads((tmp_path / "out" / "prediction.json").read_text())["edge"]) == ["airy"]


def test_one_training_with_a_probe_scores_scans(store: Store, healthy: SliceTable, tmp_path: Path) -> None:
    build_probe(healthy, tmp_path / "probe.arrow", held_out=2, per_family=2, clean=4)
    store("scan.nii.gz", head())
    settings = ("detector.base=2", "detector.depth=2", "training.epochs=1")
    words = ["--train", str(healthy.path), "--probe", "probe.arrow"]
    words += [word for setting in settings for word in ("--set", setting)]
    done = forked.run("core.train", words, cwd=tmp_path, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert "24 slices of 4 subjects" in done.stdout
    inference = load_inference(tmp_path / "runs" / "train")
    assert inference is not None
    assert inference.calibration is not None
    assert inference.threshold is not None
