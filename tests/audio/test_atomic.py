import os
import stat

import pytest

from audiocodec.audio.atomic import atomic_output, check_target
from audiocodec.errors import AudioError


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "out.bin"
    with atomic_output(target) as file:
        file.write(b"data")
        assert not target.exists()
    assert target.read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("end", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_the_block_leaves_nothing_behind(tmp_path, end):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(end), atomic_output(target, overwrite=True) as file:
        file.write(b"half")
        raise end
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_refuses_to_replace_unless_asked(tmp_path):
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(AudioError, match=r"out\.bin: exists already.*--force"), atomic_output(target):
        pass
    with atomic_output(target, overwrite=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_a_file_that_another_program_makes_meanwhile_is_left_alone(tmp_path):
    target = tmp_path / "out.bin"
    with pytest.raises(AudioError, match="meanwhile"), atomic_output(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_rights_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    with atomic_output(tmp_path / "out"):
        pass
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_name_of_255_bytes_is_fine(tmp_path):
    with atomic_output(tmp_path / ("n" * 255)) as file:
        file.write(b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_output(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"x"


def test_a_device_is_written_directly():
    with atomic_output("/dev/null") as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_impossible_targets_are_named_before_any_work(tmp_path):
    with pytest.raises(AudioError, match="is a folder"):
        check_target(tmp_path)
    with pytest.raises(AudioError, match=r"none/out: the folder .*none does not exist"):
        check_target(tmp_path / "none" / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AudioError, match="cannot be written"):
        check_target(tmp_path / "file" / "out")
    with pytest.raises(AudioError, match="cannot be written"):
        check_target(tmp_path / ("n" * 256))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(AudioError, match="locked cannot be written"):
        check_target(tmp_path / "locked" / "out")
