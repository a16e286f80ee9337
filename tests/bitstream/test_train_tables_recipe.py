"""recipes/train_tables.py: from folders of .anc files to tables that make others smaller."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from audiocodec.bitstream.container import read
from audiocodec.bitstream.tables import Tables
from tests.bitstream.samples import make_info, make_markov, to_file

RECIPE = Path(__file__).parents[2] / "recipes" / "train_tables.py"


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    info = make_info(codebook_sizes=(17, 17, 17), sf_bits=(0, 1, 0))
    made = []
    for seed, name in enumerate(("train", "valid")):
        made.append(tmp_path / name)
        (made[-1] / "deeper").mkdir(parents=True)
        for number, codes in enumerate(make_markov(12, 260, seed=seed)):
            file = to_file(info, codes[None] << [[0], [1], [0]])
            (made[-1] / "deeper" / f"{number}.anc").write_bytes(file)
    return made


def call(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RECIPE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_tables_are_made_and_what_they_save_is_told(folders, tmp_path):
    done = call(*folders, "--out", tmp_path / "out.tables", "--max-rows", 16)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert [line[:11] for line in lines] == ["codebook  0", "codebook  1", "codebook  2"]
    report = json.loads(last)
    tables = Tables.from_bytes((tmp_path / "out.tables").read_bytes())
    assert report["tables_id"] == tables.id.hex()
    assert report["valid_bytes_tables"] < 0.8 * report["valid_bytes_fixed"]
    info, codes = read(io.BytesIO(next((tmp_path / "valid").rglob("*.anc")).read_bytes()))
    again = to_file(info, codes, tables=tables)
    assert (read(io.BytesIO(again), tables=tables)[1] == codes).all()


def test_a_folder_without_files_and_a_mixture_are_refused(folders, tmp_path):
    (tmp_path / "none").mkdir()
    other = to_file(make_info(), make_markov(1, 9, size=64, n_q=4)[0][None])
    (folders[1] / "other.anc").write_bytes(other)
    for places, message in (
        ((folders[0], tmp_path / "none"), "holds no .anc files"),
        (folders, "not all of one model"),
    ):
        done = call(*places, "--out", tmp_path / "out.tables")
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
