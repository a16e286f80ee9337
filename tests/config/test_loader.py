"""The loader: merging, overrides, and what a user reads when something is wrong."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from audiocodec.config.base import Frozen
from audiocodec.config.loader import dump, load, merge, read_yaml, validate
from audiocodec.config.training import TrainConfig
from audiocodec.errors import ConfigError


class Vq(Frozen):
    kind: Literal["vq"] = "vq"
    codebook_size: int = 1024


class Fsq(Frozen):
    kind: Literal["fsq"] = "fsq"
    levels: tuple[int, ...] = (8, 5)


class Optim(Frozen):
    lr: float = 1e-3
    schedule: Literal["cosine", "linear"] = "cosine"


class Settings(Frozen):
    bottleneck: Annotated[Vq | Fsq, Field(discriminator="kind")] = Vq()
    optim: Optim = Optim()
    names: dict[str, float] = Field(default_factory=dict)


def write(folder: Path, text: str, name: str = "x.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def fault(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(Settings, path, overrides)
    return str(error.value)


@pytest.mark.parametrize("text", ["3e-4", "3.0e-4", "3E-4", "+3e-4", "0.0003", ".3e-3"])
def test_exponents_without_a_point_are_numbers(tmp_path, text):
    assert load(Settings, write(tmp_path, f"optim: {{lr: {text}}}")).optim.lr == pytest.approx(3e-4)
    assert read_yaml(write(tmp_path, f"a: {text}"))["a"] == pytest.approx(3e-4)


def test_overrides_come_last_and_are_typed(tmp_path):
    path = write(tmp_path, "optim: {lr: 1.0}\nbottleneck: {kind: fsq}")
    settings = load(Settings, path, ["optim.lr=3e-4", "bottleneck.levels=[4, 4]", "names.a=2"])
    assert settings == Settings(bottleneck=Fsq(levels=(4, 4)), optim=Optim(lr=3e-4), names={"a": 2.0})


def test_base_is_merged_below_and_relative_to_its_file(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "optim: {lr: 1.0, schedule: linear}\nnames: {a: 1}", "base.yaml")
    path = write(tmp_path / "sub", "base: ../base.yaml\noptim: {lr: 2.0}")
    assert load(Settings, path).optim == Optim(lr=2.0, schedule="linear")


def test_another_kind_replaces_the_base_whole():
    merged = merge({"b": {"kind": "vq", "codebook_size": 4}}, {"b": {"kind": "fsq"}})
    assert merged == {"b": {"kind": "fsq"}}
    assert merge({"b": {"kind": "vq", "codebook_size": 4}}, {"b": {"codebook_size": 8}})["b"]["kind"] == "vq"


def test_all_faults_come_at_once_with_path_value_and_nearest_name(tmp_path):
    message = fault(
        write(tmp_path, "optim: {lr: fast, shedule: linear}\nbottleneck: {kind: vq, codebok_size: 8}\nopptim: {}")
    )
    assert message.startswith(f"{tmp_path / 'x.yaml'}: 4 faults")
    assert "optim.lr: got 'fast', expected a valid number" in message
    assert "optim.shedule: unknown key; did you mean optim.schedule?" in message
    assert "bottleneck.codebok_size: unknown key; did you mean bottleneck.codebook_size?" in message
    assert "opptim: unknown key; did you mean optim?" in message


def test_a_key_in_the_wrong_section_is_found_where_it_belongs(tmp_path):
    assert "bottleneck.lr: unknown key; did you mean optim.lr?" in fault(
        write(tmp_path, "bottleneck: {kind: vq, lr: 1}")
    )


def test_wrong_choices_name_the_right_ones(tmp_path):
    message = fault(write(tmp_path, "optim: {schedule: cosin}\nbottleneck: {kind: rvq}"))
    assert "optim.schedule: got 'cosin', expected 'cosine' or 'linear'; did you mean 'cosine'?" in message
    assert "bottleneck.kind: got 'rvq', expected 'vq' or 'fsq'; did you mean 'vq'?" in message
    assert "bottleneck.kind: missing; expected 'vq' or 'fsq'" in fault(tmp_path / "x.yaml", "bottleneck={levels: [3]}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1", "not valid YAML"),
        ("- 1", "expected `key: value` lines, got a list"),
        ("optim: {lr: 1}\noptim: {lr: 2}", "key 'optim' twice"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("base: 3", "expected a path"),
        ("base: x.yaml", "round in a circle"),
        ("base: gone.yaml", "no such file"),
        ("optim: 3", "optim"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_words(tmp_path, text, expected):
    assert expected in fault(write(tmp_path, text))


@pytest.mark.parametrize("override", ["optim.lr", "=3", "optim..lr=3", "optim.lr=[1"])
def test_malformed_overrides_are_refused(tmp_path, override):
    assert override in fault(write(tmp_path, ""), override)


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert load(Settings, write(tmp_path, "")) == Settings() == load(Settings)


def test_what_dump_writes_reads_back_equal(tmp_path):
    config = load(TrainConfig, None, ["optim.lr=3e-5", "model.network.kind=seanet", "data.train=[a, b]"])
    assert load(TrainConfig, write(tmp_path, dump(config))) == config


def test_values_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        validate(Settings, {}, "x").optim.lr = 3.0
