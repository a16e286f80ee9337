"""The loop as a whole: what it leaves behind, and that stopping changes nothing."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from audiocodec.codec import Codec
from audiocodec.config.loader import validate
from audiocodec.config.training import TrainConfig
from audiocodec.errors import ConfigError, ModelMismatchError
from audiocodec.training import trainer as trainer_module
from audiocodec.training.export import export_checkpoint
from audiocodec.training.signals import StopRequest
from audiocodec.training.telemetry import read_metrics

from .tiny_run import accelerator, final_tensors, losses, make_config, run


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int, number: int = signal.SIGTERM) -> None:
    """Send a real signal to this process while step `step` is being trained."""
    original = trainer_module.Trainer._step

    def step_then_signal(self, batch):
        row = original(self, batch)
        if row["step"] == step:
            os.kill(os.getpid(), number)
        return row

    monkeypatch.setattr(trainer_module.Trainer, "_step", step_then_signal)


def test_a_run_leaves_metrics_checkpoints_config_and_a_model_that_loads(tmp_path):
    config = make_config(tmp_path, data__valid=str(tmp_path / "data"), run__validate_every=6, data__valid_items=2)
    assert run(config) == 0
    assert len(losses(config)) == 12
    rows = read_metrics(tmp_path / "run/metrics.jsonl")
    assert {"mel", "lr", "grad_norm", "audio_per_s", "data_s"} <= rows[0].keys()
    assert "adversarial" not in rows[4] and {"adversarial", "feature_matching", "discriminator"} <= rows[5].keys()
    assert rows[5]["valid"]["mel"] > 0 and rows[11]["codebooks"]["usage"][0] > 0
    names = {p.name for p in (tmp_path / "run/checkpoints").iterdir()}
    assert names >= {"step-00000008", "step-00000012"} and "step-00000004" not in names
    codec = Codec.from_pretrained(tmp_path / "run/model")
    assert codec.decode(codec.encode(torch.zeros(1, 1, 700)), 700).shape == (1, 1, 700)


@pytest.mark.parametrize(
    ("warmup", "stop", "number", "code"), [(0, 9, signal.SIGINT, 130), (7, 6, signal.SIGTERM, 143)]
)
def test_a_stopped_run_resumes_to_the_same_numbers(tmp_path, monkeypatch, warmup, stop, number, code):
    changes = {"model__quantizer__warmup": warmup, "loss__balancer": bool(warmup)}
    whole = make_config(tmp_path, run__dir=str(tmp_path / "whole"), **changes)
    run(whole)
    broken = make_config(tmp_path, run__dir=str(tmp_path / "broken"), **changes)
    with monkeypatch.context() as patch:
        stop_after(patch, stop, number)
        assert run(broken) == code
    assert len(losses(broken)) == stop
    assert run(broken, "auto") == 0
    assert losses(broken) == losses(whole)
    one, two = final_tensors(whole), final_tensors(broken)
    assert one.keys() == two.keys() and {n.partition("/")[0] for n in one} >= {"model", "ema", "discriminators"}
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_signal_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    request = StopRequest()
    assert signal.getsignal(signal.SIGTERM) != before
    request.close()
    assert signal.getsignal(signal.SIGTERM) == before


def test_micro_batches_train_like_one_batch(tmp_path):
    """Without noise and without a GAN, splitting the batch changes the sums' rounding only."""
    changes = {"model__quantizer__method": "diveq_detach", "discriminator__start_step": 1000, "run__max_steps": 8}
    whole = make_config(tmp_path, run__dir=str(tmp_path / "1"), **changes)
    split = make_config(tmp_path, run__dir=str(tmp_path / "2"), run__accumulate=2, **changes)
    run(whole)
    run(split)
    torch.testing.assert_close(losses(split), losses(whole), rtol=1e-4, atol=0)


def test_bf16_starts_with_the_same_losses_and_stays_finite(tmp_path):
    changes = {"discriminator__start_step": 0, "discriminator__warmup_steps": 0, "run__max_steps": 6}
    full = make_config(tmp_path, run__dir=str(tmp_path / "full"), **changes)
    half = make_config(tmp_path, run__dir=str(tmp_path / "half"), run__mixed_precision="bf16", **changes)
    run(full)
    run(half)
    assert losses(half)[0] == pytest.approx(losses(full)[0], rel=0.02)
    assert losses(half)[5] == pytest.approx(losses(full)[5], rel=0.2)
    rows = read_metrics(tmp_path / "half/metrics.jsonl")
    assert all(row["discriminator_grad_norm"] > 0 for row in rows) and not any("skipped" in row for row in rows)


def test_an_overflow_of_the_discriminators_does_not_hold_up_the_generator(tmp_path):
    changes = {"discriminator__start_step": 0, "discriminator__warmup_steps": 0, "run__mixed_precision": "fp16"}
    trainer = trainer_module.Trainer(make_config(tmp_path, **changes), accelerator("fp16"))
    trainer.display.close()
    state = trainer.state
    state.discriminator_scaler.scale = 1e39
    nets = (state.codec.encoder, state.discriminators)
    before = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in nets]
    row = trainer._step(trainer._load(0))
    after = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in nets]
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [True, False] and "skipped" not in row and state.discriminator_scaler.scale == 0.5e39


def test_batches_that_are_not_finite_are_skipped_then_end_the_run(tmp_path, monkeypatch, capsys):
    config = make_config(tmp_path, run__nan_limit=3)
    original = trainer_module.Trainer._load
    bad = {3, 6, 7, 8}

    def load(self, step):
        batch = original(self, step)
        if step in bad:
            batch.wav[:] = float("nan")
        return batch

    monkeypatch.setattr(trainer_module.Trainer, "_load", load)
    with pytest.raises(Exception, match=r"3 steps in a row without a finite loss: stopped at step 9"):
        run(config)
    assert "step 4: loss or gradient is not finite; skipped (1 of 3 in a row)" in capsys.readouterr().err
    rows = read_metrics(tmp_path / "run/metrics.jsonl")
    assert rows[3]["loss"] is None and rows[3]["skipped"] and rows[4]["loss"] > 0
    bad.clear()
    assert run(config, "auto") == 0  # what was saved is sound
    assert all(t.isfinite().all() for t in final_tensors(config).values())
    assert list((tmp_path / "run").glob("not-finite-step-9-*.npy"))


def test_a_full_disk_costs_a_checkpoint_not_the_run(tmp_path, monkeypatch, capsys):
    config = make_config(tmp_path)
    original = trainer_module.checkpoints._write

    def full(path: Path, data: bytes) -> None:
        if "step-00000008" in str(path) and path.name == "optimizer.safetensors":
            raise OSError(28, "No space left on device")
        original(path, data)

    monkeypatch.setattr(trainer_module.checkpoints, "_write", full)
    assert run(config) == 0
    assert "checkpoint not written: [Errno 28] No space left on device" in capsys.readouterr().err
    left = {p.name for p in (tmp_path / "run/checkpoints").iterdir()}
    assert left == {"step-00000004", "step-00000012"}


def test_a_new_run_does_not_overwrite_an_old_one(tmp_path):
    config = make_config(tmp_path, run__max_steps=4)
    run(config)
    with pytest.raises(ConfigError, match=r"already holds a run.*--resume auto"):
        run(config)


def test_resuming_another_model_is_refused(tmp_path):
    run(make_config(tmp_path, run__max_steps=4))
    with pytest.raises(ModelMismatchError, match=r"model\.quantizer\.n_q: 2 -> 3"):
        run(make_config(tmp_path, model__quantizer__n_q=3), "auto")


def test_settings_that_shape_no_weight_may_change(tmp_path, capsys):
    run(make_config(tmp_path, run__max_steps=4))
    changed = make_config(tmp_path, run__max_steps=5, model__quantizer__dropout=0.1, discriminator__window_s=0.05)
    assert run(changed, "auto") == 0
    said = capsys.readouterr().err
    assert "changed since step-00000004: model.quantizer.dropout: 0.5 -> 0.1" in said and len(losses(changed)) == 5


def test_unreadable_recordings_are_listed_and_replaced(tmp_path):
    make_config(tmp_path)
    (tmp_path / "data/manifest.jsonl").write_text(
        "".join(json.dumps({"path": f"{n}.wav", "duration": 0.8, "sample_rate": 16000}) + "\n" for n in (0, 1, 9))
    )
    (tmp_path / "data/9.wav").write_text("not audio")
    config = make_config(tmp_path, data__train=str(tmp_path / "data/manifest.jsonl"))
    assert run(config) == 0
    (line,) = (tmp_path / "run/bad_files.txt").read_text().splitlines()
    assert line.startswith(str(tmp_path / "data/9.wav")) and "Format not recognised" in line


@pytest.mark.parametrize("method", ["sf_diveq", "nsvq"])
def test_another_quantizer_takes_over_the_codewords(tmp_path, capsys, method):
    run(make_config(tmp_path, run__max_steps=4, model__quantizer__method="ste"))
    start = tmp_path / "run/checkpoints/step-00000004"
    config = make_config(
        tmp_path, run__dir=str(tmp_path / "next"), run__init_from=str(start), model__quantizer__method=method
    )
    trainer = trainer_module.Trainer(config, accelerator())
    trainer.display.close()
    before = Codec.from_pretrained(start).quantizer
    for old, new in zip(before.codebooks(), trainer.state.codec.quantizer.codebooks(), strict=True):
        distances = torch.cdist(old.codebook.detach(), new.codebook.detach())
        assert distances.min(dim=0).values.max() < 1e-3 and distances.min(dim=1).values.max() < 1e-3
    said = capsys.readouterr().err
    assert ("of another method" in said) == (method != "nsvq")  # whose weights have the names of STE's


def test_a_longer_stack_keeps_the_stages_that_are_there_and_a_shorter_one_the_first(tmp_path, capsys):
    run(make_config(tmp_path, run__max_steps=4))
    start = tmp_path / "run/checkpoints/step-00000004"
    before = Codec.from_pretrained(start).quantizer
    for n_q, words in ((4, "after the first 2"), (1, "keeps 1 of 2")):
        config = make_config(
            tmp_path, run__dir=str(tmp_path / "next"), run__init_from=str(start), model__quantizer__n_q=n_q
        )
        trainer = trainer_module.Trainer(config, accelerator())
        trainer.display.close()
        after = trainer.state.codec.quantizer
        for old, new in zip(before.codebooks(), after.codebooks(), strict=False):
            assert torch.equal(old.codebook, new.codebook)
        assert words in capsys.readouterr().err
    z = torch.randn(4, after.dim, 20) * before.codebooks()[0].codebook.std()
    assert torch.equal(after.eval().encode(z), before.encode(z, after.n_q))


@pytest.mark.parametrize("released", [False, True])
def test_fine_tuning_takes_discriminators_and_moments_along_when_asked(tmp_path, released):
    first = make_config(tmp_path, run__max_steps=8)
    run(first)
    start = str(tmp_path / "run/checkpoints/step-00000008")
    if released:
        start = str(export_checkpoint(start, tmp_path / "released", companions=True))
        assert validate(TrainConfig, json.loads(Path(start, "train.json").read_text()), "train.json") == first
    for companions in (False, True):
        folder = str(tmp_path / f"next{companions}")
        config = make_config(tmp_path, run__dir=folder, run__init_from=start, run__init_companions=companions)
        trainer = trainer_module.Trainer(config, accelerator())
        trainer.display.close()
        one, two = (
            final_tensors(first),
            {f"{k}/{n}": t for k, v in trainer.state.tensors().items() for n, t in v.items()},
        )
        for stem in ("discriminators", "optimizer", "discriminator_optimizer"):
            same = [name in two and torch.equal(t, two[name]) for name, t in one.items() if name.startswith(f"{stem}/")]
            assert all(same) if companions else not all(same), stem


def test_fine_tuning_starts_from_a_run_and_leaves_frozen_parts_alone(tmp_path):
    run(make_config(tmp_path, run__max_steps=4))
    start = tmp_path / "run/checkpoints/step-00000004"
    tuned = make_config(
        tmp_path, run__dir=str(tmp_path / "tuned"), run__init_from=str(start), run__freeze=["encoder", "quantizer"]
    )
    run(tuned)
    before, after = Codec.from_pretrained(start), Codec.from_pretrained(tmp_path / "tuned/model")
    frozen = {**dict(before.encoder.named_parameters()), **dict(before.quantizer.named_parameters())}
    now = {**dict(after.encoder.named_parameters()), **dict(after.quantizer.named_parameters())}
    assert all(torch.equal(frozen[name], now[name]) for name in frozen)
    assert any(
        not torch.equal(a, b) for a, b in zip(before.decoder.parameters(), after.decoder.parameters(), strict=True)
    )
