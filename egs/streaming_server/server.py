"""A server that sends every voice through the codec and back: WebSocket, one pool for all, a page to try it with.

    python egs/streaming_server/server.py --port 8765 --capacity 64       then open http://localhost:8765

GET /ws?n_q=K is a WebSocket: the client sends binary messages of 16-bit little-endian mono samples at the codec's rate,
any number a message, and gets messages of the same kind back: what the codec makes of them, one frame late. The first
message, text, is a JSON object with sample_rate, delay and bitrate. A full server answers 503 before the upgrade. Text
or half a sample closes the connection with 1003, sending further ahead than two seconds with 1008.

Computes by ONNX Runtime in float32, without PyTorch, on one thread unless OMP_NUM_THREADS says more.
"""

import argparse
import asyncio
import contextlib
import json
import os
from pathlib import Path

import numpy as np
from aiohttp import WSCloseCode, WSMsgType, web
from engine import Engine, Overrun, Samples, Voice

from audiocodec.inference import InferenceCodec
from audiocodec.states import AnyCodec

PAGE = Path(__file__).with_name("page.html")
MAX_MESSAGE = 64 * 1024  # bytes: two seconds
IDLE_S = 30.0  # without a message, after which a client is taken for gone
MAX_SENDING_S = 5.0  # for one message to leave: a client that does not read is cut off
ENGINE = web.AppKey("engine", Engine)


async def page(request: web.Request) -> web.StreamResponse:
    """The page to speak into."""
    return web.FileResponse(PAGE)


async def status(request: web.Request) -> web.Response:
    """How busy the server is, as JSON."""
    engine = request.app[ENGINE]
    return web.json_response({"voices": len(engine.voices), "capacity": engine.capacity, "pid": os.getpid()})


async def stream(request: web.Request) -> web.StreamResponse:
    """One voice, from its first sample to its last."""
    engine = request.app[ENGINE]
    codec = engine.codec
    try:
        n_q = codec.check_n_q(int(request.query.get("n_q", codec.n_q)))
    except Exception:
        return web.json_response({"error": f"n_q must be 1 to {codec.n_q}"}, status=400)
    if engine.full:
        message = f"all {engine.capacity} places are taken; try again later"
        return web.json_response({"error": message}, status=503, headers={"Retry-After": "5"})
    heard: asyncio.Queue[Samples] = asyncio.Queue()
    voice = Voice(n_q, heard.put_nowait)
    await engine.join(voice)
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False)
    tasks: list[asyncio.Task[None]] = []
    try:
        await socket.prepare(request)
        facts = {"sample_rate": codec.sample_rate, "delay": codec.delay, "bitrate": codec.bitrate(n_q), "n_q": n_q}
        await socket.send_str(json.dumps(facts | {"max_n_q": codec.n_q}))
        tasks = [asyncio.create_task(_receive(socket, engine, voice)), asyncio.create_task(_send(socket, heard))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, TimeoutError):  # the client has gone
                await task
        await engine.leave(voice)
    return socket


async def _receive(socket: web.WebSocketResponse, engine: Engine, voice: Voice) -> None:
    while True:
        message = await socket.receive(timeout=IDLE_S)
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return
        if message.type != WSMsgType.BINARY or len(message.data) % 2:
            await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"send 16-bit samples in binary messages")
            return
        samples = np.frombuffer(message.data, "<i2").astype(np.float32) / 32768
        try:
            engine.push(voice, samples[None])
        except Overrun:
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"sent more than 2 s ahead of real time")
            return


async def _send(socket: web.WebSocketResponse, heard: "asyncio.Queue[Samples]") -> None:
    while True:
        wav = np.round(np.clip(await heard.get(), -1, 1) * 32767).astype("<i2")
        if wav.size:
            await asyncio.wait_for(socket.send_bytes(wav.tobytes()), MAX_SENDING_S)


def make_app(codec: AnyCodec, capacity: int) -> web.Application:
    """The server as an aiohttp application."""
    app = web.Application()
    app[ENGINE] = Engine(codec, capacity)
    app.add_routes([web.get("/", page), web.get("/status", status), web.get("/ws", stream)])

    async def start(app: web.Application) -> None:
        await app[ENGINE].start()

    async def stop(app: web.Application) -> None:
        await app[ENGINE].stop()

    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    return app


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: reachable from elsewhere; browsers want TLS")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--capacity", type=int, default=64, help="voices at the same time; more are refused")
    parser.add_argument("--model", default="speech-16k")
    parser.add_argument("--beam", type=int, help="paths of the codeword search; 1 is fastest; default: the model's")
    parser.add_argument("--exact", action="store_true", help="codes as on any other machine (float64, NumPy): slower")
    options = parser.parse_args()
    if options.exact:
        codec = InferenceCodec.from_pretrained(options.model, beam=options.beam)
    else:
        codec = InferenceCodec.from_pretrained(options.model, backend="onnx", precision="float32", beam=options.beam)
    app = make_app(codec, options.capacity)
    web.run_app(app, host=options.host, port=options.port, print=None, shutdown_timeout=5.0)


if __name__ == "__main__":
    main()
