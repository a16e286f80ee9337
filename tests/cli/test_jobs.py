"""jobs.py: which files are taken and where results go."""

import os
import sys
from pathlib import Path

import pytest
import typer

from audiocodec.cli import jobs
from audiocodec.cli.jobs import AUDIO_ENDINGS, find_inputs, folder_for, plan
from audiocodec.errors import CodecError


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """a.wav, sub/b.FLAC, sub/deep/c.mp3, notes.txt below the current folder."""
    for name in ("a.wav", "sub/b.FLAC", "sub/deep/c.mp3", "notes.txt"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def targets(arguments, output):
    return [str(job.target) for job in plan(find_inputs(arguments, AUDIO_ENDINGS), output, ".anc")]


def test_a_file_lands_beside_itself_or_where_it_is_told(tree):
    assert targets(["in/a.wav"], None) == ["in/a.anc"]
    assert targets(["in/a.wav"], "out.anc") == ["out.anc"]
    assert targets(["in/a.wav"], "out/") == ["out/a.anc"]
    assert targets(["in/a.wav"], "in/sub") == ["in/sub/a.anc"]
    assert targets(["in/notes.txt"], None) == ["in/notes.anc"]  # named by the user: the ending does not matter


def test_a_folder_is_mirrored(tree):
    assert targets(["in"], "out") == ["out/a.anc", "out/sub/b.anc", "out/sub/deep/c.anc"]
    assert targets(["in"], None) == ["in/a.anc", "in/sub/b.anc", "in/sub/deep/c.anc"]


def test_a_glob_is_mirrored_below_its_fixed_part(tree):
    assert targets(["in/**/*.mp3"], "out") == ["out/sub/deep/c.anc"]
    assert targets(["in/sub/*/*"], "out") == ["out/deep/c.anc"]
    assert targets(["in/[a-c].wav"], "out") == ["out/a.anc"]
    (tree / "in" / "x[1].wav").touch()
    assert targets(["in/x[1].wav"], None) == ["in/x[1].anc"]  # a file of that very name is no glob


def test_several_inputs_need_a_folder_and_come_once(tree):
    assert targets(["in/a.wav", "in/sub/b.FLAC"], "out") == ["out/a.anc", "out/b.anc"]
    assert targets(["in", "in/a.wav"], "out") == ["out/a.anc", "out/sub/b.anc", "out/sub/deep/c.anc"]
    with pytest.raises(CodecError, match=r"notes\.txt: is a file; several inputs need a folder"):
        targets(["in/a.wav", "in/sub/b.FLAC"], "in/notes.txt")


def test_two_inputs_never_share_a_result(tree):
    (tree / "in" / "a.flac").touch()
    with pytest.raises(CodecError, match=r"in/a\.flac and in/a\.wav would both become in/a\.anc"):
        targets(["in"], None)
    with pytest.raises(CodecError, match=r"would both become out/c\.anc"):
        targets(["in/sub/deep/c.mp3", "in/c.wav"], "out/")
    with pytest.raises(CodecError, match="standard output"):
        targets(["in/a.wav", "in/sub/b.FLAC"], "-")


def test_standard_input_goes_to_standard_output_unless_told(tree):
    assert targets(["-"], None) == ["None"]
    assert targets(["-"], "x.anc") == ["x.anc"]
    assert targets(["in/a.wav"], "-") == ["None"]


def test_nothing_found_is_said(tree):
    with pytest.raises(CodecError, match="no file has a name like this"):
        find_inputs(["in/*.ogg"], AUDIO_ENDINGS)
    (tree / "empty").mkdir()
    with pytest.raises(CodecError, match=r"empty: this folder holds no file that ends in \.wav"):
        find_inputs(["empty"], AUDIO_ENDINGS)


NASTY = [
    "..wav",
    "...",
    "-x.wav",
    "a b.wav",
    "new\nline.wav",
    "ü\u202e.wav",
    "~.wav",
    "$HOME.wav",
    "n" * 250 + ".wav",
    "...",
]


@pytest.mark.parametrize("name", NASTY)
def test_results_stay_below_the_output_folder(tree, name):
    (tree / "in" / name).touch()
    for item in find_inputs(["in", f"in/{name}"], ["", *AUDIO_ENDINGS]):
        (job,) = plan([item], "out/", ".anc")
        assert os.path.realpath(job.target).startswith(str(tree / "out") + os.sep)
        assert job.target.suffix == ".anc"


def test_folders_are_not_followed_out_of_the_tree(tree):
    (tree / "elsewhere").mkdir()
    (tree / "elsewhere" / "secret.wav").touch()
    (tree / "in" / "link").symlink_to(tree / "elsewhere")
    assert not any("secret" in str(item) for item in find_inputs(["in"], AUDIO_ENDINGS))


def test_folders_made_for_nothing_go_away_again(tree):
    with pytest.raises(ValueError), folder_for(Path("in/new/deep/x.anc")):
        assert (tree / "in/new/deep").is_dir()
        raise ValueError
    assert sorted(os.listdir("in")) == ["a.wav", "notes.txt", "sub"]
    with folder_for(Path("in/new/deep/x.anc")):
        Path("in/new/deep/x.anc").touch()
    assert Path("in/new/deep/x.anc").exists()


def test_bytes_do_not_go_to_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with pytest.raises(typer.BadParameter, match="-o"):
        jobs.standard_output("a .anc file")
