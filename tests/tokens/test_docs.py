"""The Python of docs/tokens.md runs as it stands."""

import re
from pathlib import Path

from audiocodec import Codec
from audiocodec.audio.io import write_audio
from audiocodec.tokens import TokenStore
from audiocodec.tokens.engines.local import run_here
from audiocodec.tokens.plan import pending
from audiocodec.tokens.work import Settings, begin
from tests.tiny import make_wav

PAGE = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talks").mkdir()
    wav = make_wav(12.5, batch=2)[:, 0].numpy()
    write_audio("talks/monday.wav", wav, 16000)
    for name in ("a.flac", "b.wav"):
        write_audio(name, wav[:1, :48000], 16000)
    (tmp_path / "train.jsonl").write_text('{"path": "talks/monday.wav"}\n')
    begin(tmp_path / "STORE", [tmp_path / "train.jsonl"], str(model))
    list(run_here(tmp_path / "STORE", pending(tmp_path / "STORE"), Settings()))
    codec = Codec.from_pretrained(model)
    text = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    text = (
        text.replace('"b.mp3"', '"b.wav"')
        .replace('Codec.from_pretrained("speech-16k")', "tiny")
        .replace("n_q=8", "n_q=4")
    )
    text = text.replace("item.decode(", "item.decode(codec, ")
    names = {"tiny": codec, "wav": wav}
    exec(compile(text, "docs/tokens.md", "exec"), names)  # noqa: S102
    assert names["item"].id == "talks/monday#1" and names["wav"].shape == (1, 32000)
    assert len(TokenStore("STORE2")) == 1
