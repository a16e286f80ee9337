"""Sessions of ONNX Runtime as this package wants them."""

import os

import onnxruntime


def make_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session on the CPU.

    Its option to take numbers below 1e-38 for zero is left alone: it would change the thread of the caller for good.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
