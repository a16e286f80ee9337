"""doctor.py: a whole installation passes, and each planted fault is found with its cure."""

import builtins
import json
import sys
import tempfile

import pytest
from typer.testing import CliRunner

from audiocodec.cli import doctor, main, models


@pytest.fixture
def folder(tiny_codec, tmp_path):
    """A sound model folder, whose card states its checksum."""
    folder = tiny_codec.save_pretrained(tmp_path / "tiny")
    (folder / models.CARD_FILE).write_text(f"---\nlicense: mit\nweights_sha256: {tiny_codec.weights_sha256}\n---\n")
    return folder


@pytest.fixture
def no_import(monkeypatch):
    """Make the import of one package fail with a given error, as a broken installation does."""

    def block(package: str, error: BaseException) -> None:
        real = builtins.__import__

        def fail(name, *arguments, **options):
            if name == package:
                raise error
            return real(name, *arguments, **options)

        monkeypatch.delitem(sys.modules, package, raising=False)
        monkeypatch.setattr(builtins, "__import__", fail)

    return block


def report(*arguments: str):
    return CliRunner().invoke(main.app, ["doctor", *arguments])


def test_a_whole_installation_is_healthy(folder, monkeypatch):
    monkeypatch.setattr(doctor, "shipped", lambda: [folder])
    result = report("--json")
    said = json.loads(result.stdout)
    status = {check["name"]: check["status"] for check in said["checks"]}
    assert result.exit_code == 0 and said["ok"]
    assert [status[name] for name in ("audiocodec", "torch", "soundfile", "tiny", "writing")] == ["ok"] * 5


def test_no_model_is_a_failure_with_a_cure(monkeypatch):
    monkeypatch.setattr(doctor, "shipped", list)
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_models,))
    result = report()
    assert result.exit_code == 1
    assert "fail  models" in result.stdout and "cure: " in result.stdout


def test_a_sound_model(folder):
    check = doctor.check_model(folder)
    assert check.status == "ok" and "as its card says" in check.found


def test_a_model_without_checksum_is_a_warning(folder):
    (folder / models.CARD_FILE).unlink()
    assert doctor.check_model(folder).status == "warn"


def test_one_changed_weight_is_found(folder):
    weights = folder / models.WEIGHTS_FILE
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    check = doctor.check_model(folder)
    assert check.status == "fail" and "its card says" in check.found and "reinstall" in check.cure


def test_a_truncated_model_is_found(folder):
    weights = folder / models.WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-100])
    assert doctor.check_model(folder).status == "fail"


def test_a_model_that_decodes_to_nan_is_found(folder, tiny_codec):
    from safetensors.torch import load_file, save_file

    weights = folder / models.WEIGHTS_FILE
    save_file({key: value * float("nan") for key, value in load_file(weights).items()}, weights)
    (folder / models.CARD_FILE).unlink()
    assert doctor.check_model(folder).status == "fail"


def test_broken_torch(no_import):
    no_import("torch", OSError("libgomp.so.1: cannot open shared object file"))
    (check,) = doctor.check_torch()
    assert check.status == "fail" and "libgomp" in check.found and "pip install" in check.cure


def test_broken_torchaudio_names_the_library_and_the_cure(no_import):
    error = OSError("Could not load this library: x.so")
    error.__cause__ = OSError("libc10_cuda.so: cannot open shared object file")
    no_import("torchaudio", error)
    check = doctor.check_torchaudio()
    assert check.status == "warn" and "libc10_cuda.so" in check.found
    assert check.cure.endswith("*.so") and "rm " in check.cure


def test_a_gpu_that_this_torch_cannot_use(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    check = doctor.check_gpu()
    assert check.status == "warn" and "pip install" in check.cure
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.check_gpu().status == "ok"


def test_a_libsndfile_without_mp3(monkeypatch):
    monkeypatch.setattr("soundfile.available_formats", lambda: {"WAV": "", "FLAC": "", "OGG": ""})
    (check,) = doctor.check_soundfile()
    assert check.status == "warn" and "MP3" in check.found


def test_a_folder_that_cannot_be_written(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert [check.status for check in doctor.check_writing()] == ["warn", "warn"]


def test_missing_extras_are_named(monkeypatch):
    monkeypatch.setattr(doctor, "OPTIONAL", {"eval": ("pesq", "no_such_package")})
    check = next(iter(doctor.check_extras()))
    assert check.status == "ok" and "no_such_package" in check.found and "audiocodec[eval]" in check.cure
