"""A run's history thinned and drawn."""

import json

import pytest

from audiocodec.errors import ConfigError
from audiocodec.training.curves import history, write


@pytest.fixture
def run(tmp_path):
    rows = []
    for step in range(1, 101):
        row = {
            "step": step,
            "loss": float(step),
            "mel": 2.0,
            "lr": 1e-3,
            "grad_norm": 1.0,
            "step_s": 0.5,
            "data_s": 0.01,
        }
        row |= {"adversarial": 1.0} if step > 50 else {}
        if step % 10 == 0:
            row["codebooks"] = {"usage": [0.5, 1.0], "perplexity": [2.0, 4.0], "effective_bits": [1.0, 2.0]}
        if step % 25 == 0:
            row["valid"] = {"stoi": step / 100, "pesq_wb": None}
        rows.append(row)
    rows[6] |= {"loss": None, "skipped": True}
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_points_are_means_and_gaps_stay_gaps(run):
    thinned = history(run, points=10)
    assert thinned["step"] == list(range(10, 101, 10)) and thinned["steps"] == 100 and thinned["skipped"] == 1
    assert thinned["curves"]["loss"][1] == pytest.approx(15.5)
    assert thinned["curves"]["loss"][0] == pytest.approx((55 - 7) / 9, rel=1e-4)
    assert thinned["curves"]["adversarial"] == [None] * 5 + [1.0] * 5
    assert thinned["data_share"] == 0.02 and len(thinned["codebooks"]) == 10
    assert [row["stoi"] for row in thinned["valid"]] == [0.25, 0.5, 0.75, 1.0]


def test_picture_and_file_are_written(run, tmp_path):
    picture, file = write(run, tmp_path / "out", points=20)
    assert picture.read_bytes().startswith(b"\x89PNG") and json.loads(file.read_text())["steps"] == 100


def test_a_folder_without_steps_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no steps there"):
        history(tmp_path)
