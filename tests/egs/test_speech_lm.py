"""egs/speech_lm: a model that looks only back, learns, resumes to the same numbers, and keeps what it is given."""

import json
import sys
from argparse import Namespace

import numpy as np
import pytest
import torch

from audiocodec.tokens import StoreHeader, TokenStore, TokenWriter
from audiocodec.tokens.views import musicgen
from tests.egs.scripts import imported


@pytest.fixture(scope="module")
def scripts():
    with imported("speech_lm", "model", "checkpoint", "train", "continue_speech") as modules:
        yield modules


@pytest.fixture(scope="module")
def store(tiny_codec, tmp_path_factory):
    """Codes that follow one another in a fixed order: easy to learn."""
    path = tmp_path_factory.mktemp("lm") / "tokens"
    with TokenWriter(path, StoreHeader.of(tiny_codec)) as writer:
        for number in range(24):
            first = np.arange(60) + 5 * number
            writer.add(f"{number}", np.stack([first, first * 3 + 1, first + 7, first]) % 16)
    return TokenStore(path)


def tiny_model(scripts, seed=0):
    torch.manual_seed(seed)
    return scripts["model"].DelayLM(scripts["model"].LMConfig(4, 16, 17, width=16, depth=2, heads=2))


def test_the_model_looks_only_back(scripts):
    model = tiny_model(scripts).eval()
    tokens = torch.randint(0, 17, (2, 4, 12))
    changed = tokens.clone()
    changed[:, :, 7:] = (changed[:, :, 7:] + 1) % 17
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :, :7], after[:, :, :7])
    assert not torch.allclose(before[:, :, 7:], after[:, :, 7:])


def test_step_by_step_is_the_whole(scripts):
    model = tiny_model(scripts).eval()
    tokens = torch.randint(0, 17, (2, 4, 12))
    logits, past = model.step(tokens[..., :5])
    parts = [logits]
    for place in range(5, 12):
        logits, past = model.step(tokens[..., place : place + 1], past)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=2), model(tokens))


def test_special_tokens_are_not_counted(scripts):
    view = musicgen((16,) * 4)
    row = view(np.zeros((4, 5), dtype=np.uint16))
    nats, codes = scripts["model"].losses(
        tiny_model(scripts), torch.tensor(row.tokens[None]), torch.tensor(row.mask[None])
    )
    assert codes.tolist() == [5] * 4 and (nats > 0).all()


def run(scripts, monkeypatch, store, out, *options):
    words = ["train.py", str(store.path), "--out", str(out), "--crop-seconds", "0.5", "--batch-size", "4"]
    monkeypatch.setattr(sys, "argv", [*words, "--evaluate-every", "4", "--n-q", "4", "--lr", "1e-2", *options])
    model, config = scripts["model"].DelayLM, scripts["model"].LMConfig
    monkeypatch.setattr(scripts["train"], "DelayLM", model)
    monkeypatch.setattr(scripts["train"], "LMConfig", lambda *sizes: config(*sizes, width=32, depth=2, heads=2))
    scripts["train"].main()


@pytest.mark.slow
def test_it_learns_and_a_stopped_run_resumes_to_the_same_numbers(scripts, monkeypatch, store, tmp_path):
    run(scripts, monkeypatch, store, tmp_path / "whole", "--steps", "40")
    monkeypatch.setattr(scripts["train"], "learning_rate", lambda step, args: 1e-2 * min(step / 4, 1))
    run(scripts, monkeypatch, store, tmp_path / "once", "--steps", "12")
    for steps in ("4", "8", "12"):
        run(scripts, monkeypatch, store, tmp_path / "parts", "--steps", steps, "--resume")
    whole, once, parts = (json.loads((tmp_path / n / "training.json").read_text()) for n in ("whole", "once", "parts"))
    assert once["curve"] == parts["curve"]
    assert (tmp_path / "once/model.safetensors").read_bytes() == (tmp_path / "parts/model.safetensors").read_bytes()
    assert whole["curve"][0]["perplexity"] > 12 and whole["curve"][-1]["perplexity"] < 3 < min(
        whole["unigram_perplexity"]
    )


def test_continuations_keep_the_prompt_and_are_codes(scripts, tiny_codec, store):
    view, model = musicgen(store.header.codebook_sizes), tiny_model(scripts).eval()
    prompts = np.stack([store[number].codes[:, :20] for number in (0, 1)])
    codes = scripts["continue_speech"].continuation(model, view, prompts, 9, Namespace(temperature=1.0, top_k=5))
    assert codes.shape == (2, 4, 29) and codes.dtype == np.uint16 and codes.max() < 16
    for k in range(4):  # of codebook k the last k frames are the model's
        np.testing.assert_array_equal(codes[:, k, : 20 - k], prompts[:, k, : 20 - k])
    assert scripts["continue_speech"].decoded(tiny_codec, codes[0]).shape == (29 * tiny_codec.hop_length,)
