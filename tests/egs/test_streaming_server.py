"""The example server: every voice hears what the codec makes of it, refusals are clean, places come free again."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestServer

from tests.tiny import make_tiny_codec, make_wav

FOLDER = Path(__file__).parents[2] / "egs" / "streaming_server"
WAV = make_wav(0.5, batch=3)
PCM = [(wav[0] * 32767).round().numpy().astype("<i2") for wav in WAV]


@pytest.fixture(scope="module")
def codec():
    return make_tiny_codec()


def serve(monkeypatch, codec, capacity: int, test: Callable[[ClientSession, str], Awaitable[None]]) -> None:
    """Run `test` against a server of its own."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import server

    async def run() -> None:
        async with TestServer(server.make_app(codec, capacity)) as running, ClientSession() as session:
            await test(session, str(running.make_url("")).rstrip("/"))

    try:
        asyncio.run(run())
    finally:
        for name in ("server", "engine"):
            sys.modules.pop(name, None)


async def listen(ws: ClientWebSocketResponse, n_samples: int) -> np.ndarray:
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < n_samples:
        parts.append(np.frombuffer((await ws.receive_bytes(timeout=20)), "<i2"))
    return np.concatenate(parts)


def expected(codec, pcm: np.ndarray, n_q: int = 4) -> np.ndarray:
    wav = torch.from_numpy(pcm.astype(np.float32) / 32768)[None, None]
    return (codec.decode(codec.encode(wav)[:, :n_q])[0, 0] * 32767).numpy()


def test_voices_hear_their_own_sound_whatever_the_others_do(monkeypatch, codec) -> None:
    async def test(session: ClientSession, url: str) -> None:
        async def voice(index: int, size: int, n_q: int) -> None:
            pcm, done = PCM[index], len(PCM[index]) // 320 * 320 - 320
            async with session.ws_connect(f"{url}/ws?n_q={n_q}") as ws:
                assert json.loads(await ws.receive_str())["n_q"] == n_q
                for at in range(0, len(pcm), size):
                    await ws.send_bytes(pcm[at : at + size].tobytes())
                heard = await listen(ws, done)
            assert np.abs(heard[:done] - expected(codec, pcm, n_q)[:done]).max() <= 1

        await asyncio.gather(voice(0, 320, 4), voice(1, 77, 2), voice(2, 5000, 4))
        async with session.get(f"{url}/status") as answer:
            assert (await answer.json())["voices"] == 0

    serve(monkeypatch, codec, 3, test)


def test_a_full_server_refuses_and_takes_the_next_when_a_place_is_free(monkeypatch, codec) -> None:
    async def test(session: ClientSession, url: str) -> None:
        first = await session.ws_connect(f"{url}/ws")
        with pytest.raises(WSServerHandshakeError) as error:
            await session.ws_connect(f"{url}/ws")
        assert error.value.status == 503
        async with session.get(f"{url}/ws") as answer:
            assert "all 1 places are taken" in (await answer.json())["error"]
        await first.close()
        for _ in range(100):
            async with session.get(f"{url}/status") as answer:
                if (await answer.json())["voices"] == 0:
                    break
            await asyncio.sleep(0.02)
        async with session.ws_connect(f"{url}/ws") as ws:
            await ws.receive_str()
            await ws.send_bytes(PCM[1][:1280].tobytes())
            assert np.abs(await listen(ws, 960) - expected(codec, PCM[1][:1280])[:960]).max() <= 1

    serve(monkeypatch, codec, 1, test)


@pytest.mark.parametrize(
    ("messages", "code"),
    [(["hello"], 1003), ([b"abc"], 1003), ([bytes(64000)] * 30, 1008), ([bytes(70000)], 1009)],
    ids=["text", "half a sample", "far ahead", "too long"],
)
def test_a_bad_client_is_cut_off_and_the_others_go_on(monkeypatch, codec, messages, code) -> None:
    async def test(session: ClientSession, url: str) -> None:
        good, bad = await session.ws_connect(f"{url}/ws"), await session.ws_connect(f"{url}/ws")
        await good.receive_str()
        await bad.receive_str()
        for message in messages:
            if bad.closed:
                break
            await (bad.send_str(message) if isinstance(message, str) else bad.send_bytes(message))
        while (await bad.receive(timeout=20)).type == WSMsgType.BINARY:
            pass
        assert bad.close_code == code
        await good.send_bytes(PCM[0][:1280].tobytes())
        assert np.abs(await listen(good, 960) - expected(codec, PCM[0][:1280])[:960]).max() <= 1
        await good.close()

    serve(monkeypatch, codec, 2, test)


def test_nonsense_in_the_address_is_the_clients_fault(monkeypatch, codec) -> None:
    async def test(session: ClientSession, url: str) -> None:
        for n_q in ("0", "5", "many"):
            async with session.get(f"{url}/ws?n_q={n_q}") as answer:
                assert answer.status == 400 and "n_q must be 1 to 4" in await answer.text()
        async with session.get(f"{url}/") as answer:
            assert "getUserMedia" in await answer.text()

    serve(monkeypatch, codec, 1, test)
