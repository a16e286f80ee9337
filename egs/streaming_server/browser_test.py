"""The page in headless Chromium with a fake microphone: does it speak, hear itself back, and say so when it is refused?

    python egs/streaming_server/browser_test.py --chromium chromium

Starts the server and the browser, plays a speech recording into the microphone, talks to the page by the DevTools
protocol, and writes results/page.png and results/page.json. Needs aiohttp and Chromium (Debian: apt install chromium).
"""

import argparse
import asyncio
import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from load_test import end

HERE = Path(__file__).parent


class Browser:
    """A page of a Chromium that listens on a debugging port."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse):
        self.ws, self.n_sent = ws, 0

    async def call(self, method: str, **parameters: Any) -> dict:
        """A command of the DevTools protocol, and its answer."""
        self.n_sent += 1
        await self.ws.send_json({"id": self.n_sent, "method": method, "params": parameters})
        while True:
            answer = await self.ws.receive_json(timeout=60)
            if answer.get("id") == self.n_sent:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, as if the user had clicked."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    async def until(self, expression: str, seconds: float) -> None:
        """Wait until an expression is true."""
        for _ in range(int(seconds * 5)):
            if await self.value(expression):
                return
            await asyncio.sleep(0.2)
        raise TimeoutError(f"{expression} not true in {seconds} s; the page says: {await self.value('stats.state')}")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def attach(session: aiohttp.ClientSession, port: int, url: str) -> Browser:
    """Open `url` in the browser on `port`, as soon as it answers."""
    for _ in range(300):
        try:
            async with session.put(f"http://127.0.0.1:{port}/json/new?{url}") as answer:
                target = await answer.json()
            return Browser(await session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0))
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.2)
    raise TimeoutError("the browser did not start within a minute")


async def answers(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until a server answers."""
    for _ in range(300):
        try:
            async with session.get(url):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within a minute")


async def test(server: int, browser: int, seconds: float, out: Path) -> dict[str, Any]:
    """Speak for some seconds, take a picture, then find the server full."""
    async with aiohttp.ClientSession() as session:
        await answers(session, f"http://127.0.0.1:{server}/status")
        page = await attach(session, browser, f"http://127.0.0.1:{server}/")
        await page.call("Emulation.setDeviceMetricsOverride", width=860, height=640, deviceScaleFactor=1, mobile=False)
        await page.until("document.readyState === 'complete' && window.stats !== undefined", 30)
        await page.value("document.getElementById('start').click()")
        await page.until(f"stats.received >= {round(16000 * seconds)}", 60 + 10 * seconds)
        seen = await page.value("({...stats, trip: document.getElementById('trip').textContent})")
        picture = await page.call("Page.captureScreenshot", format="png")
        out.mkdir(parents=True, exist_ok=True)
        (out / "page.png").write_bytes(base64.b64decode(picture["data"]))
        await page.value("document.getElementById('start').click()")
        await page.until("stats.state === 'stopped'", 10)
        holder = await session.ws_connect(f"http://127.0.0.1:{server}/ws")  # takes the only place
        await page.value("document.getElementById('start').click()")
        await page.until("stats.state.includes('full')", 20)
        refused = await page.value("stats.state")
        await holder.close()
    return {
        "seconds_sent": seen["sent"] / 16000,
        "seconds_heard": seen["received"] / 16000,
        "energy_heard_over_spoken": seen["heardEnergy"] / seen["spokenEnergy"],
        "round_trip": seen["trip"],
        "when_full": refused,
    }


def main() -> None:
    """Run the test; exit 1 if the page did not do what it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome") or "chromium")
    parser.add_argument("--voice", type=Path, help="a WAV file to speak; default: a recording of egs/samples")
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    options = parser.parse_args()
    server_port, browser_port = free_port(), free_port()
    words = ["--port", str(server_port), "--capacity", "1", "--model", options.model]
    with tempfile.TemporaryDirectory() as folder:
        voice = options.voice or as_wav(Path(folder) / "voice.wav")
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={voice}",
            "--autoplay-policy=no-user-gesture-required",
            f"--remote-debugging-port={browser_port}",
            f"--user-data-dir={folder}/profile",
        ]
        server = subprocess.Popen([sys.executable, str(HERE / "server.py"), *words])
        browser = subprocess.Popen([options.chromium, *flags, "about:blank"], stderr=subprocess.DEVNULL)
        try:
            seen = asyncio.run(test(server_port, browser_port, options.seconds, options.out))
        finally:
            for process in (browser, server):
                end(process)
    (options.out / "page.json").write_text(json.dumps(seen, indent=1) + "\n")
    print(json.dumps(seen, indent=1))
    if not 0.3 < seen["energy_heard_over_spoken"] < 3:
        sys.exit("what was heard is not what was spoken")


def as_wav(path: Path) -> Path:
    """A recording of egs/samples as the 16-bit WAV that Chromium's fake microphone wants."""
    import numpy as np

    from audiocodec.audio.io import read_audio, write_audio

    recording = HERE.parent / "samples" / "librispeech_2002.flac"
    wav, rate = read_audio(recording)
    write_audio(path, np.concatenate([wav] * 4, axis=1), rate)
    return path


if __name__ == "__main__":
    main()
