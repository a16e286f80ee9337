"""`audiocodec export`: a model for phones, browsers and other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from . import console


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of a shipped model, or a folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for encoder.onnx, decoder.onnx and onnx.json.")],
    n_q: Annotated[int | None, typer.Option("--n-q", metavar="K", help="So many codebooks. [all]")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Encoder in float64: the codes of this package, twice the size.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Write a model as ONNX: steps of the encoder and of the decoder whose states are inputs and outputs.

    onnx.json says the sample rate, the samples of a frame and the shapes of the states. Where ONNX Runtime is
    installed, the result is compared with the model on ten seconds of sound.
    """
    from importlib.util import find_spec

    from ..inference.export import export as write
    from ..inference.export import self_test

    facts = write(model, out, n_q=n_q, exact=exact)
    found = self_test(out, model) if find_spec("onnxruntime") is not None else None
    if json:
        frames, differing, largest = found or (None, None, None)
        console.print_json({"facts": facts, "frames": frames, "differing": differing, "largest_difference": largest})
        return
    sizes = ", ".join(f"{file.name} {file.stat().st_size} bytes" for file in sorted(out.glob("*.onnx")))
    print(f"{out}: {sizes}; {facts.n_q} codebooks, encoder in {facts.dtype}")
    if found:
        print(f"  ten seconds: codes differ in {found[1]} of {found[0]} frames, samples by at most {found[2]:.1e}")
