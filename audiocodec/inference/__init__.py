"""Codecs without PyTorch: the same codes from NumPy or ONNX Runtime, in a fraction of the start-up time; and export.

Every network is described once (spectral.py, seanet.py), in terms of a few operations on frames. On arrays these
compute (ops.py); on names of arrays they write an ONNX graph (graph.py, graph_ops.py). No torch here.
"""

from .backends import BACKENDS, Backend
from .codec import InferenceCodec

__all__ = ["BACKENDS", "Backend", "InferenceCodec"]
