"""Make `import torchaudio` work beside a CPU-only build of PyTorch; does nothing where it works already.

The torchaudio wheel of PyPI (2.11) links CUDA: beside a CPU build its import ends with `libc10_cuda.so: cannot open
shared object file`. What audiocodec uses of it is plain Python (mel filter banks, resampling of tensors), and
torchaudio skips its compiled extensions where their files are absent. So the mend is to delete those files.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path


def mend() -> str:
    """Delete torchaudio's compiled extensions if, and only if, they keep it from being imported.

    Returns:
        One sentence that says what was found and done.
    Raises:
        SystemExit: torchaudio fails to import for another reason; its message is passed on.
    """
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        return "torchaudio: not installed, nothing to mend"
    failure = import_failure()
    if not failure:
        return "torchaudio: imports, nothing to mend"
    extensions = sorted((Path(spec.origin).parent / "lib").glob("*.so"))
    if not extensions:
        sys.exit(f"torchaudio: cannot be imported, and not for its extensions: {failure}")
    for extension in extensions:
        extension.unlink()
    if failure := import_failure():
        sys.exit(f"torchaudio: cannot be imported even without its extensions: {failure}")
    return f"torchaudio: mended, {len(extensions)} extensions that need CUDA were deleted"


def import_failure() -> str:
    """Return the last line of what `import torchaudio` in a fresh process complains of, or "" if it works."""
    trial = subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True, text=True, check=False)
    return "" if trial.returncode == 0 else (trial.stderr.strip().splitlines() or ["killed"])[-1]


if __name__ == "__main__":
    print(mend())
