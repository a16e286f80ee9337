"""Lets the language model go on where held-out recordings stop, decodes what it says, draws spectrograms.

python egs/speech_lm/continue_speech.py STORE OUT
"""

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np
import safetensors.torch
import soundfile
import torch
from model import DelayLM, LMConfig
from train import HELD_OUT_EVERY

from audiocodec import Codec
from audiocodec.tokens import TokenStore
from audiocodec.tokens.timing import frame_at
from audiocodec.tokens.views import View, musicgen

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    """Read the arguments, generate, write recordings and picture into OUT."""
    args = arguments()
    torch.manual_seed(args.seed)
    store, facts = TokenStore(args.store), json.loads((args.out / "training.json").read_text(encoding="utf-8"))
    sizes = {name: value for name, value in facts["model"].items() if name != "parameters"}
    model = DelayLM(LMConfig(**sizes)).eval()
    model.load_state_dict(safetensors.torch.load_file(args.out / "model.safetensors"))
    view = musicgen(store.header.codebook_sizes, model.cfg.n_q)
    prompt, more = (frame_at(seconds, store.header.frame_rate) for seconds in (args.prompt, args.more))
    codec = Codec.from_pretrained(args.codec)
    store.header.check_codec(codec, args.store)
    originals = [
        codes
        for codes in (store[i].codes for i in range(0, len(store), HELD_OUT_EVERY))
        if codes.shape[1] > prompt + more
    ][: args.examples]
    prompts = np.stack([codes[: view.n_q, :prompt] for codes in originals])
    continued = continuation(model, view, prompts, more, args)
    assert (continued[..., : prompt - view.n_q] == prompts[..., : prompt - view.n_q]).all()  # what was given is kept
    heard = [codes[: view.n_q, : prompt + more] for codes in originals]
    wavs = {
        "recording": [decoded(codec, codes) for codes in heard],
        "continued": [decoded(codec, codes) for codes in continued],
    }
    for name, some in wavs.items():
        for number, wav in enumerate(some):
            soundfile.write(args.out / f"{name}_{number}.ogg", wav, codec.sample_rate, format="OGG", subtype="OPUS")
    draw_spectrograms(wavs, codec.sample_rate, prompt / float(store.header.frame_rate), args.out / "continuations.jpg")


def arguments() -> argparse.Namespace:
    """Those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("store", type=Path, help="the store that the model was trained on")
    parser.add_argument("out", type=Path, help="folder of train.py's results")
    parser.add_argument("--codec", default="speech-16k", help="the codec that made the store")
    parser.add_argument("--prompt", default="2", metavar="SECONDS", help="of the recording that the model hears")
    parser.add_argument("--more", default="4", metavar="SECONDS", help="that it goes on for")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--top-k", type=int, default=100, help="codes of a codebook to choose from")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


@torch.inference_mode()
def continuation(model: DelayLM, view: View, prompts: np.ndarray, more: int, args: argparse.Namespace) -> np.ndarray:
    """Sample `more` frames after prompts [B, K, T]: codes [B, K, T + more].

    The prompt's row is cut where its coarsest codes end: what the finer codebooks lag behind is written by the model.
    """
    frames = prompts.shape[-1]
    rows = np.stack([view(prompt).tokens[:, : 1 + frames] for prompt in prompts])
    tokens = torch.from_numpy(rows)
    logits, past = model.step(tokens)
    while tokens.shape[-1] < view.steps(frames + more):
        best, codes = logits[..., -1, :].topk(min(args.top_k, logits.shape[-1]), dim=-1)  # [B, K, top_k]
        chances = (best / args.temperature).softmax(-1)
        chosen = codes.gather(-1, torch.multinomial(chances.flatten(0, 1), 1).unflatten(0, best.shape[:2]))
        tokens = torch.cat([tokens, chosen], dim=-1)
        logits, past = model.step(chosen, past)
    return np.stack([view.finished(row) for row in tokens.numpy()])


def decoded(codec: Codec, codes: np.ndarray) -> np.ndarray:
    """Audio [L] of codes [K, T]."""
    wav: np.ndarray = codec.decode(torch.from_numpy(codes.astype(np.int64))[None])[0, 0].numpy()
    return wav


def draw_spectrograms(wavs: dict[str, list[np.ndarray]], sample_rate: int, prompt_s: float, path: Path) -> None:
    """Recording above continuation, one column an example; the line is where the model begins."""
    rows, columns = len(wavs), len(wavs["recording"])
    fig, axes = plt.subplots(
        rows, columns, figsize=(4.5 * columns, 2.6 * rows), squeeze=False, sharex=True, sharey=True
    )
    for row, (name, some) in zip(axes, wavs.items(), strict=True):
        for axis, wav in zip(row, some, strict=True):
            axis.specgram(wav + 1e-6, NFFT=512, noverlap=384, Fs=sample_rate, cmap="magma", vmin=-120, vmax=-30)
            axis.axvline(prompt_s, color="w", linewidth=1)
        row[0].set_ylabel(f"{name}\nHz")
    for axis in axes[-1]:
        axis.set_xlabel("s")
    fig.savefig(path, dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    main()
