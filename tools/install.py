"""Install audiocodec with its extras into the running virtual environment: `python tools/install.py train eval dev`.

Only the standard library and pip are needed. Three things need care, which a plain `pip install` does not take:

1. PyTorch first, and the CPU build where there is no NVIDIA GPU: on Linux the default wheel of PyPI brings gigabytes of
   CUDA libraries along. A CPU build carries the version "X+cpu", which pip ranks above "X", so that naming the release
   is enough once any source of pip has that build: a `find-links` folder, or PyTorch's own index, added if it answers.
2. `pesq` is published as source only. Without a C compiler all else is installed, and PESQ is reported as missing.
3. torchaudio beside a CPU build of PyTorch: see mend_torchaudio.py.
"""

import importlib.util
import platform
import shutil
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"  # the release that the shipped models and figures were made with; newer ones are allowed
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SOURCE_ONLY = ("pesq",)  # need a C compiler and Python's headers


def main(extras: list[str]) -> None:
    """Install PyTorch, then the package in editable mode with `extras`, then mend torchaudio."""
    if sys.prefix == sys.base_prefix:
        sys.exit("tools/install.py: run me with the Python of a virtual environment (make venv does)")
    if importlib.util.find_spec("torch") is None:
        install_torch()
    install_package(extras)
    require(subprocess.run([sys.executable, ROOT / "tools/mend_torchaudio.py"], check=False).returncode == 0)


def install_torch() -> None:
    """Install the PyTorch build that fits this machine."""
    sources: list[str] = []
    if platform.system() == "Linux" and not has_nvidia_gpu():
        if answers(f"{CPU_INDEX}/torch/"):
            sources = ["--extra-index-url", CPU_INDEX]
        else:
            print(f"No GPU here and {CPU_INDEX} does not answer: taking the build that pip is configured to find.")
    if not pip("install", *sources, TORCH):
        print(f"No wheel of {TORCH} for Python {platform.python_version()} on this machine: taking the newest.")
        require(pip("install", *sources, "torch"))


def install_package(extras: list[str]) -> None:
    """Install the package in editable mode; what cannot be built here is left out and named."""
    if pip("install", "--editable", f"{ROOT}[{','.join(extras)}]"):
        return
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [requirement for extra in extras for requirement in groups[extra]]
    ready_made = [requirement for requirement in wanted if not requirement.startswith(SOURCE_ONLY)]
    require(pip("install", "--editable", str(ROOT), *ready_made))
    print(
        f"\nLeft out, since it could not be built here: {', '.join(SOURCE_ONLY)}. PESQ will be reported as missing.\n"
        "To have it, install a C compiler and Python's headers (Debian: apt install build-essential python3-dev)\n"
        f"and run: {sys.executable} -m pip install {' '.join(SOURCE_ONLY)}\n"
    )


def has_nvidia_gpu() -> bool:
    """Return whether the NVIDIA driver lists a GPU."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listing = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listing.returncode == 0 and "GPU" in listing.stdout


def answers(url: str, timeout_s: float = 10.0) -> bool:
    """Return whether `url` can be read; asked before pip is, which would retry an unreachable index for minutes."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, TimeoutError, OSError):
        return False


def pip(*arguments: str) -> bool:
    """Run pip in this environment; return whether it succeeded."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    print("+", *command[2:], flush=True)
    return subprocess.run(command, check=False).returncode == 0


def require(succeeded: bool) -> None:
    """End here, the failed step's own message on the screen, if a step that all depends on has failed."""
    if not succeeded:
        sys.exit("tools/install.py: a step failed, see above")


if __name__ == "__main__":
    main(sys.argv[1:])
