"""models.py: the listing says what the files say, and the same identity as the codec itself."""

import json
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from audiocodec.cli import main, models
from audiocodec.errors import CodecError, ConfigError
from audiocodec.pretrained import CONFIG_FILE

CARD = "---\nlicense: cc-by-4.0\nweights_sha256: {sha}\n---\n\n# tiny\n\nlicense: another word in the text\n"


@pytest.fixture
def folder(tiny_codec, tmp_path):
    """The tiny codec as a model folder with a card."""
    folder = tiny_codec.save_pretrained(tmp_path / "tiny")
    (folder / models.CARD_FILE).write_text(CARD.format(sha=tiny_codec.weights_sha256))
    return folder


@pytest.fixture
def listing(folder, monkeypatch):
    """Output of `audiocodec models` with arguments, when `folder` is all that is shipped."""
    monkeypatch.setattr(models, "shipped", lambda: [folder])
    return lambda *arguments: CliRunner().invoke(main.app, ["models", *arguments])


def test_json_says_what_the_codec_says(listing, tiny_codec, folder):
    said = json.loads(listing("--json").stdout)
    assert said["name"] == "tiny"
    assert said["sample_rate"] == tiny_codec.sample_rate
    assert said["n_q"] == tiny_codec.n_q
    assert said["codebook_size"] == tiny_codec.codebook_size
    assert said["bitrate_min"] == tiny_codec.bitrate(1)
    assert said["bitrate_max"] == tiny_codec.bitrate()
    assert said["weights_bytes"] == (folder / models.WEIGHTS_FILE).stat().st_size
    assert said["weights_sha256"] == said["weights_sha256_on_card"] == tiny_codec.weights_sha256
    assert said["licence"] == "cc-by-4.0"


def test_half_precision_files_have_the_identity_of_what_loads_from_them(tiny_codec, tmp_path):
    folder = tiny_codec.save_pretrained(tmp_path / "half", dtype=torch.float16)
    loaded = type(tiny_codec).from_pretrained(folder)
    assert models.read_model(folder).weights_sha256 == loaded.weights_sha256 != tiny_codec.weights_sha256


def test_the_text_names_rates_licence_and_hash(listing, tiny_codec):
    text = listing().stdout
    for part in ("tiny", "16000 Hz mono", "0.2 to 0.8 kbit/s", "1 to 4 codebooks of 16", "cc-by-4.0"):
        assert part in text
    assert tiny_codec.weights_sha256 in text


def test_no_model_is_said_clearly(monkeypatch):
    monkeypatch.setattr(models, "shipped", list)
    result = CliRunner().invoke(main.app, ["models"])
    assert result.exit_code == 0
    assert "No model comes with this installation" in result.stdout
    assert CliRunner().invoke(main.app, ["models", "--json"]).stdout == ""


def test_a_damaged_model_does_not_hide_the_others(folder, tiny_codec, tmp_path, monkeypatch, capsys):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / CONFIG_FILE).write_text("{}")
    monkeypatch.setattr(models, "shipped", lambda: [broken, folder])
    result = CliRunner().invoke(main.app, ["models"])
    assert result.exit_code == 1
    assert "tiny" in result.stdout
    assert str(broken) in result.stderr and result.stderr.count("\n") == 2  # its error, and "1 of 2"


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"sample_rate": "fast"}', '{"_target_": "os.system"}', "\xff"])
def test_a_bad_configuration_is_a_config_error(folder, text):
    (folder / CONFIG_FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"config\.json"):
        models.read_model(folder)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\x80\x04pickle")])
def test_bad_weights_are_a_codec_error(folder, damage):
    damage(folder / models.WEIGHTS_FILE)
    with pytest.raises(CodecError, match=r"model\.safetensors"):
        models.read_model(folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# no head\n\n---\nlicense: mit\n---\n", {}),
        ("---\nlicense: mit\n", {}),
        ("---\n- a list\n---\n", {}),
        ("---\nlicense: mit\n---\nbody", {"license": "mit"}),
    ],
)
def test_card_heads(tmp_path, text, expected):
    (tmp_path / "card.md").write_text(text)
    assert models.read_card(tmp_path / "card.md") == expected
    assert models.read_card(tmp_path / "missing.md") == {}


def test_a_card_head_that_is_no_yaml(tmp_path):
    (tmp_path / "card.md").write_text("---\n!!python/object:os.system {}\n---\n")
    with pytest.raises(ConfigError, match="not YAML"):
        models.read_card(tmp_path / "card.md")


def test_reading_a_model_imports_no_torch(folder):
    script = (
        "import sys\nfrom pathlib import Path\nfrom audiocodec.cli.models import read_model\n"
        "read_model(Path(sys.argv[1]))\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(folder)], check=False).returncode == 0
