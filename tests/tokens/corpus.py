"""A small corpus on disk for the tests of plans and engines, and jobs that misbehave in its midst."""

import json
from pathlib import Path

import numpy as np

from audiocodec.audio.io import write_audio
from tests.tiny import make_wav

LENGTHS_S = (0.4, 1.3, 0.05, 0.8, 2.1, 0.0, 0.6, 1.0)


def make_corpus(folder: Path) -> Path:
    """Ten recordings, two of them broken, in a folder; a manifest of it with texts and speakers is returned."""
    folder.mkdir(parents=True)
    rows = []
    for number, seconds in enumerate(LENGTHS_S):
        wav = make_wav(seconds, seed=number)[0].numpy()
        if number == 3:
            wav = np.concatenate([wav, wav[:, ::-1]])
        write_audio(folder / f"{number}.wav", wav, 16000 if number % 2 else 22050, sample_format="float32")
        rows.append(
            {
                "path": f"{folder.name}/{number}.wav",
                "duration": seconds,
                "text": f"text {number}",
                "speaker": number % 3,
            }
        )
    (folder / "empty.flac").write_bytes(b"")
    (folder / "cut.wav").write_bytes((folder / "1.wav").read_bytes()[:30])
    rows[2:2] = [{"path": f"{folder.name}/{name}", "duration": 1.0, "speaker": 9} for name in ("empty.flac", "cut.wav")]
    manifest = folder.parent / "list.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return manifest


def files_of(store: Path) -> dict[str, bytes]:
    """Everything in a store's folder, by relative name."""
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}
