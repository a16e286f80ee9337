"""tools/: which PyTorch is asked for, what happens without a compiler, and how torchaudio is mended."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def install(monkeypatch):
    """The installer with a pip that only takes notes: `install.ran`, and `install.refused`, words that make it fail."""
    module = load("install")
    module.ran, module.refused = [], set()

    def pip(*arguments: str) -> bool:
        module.ran.append(arguments)
        return not any(word in argument for word in module.refused for argument in arguments)

    monkeypatch.setattr(module, "pip", pip)
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(module, "answers", lambda url: True)
    return module


def test_cpu_build_where_there_is_no_gpu(install):
    install.install_torch()
    assert install.ran == [("install", "--extra-index-url", install.CPU_INDEX, install.TORCH)]


def test_pypi_build_where_there_is_a_gpu(install, monkeypatch):
    monkeypatch.setattr(install, "has_nvidia_gpu", lambda: True)
    install.install_torch()
    assert install.ran == [("install", install.TORCH)]


def test_an_index_that_does_not_answer_is_not_given_to_pip(install, monkeypatch):
    monkeypatch.setattr(install, "answers", lambda url: False)
    install.install_torch()
    assert install.ran == [("install", install.TORCH)]


def test_the_newest_torch_where_the_tested_one_has_no_wheel(install):
    install.refused = {"=="}
    install.install_torch()
    assert install.ran[-1][-1] == "torch"


def test_pip_failing_altogether_ends_the_installer(install):
    install.refused = {"torch"}
    with pytest.raises(SystemExit, match="a step failed"):
        install.install_torch()


def test_without_a_compiler_all_but_pesq_is_installed(install, capsys):
    install.refused = {"[train,eval]"}  # the build of pesq fails, and with it the whole command
    install.install_package(["train", "eval"])
    last = install.ran[-1]
    assert any(word.startswith("pystoi") for word in last) and any(word.startswith("accelerate") for word in last)
    assert not any(word.startswith("pesq") for word in last)
    assert "pesq" in capsys.readouterr().out


def test_a_gpu_is_one_that_the_driver_lists(monkeypatch, tmp_path):
    install = load("install")
    tool = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    for script, expected in (("echo 'GPU 0: NVIDIA H200'", True), ("echo 'no devices'", False), ("exit 9", False)):
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        assert install.has_nvidia_gpu() is expected


@pytest.fixture
def fake_torchaudio(monkeypatch, tmp_path):
    """Put a package named torchaudio with the given source first on the path, here and in child processes."""

    def make(source: str, extensions: tuple[str, ...]) -> Path:
        library = tmp_path / "torchaudio" / "lib"
        library.mkdir(parents=True)
        (tmp_path / "torchaudio" / "__init__.py").write_text(source)
        for name in extensions:
            (library / name).write_bytes(b"\x7fELF")
        return library

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    return make


NEEDS_CUDA = (
    "from pathlib import Path\n"
    "if any((Path(__file__).parent / 'lib').glob('*.so')):\n"
    "    raise OSError('libc10_cuda.so: cannot open shared object file')\n"
)


def test_torchaudio_that_links_cuda_is_mended_once(fake_torchaudio):
    library = fake_torchaudio(NEEDS_CUDA, ("_torchaudio.abi3.so", "libtorchaudio.abi3.so"))
    mend = load("mend_torchaudio").mend
    assert "mended, 2 extensions" in mend()
    assert not list(library.glob("*.so"))
    assert "nothing to mend" in mend()


def test_torchaudio_that_works_is_left_alone(fake_torchaudio):
    library = fake_torchaudio("", ("libtorchaudio.abi3.so",))
    assert "nothing to mend" in load("mend_torchaudio").mend()
    assert list(library.glob("*.so"))


def test_torchaudio_broken_otherwise_is_reported(fake_torchaudio):
    fake_torchaudio("raise ImportError('no module named spam')", ())
    with pytest.raises(SystemExit, match="spam"):
        load("mend_torchaudio").mend()
