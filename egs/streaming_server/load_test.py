"""Load on a server of its own: voices in real time, latency, refusals, bad clients, memory over minutes.

    python egs/streaming_server/load_test.py --voices 20 --seconds 60
    python egs/streaming_server/load_test.py --voices 10 --seconds 600 --churn 5      is memory flat?

Every voice sends 20 ms of a test signal every 20 ms, starting at a moment of its own; latency is from sending a frame
to receiving the sound of its first sample, which the codec puts one frame later: at least 20 ms. With --churn seconds
every voice hangs up and calls again every so often. Results are kept by settings in results/load.json and load.md.
"""

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np

from audiocodec import speed
from audiocodec.evaluation.environment import describe
from audiocodec.inference import InferenceCodec

HERE = Path(__file__).parent
FRAME_S = 0.02


class Voice:
    """One client and what it saw."""

    def __init__(self, url: str, pcm: np.ndarray, sample_rate: int, draw: random.Random):
        self.url, self.pcm, self.rate, self.draw = url, pcm, sample_rate, draw
        self.latencies_ms: list[float] = []
        self.calls = self.refused = self.lost = self.cut_off = 0

    async def talk(self, session: aiohttp.ClientSession, until: float, churn_s: float | None) -> None:
        """Call again and again until the time is over."""
        await asyncio.sleep(self.draw.random())
        while time.perf_counter() < until:
            end = until if churn_s is None else min(until, time.perf_counter() + churn_s * (0.5 + self.draw.random()))
            try:
                async with session.ws_connect(self.url, compress=0) as ws:
                    self.calls += 1
                    await self._call(ws, end)
            except aiohttp.WSServerHandshakeError as error:
                if error.status != 503:
                    raise
                self.refused += 1
                await asyncio.sleep(0.5)
            except (ConnectionError, aiohttp.ClientError):
                self.cut_off += 1

    async def _call(self, ws: aiohttp.ClientWebSocketResponse, end: float) -> None:
        departures: dict[int, float] = {}
        received = 0

        async def listen() -> None:
            nonlocal received
            async for message in ws:
                if message.type == aiohttp.WSMsgType.BINARY:
                    now, before = time.perf_counter(), received
                    received += len(message.data) // 2
                    for first in [first for first in departures if before <= first < received]:
                        self.latencies_ms.append(1000 * (now - departures.pop(first)))

        listener = asyncio.create_task(listen())
        size, sent, begin = round(FRAME_S * self.rate), 0, time.perf_counter()
        while time.perf_counter() < end:
            at = sent % (len(self.pcm) - size)
            departures[sent] = time.perf_counter()
            await ws.send_bytes(self.pcm[at : at + size].tobytes())
            sent += size
            await asyncio.sleep(max(0.0, begin + sent / self.rate - time.perf_counter()))
        for _ in range(200):  # what is on its way
            if received >= sent - size:
                break
            await asyncio.sleep(0.05)
        await ws.close()
        await listener
        self.lost += max(0, sent - size - received)  # the last frame waits in the decoder for the next


async def refusals(session: aiohttp.ClientSession, base: str, capacity: int) -> dict[str, object]:
    """Fill every place, ask for more, and send what no client should."""
    held = [await session.ws_connect(f"{base}/ws") for _ in range(capacity)]
    async with session.get(f"{base}/ws") as answer:  # refused before it is a WebSocket
        beyond = {"status": answer.status, "body": await answer.json()}
    for ws in held[1:]:
        await ws.close()
    closed = {}
    for name, data in {"text": "hello", "half a sample": b"abc", "far ahead": bytes(2 * 16000 * 2)}.items():
        ws = await session.ws_connect(f"{base}/ws")
        await ws.receive()
        await held[0].send_bytes(bytes(1280))
        for _ in range(10 if name == "far ahead" else 1):
            await (ws.send_str(data) if isinstance(data, str) else ws.send_bytes(data))
        while (message := await ws.receive()).type == aiohttp.WSMsgType.BINARY:
            pass
        closed[name] = [ws.close_code, str(message.extra or "")]
    await held[0].send_bytes(bytes(1280))  # a voice that was there all the time goes on
    await held[0].receive()
    survivor = (await held[0].receive(timeout=10)).type == aiohttp.WSMsgType.BINARY
    await held[0].close()
    return {"beyond_capacity": beyond, "closed_with": closed, "others_go_on": survivor}


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


async def run(options: argparse.Namespace, port: int) -> dict[str, object]:
    """All of the test against a server that listens on `port`."""
    base = f"http://127.0.0.1:{port}"
    codec = InferenceCodec.from_pretrained(options.model)
    wav = speed.signal(codec, 20.0)[0, 0]
    pcm = (wav.clamp(-1, 1) * 32767).round().numpy().astype("<i2")
    async with aiohttp.ClientSession() as session:
        pid = (await _ready(session, base))["pid"]
        refused = await refusals(session, base, options.capacity)
        voices = [Voice(f"{base}/ws", pcm, codec.sample_rate, random.Random(i)) for i in range(options.voices)]
        until, memory = time.perf_counter() + options.seconds, []
        talking = [asyncio.create_task(voice.talk(session, until, options.churn)) for voice in voices]
        begin = time.perf_counter()
        while time.perf_counter() < until:
            await asyncio.sleep(min(10.0, max(0.1, until - time.perf_counter())))
            memory.append((round(time.perf_counter() - begin), round(memory_mb(pid), 1)))
        await asyncio.gather(*talking)
        async with session.get(f"{base}/status") as answer:
            left = (await answer.json())["voices"]
    latencies = [ms for voice in voices for ms in voice.latencies_ms]
    return {
        "voices": options.voices,
        "capacity": options.capacity,
        "seconds": options.seconds,
        "churn_s": options.churn,
        "server": options.server,
        "frames": len(latencies),
        "calls": sum(voice.calls for voice in voices),
        "latency_p50_ms": median(latencies),
        "latency_p99_ms": speed.percentile(latencies, 0.99),
        "samples_lost": sum(voice.lost for voice in voices),
        "cut_off": sum(voice.cut_off for voice in voices),
        "voices_left": left,
        "memory_mb": memory,
        "refusals": refused,
        "facts": {key: describe()[key] for key in ("date", "processor")},
    }


async def _ready(session: aiohttp.ClientSession, base: str) -> dict:
    for _ in range(600):
        try:
            async with session.get(f"{base}/status") as answer:
                return await answer.json()
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    raise TimeoutError("the server did not start within a minute")


def end(process: subprocess.Popen) -> None:
    """End a process, kindly first."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def table(results: dict[str, dict]) -> str:
    """Markdown of all runs that are known."""
    lines = [
        "# Load on the streaming server",
        "",
        "Server and clients on one machine, 20 ms a message, encoder and decoder; latency from sending a frame to "
        "hearing its first sample, of which 20 ms are the codec's.",
        "",
        "| voices | options | seconds | new call every | calls | cut off | frames heard | p50 ms | p99 ms "
        "| samples lost | memory, MB |",
        "|---:|---|---:|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in results.values():
        memory = row["memory_mb"]
        early = memory[min(len(memory) - 1, 2)][1]  # after the first half minute
        churn = f"{row['churn_s']:g} s" if row["churn_s"] else "-"
        lines.append(
            f"| {row['voices']} | {row['server'] or '-'} | {row['seconds']:g} | {churn} | {row['calls']} "
            f"| {row['cut_off']} | {row['frames']:,} "
            f"| {row['latency_p50_ms']:.1f} | {row['latency_p99_ms']:.1f} | {row['samples_lost']} "
            f"| {early:.0f} to {memory[-1][1]:.0f} |"
        )
    last = list(results.values())[-1]
    beyond = last["refusals"]["beyond_capacity"]
    lines += ["", f"Beyond capacity: HTTP {beyond['status']}, `{beyond['body']['error']}`."]
    for name, (code, reason) in last["refusals"]["closed_with"].items():
        lines.append(f"A client that sends {name}: closed with {code}, `{reason}`.")
    return "\n".join([*lines, "", *(f"- {key}: {value}" for key, value in last["facts"].items())]) + "\n"


def main() -> None:
    """Start a server, load it, write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", type=int, default=20)
    parser.add_argument("--capacity", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--churn", type=float, help="seconds until a voice hangs up and calls again")
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--server", default="", help="more options for the server, as '--exact' or '--beam 1'")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["--port", str(port), "--capacity", str(options.capacity), "--model", options.model]
    server = subprocess.Popen([sys.executable, str(HERE / "server.py"), *words, *options.server.split()])
    try:
        row = asyncio.run(run(options, port))
    finally:
        end(server)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "load.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    key = f"{options.voices} voices, {options.seconds:g} s, churn {options.churn}, {options.server}"
    results = {k: v for k, v in results.items() if k != key} | {key: row}
    path.write_text(json.dumps(results, indent=1) + "\n")
    (options.out / "load.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
