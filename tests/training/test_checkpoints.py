"""Checkpoints: whole or absent, checked, pruned, and free of anything that could run."""

import os
import random
import shutil
import signal
import time

import pytest
import safetensors.torch
import torch

from audiocodec.codec import Codec
from audiocodec.errors import ConfigError, ModelMismatchError
from audiocodec.training import checkpoints
from audiocodec.training.checkpoints import Checkpoints
from audiocodec.training.export import export_checkpoint
from audiocodec.training.state import build_state

from .tiny_run import make_config


@pytest.fixture
def saved(tmp_path):
    """Configuration, state and store, with checkpoints of steps 1 to 3."""
    config = make_config(tmp_path)
    state = build_state(config, torch.device("cpu"))
    for parameter in [*state.codec.parameters(), *state.discriminators.parameters()]:
        parameter.grad = torch.randn_like(parameter)
    state.optimizer.step()
    state.discriminator_optimizer.step()
    state.ema.update(0)
    store = Checkpoints(tmp_path / "run/checkpoints", keep_last=3)
    for state.step in (1, 2, 3):
        store.save(state, config)
    return config, state, store


def test_everything_comes_back(saved):
    config, state, store = saved
    state.counters["best"], state.skipped = 0.5, 3
    state.step = 4
    other = build_state(make_config(store.folder.parents[1], run__seed=9), torch.device("cpu"))
    checkpoints.load(store.save(state, config), other)
    assert (other.step, other.skipped, other.counters) == (4, 3, {"best": 0.5})
    one, two = state.tensors(), other.tensors()
    assert one.keys() == two.keys()
    for stem in one:
        assert one[stem].keys() == two[stem].keys()
        assert all(torch.equal(one[stem][name], two[stem][name]) for name in one[stem])


def test_only_the_last_and_the_best_are_kept(saved):
    config, state, store = saved
    store.mark_best(1, 0.5)
    store.keep_last = 2
    for state.step in (4, 5):
        store.save(state, config)
    assert [p.name[-1] for p in store] == ["1", "4", "5"] and store.best() == 1


def test_a_damaged_checkpoint_is_passed_over_with_a_word(saved):
    _, _, store = saved
    said = []
    file = store.path(3) / "optimizer.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert store.latest(said.append) == store.path(2)
    assert "optimizer.safetensors is damaged; trying the one before" in said[0]
    (store.path(2) / "manifest.json").unlink()
    assert store.latest(said.append) == store.path(1)
    shutil.rmtree(store.path(1))
    assert store.latest(said.append) is None


def test_a_failing_save_leaves_nothing_and_hurts_nothing(saved, monkeypatch):
    config, state, store = saved
    written = []

    def fail(path, data):
        written.append(path)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(checkpoints, "_write", fail)
    state.step = 4
    with pytest.raises(OSError, match="No space"):
        store.save(state, config)
    assert sorted(p.name for p in store.folder.iterdir()) == [f"step-0000000{n}" for n in (1, 2, 3)]
    assert store.latest(pytest.fail) == store.path(3)


def test_a_kill_inside_a_save_never_costs_the_newest_whole_checkpoint(saved):
    """A process that does nothing but save is killed at random moments; what is left always loads."""
    config, state, store = saved
    store.keep_last = 2
    rng = random.Random(0)
    caught = 0
    for _ in range(15):
        child = os.fork()
        if child == 0:
            while True:
                state.step += 1
                store.save(state, config)
        time.sleep(rng.uniform(0.01, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        caught += bool(list(store.folder.glob(".step-*")))
        newest = list(store)[-1]
        assert store.latest(pytest.fail) == newest
        checkpoints.load(newest, state)
        assert newest == store.path(state.step)
        store.remove_drafts()
    assert caught, "no kill fell into a save: the test has shown nothing"


def test_drafts_of_a_killed_process_are_removed(saved):
    _, _, store = saved
    (store.folder / ".step-00000009.123").mkdir()
    store.remove_drafts()
    assert not list(store.folder.glob(".*"))


def test_a_checkpoint_is_a_codec_and_exports_its_average(saved, tmp_path):
    _, state, store = saved
    live = Codec.from_pretrained(store.path(3))
    assert torch.equal(next(live.parameters()), next(state.codec.parameters()))
    run = store.folder.parent
    codec = Codec.from_pretrained(export_checkpoint(run, tmp_path / "out"))
    name = next(iter(state.ema.average))
    assert torch.equal(codec.get_parameter(name), state.ema.average[name]) and not torch.equal(
        codec.get_parameter(name), state.codec.get_parameter(name)
    )
    raw = Codec.from_pretrained(export_checkpoint(store.path(2), tmp_path / "raw", averaged=False))
    assert torch.equal(raw.get_parameter(name), state.codec.get_parameter(name))
    half = export_checkpoint(run, tmp_path / "half", dtype=torch.float16, beam=3)
    assert Codec.from_pretrained(half).quantizer.beam == 3
    assert (half / "model.safetensors").stat().st_size < 0.7 * (tmp_path / "out/model.safetensors").stat().st_size


def test_a_blend_lies_between_two_models(saved, tmp_path):
    _, _, store = saved
    begin = export_checkpoint(store.path(2), tmp_path / "begin", averaged=False)
    weights = Codec.from_pretrained(begin).state_dict()
    safetensors.torch.save_file({k: v + v.is_floating_point() for k, v in weights.items()}, begin / "model.safetensors")
    blended = export_checkpoint(store.path(2), tmp_path / "blend", averaged=False, blend=(begin, 0.25))
    for name, value in Codec.from_pretrained(blended).state_dict().items():
        torch.testing.assert_close(value, weights[name] + (0.25 if value.is_floating_point() else 0))
    with pytest.raises(ConfigError, match="a share of 2"):
        export_checkpoint(store.path(2), tmp_path / "wrong", blend=(begin, 2.0))


def test_what_cannot_be_exported_is_named(saved, tmp_path):
    _, _, store = saved
    with pytest.raises(ConfigError, match="neither a checkpoint nor the folder of a run"):
        export_checkpoint(tmp_path / "data", tmp_path / "out")
    (store.path(3) / "ema.safetensors").write_bytes(b"")
    with pytest.raises(ModelMismatchError, match=r"ema\.safetensors is damaged"):
        export_checkpoint(store.path(3), tmp_path / "out")


def test_another_models_checkpoint_is_refused(saved, tmp_path):
    _, _, store = saved
    other = build_state(make_config(tmp_path, model__network__width=8), torch.device("cpu"))
    with pytest.raises(ModelMismatchError, match="does not fit this configuration"):
        checkpoints.load(store.path(3), other)
