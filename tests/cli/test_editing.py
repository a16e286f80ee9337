"""`cut`, `truncate`, `cat`, `repair`: what they make, what they refuse, what they leave behind."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from audiocodec.bitstream.container import Reader, read
from audiocodec.cli.cat import cat
from audiocodec.cli.cut import cut
from audiocodec.cli.repair import repair
from audiocodec.cli.truncate import truncate
from audiocodec.errors import CodecError
from tests.bitstream.samples import SPEECH, make_codes, make_info, to_file

INFO = make_info(**SPEECH, original_rate=44_100, original_samples=10 * 44_100, tags={"title": "test"})
CODES = make_codes(INFO, 500)
app = typer.Typer()
for command in (cut, truncate, cat, repair):
    app.command()(command)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "in.anc"
    path.write_bytes(to_file(INFO, CODES, packet_frames=50))
    return path


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def codes_in(path: Path) -> np.ndarray:
    return read(io.BytesIO(path.read_bytes()))[1]


def test_cut_by_seconds(file, tmp_path):
    target = tmp_path / "out.anc"
    output = call("cut", file, 2.5, 4, "-o", target)
    assert output == f"{target}: 1.500 s, 12 codebooks, {target.stat().st_size} bytes\n"
    assert (codes_in(target) == CODES[:, :, 125:200]).all()
    call("cut", file, 9.001, "-o", target, "--force")
    assert codes_in(target).shape[2] == 50


def test_truncate_by_codebooks_and_by_rate(file, tmp_path):
    for arguments, n_q in (
        (("--n-q", 3), 3),
        (("--bitrate", 1.6), 3),
        (("--bitrate", 0.1), 1),
        (("--bitrate", 99), 12),
    ):
        target = tmp_path / f"{arguments[1]}.anc"
        call("truncate", file, "-o", target, *arguments)
        assert (codes_in(target) == CODES[:, :n_q]).all()


def test_cat_joins_in_order(file, tmp_path):
    call("cut", file, 0, 3, "-o", tmp_path / "a.anc")
    call("cut", file, 3, "-o", tmp_path / "b.anc")
    call("cat", tmp_path / "a.anc", tmp_path / "b.anc", "-o", tmp_path / "whole.anc")
    assert (codes_in(tmp_path / "whole.anc") == CODES).all()
    assert read(io.BytesIO((tmp_path / "whole.anc").read_bytes()))[0].original_samples == 441_000


def test_repair_tells_what_is_lost(file, tmp_path):
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    output = call("repair", file, "-o", tmp_path / "out.anc")
    assert "9 good packets, 500 frames (10.00 s), 50 lost" in output
    assert (
        sum(codes.shape[2] for codes in Reader(io.BytesIO((tmp_path / "out.anc").read_bytes()), tolerant=True)) == 500
    )


def test_repair_with_the_header_of_another_file(file, tmp_path):
    other = tmp_path / "other.anc"
    other.write_bytes(to_file(make_info(**SPEECH, original_rate=44_100, tags={"title": "other"}), CODES[:, :, :9]))
    file.write_bytes(bytes(30) + file.read_bytes()[30:])
    with pytest.raises(CodecError):
        call("repair", file, "-o", tmp_path / "out.anc")
    call("repair", file, "-o", tmp_path / "out.anc", "--header-from", other)
    info, codes = read(io.BytesIO((tmp_path / "out.anc").read_bytes()))
    assert (codes == CODES).all()
    assert (info.original_samples, info.tags) == (441_000, {})


@pytest.mark.parametrize(
    "arguments",
    [("cut", 5, 4), ("cut", 0, 11), ("cut", "nan"), ("truncate", "--n-q", 13), ("cat", "missing.anc"), ("repair",)],
)
def test_what_cannot_be_done_leaves_nothing_behind(arguments, file, tmp_path):
    if arguments[0] == "repair":
        file.write_bytes(b"no .anc file at all")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CodecError):
        call(arguments[0], file, *arguments[1:], "-o", tmp_path / "out.anc")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_overwritten_without_force(file, tmp_path):
    for arguments in (("cut", file, 1), ("truncate", file, "--n-q", 2), ("cat", file), ("repair", file)):
        with pytest.raises(CodecError, match="exists already"):
            call(*arguments, "-o", file)
    assert (codes_in(file) == CODES).all()


def test_truncate_wants_exactly_one_way_to_say_how_much(file, tmp_path):
    for arguments in ((), ("--n-q", "2", "--bitrate", "3")):
        result = CliRunner().invoke(app, ["truncate", str(file), "-o", str(tmp_path / "out.anc"), *arguments])
        assert result.exit_code == 2


def test_pipes(file):
    result = CliRunner().invoke(app, ["truncate", "-", "-o", "-", "--n-q", "2"], input=file.read_bytes())
    assert result.exit_code == 0
    assert (read(io.BytesIO(result.stdout_bytes))[1] == CODES[:, :2]).all()


def test_no_command_needs_torch():
    code = (
        "import sys, audiocodec.cli.cut, audiocodec.cli.truncate, audiocodec.cli.cat, audiocodec.cli.repair, "
        "audiocodec.bitstream.edit, audiocodec.bitstream.repair, audiocodec.bitstream.train_tables, "
        "audiocodec.audio.atomic; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
