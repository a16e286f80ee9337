"""The house rules that a program can check: directions of import, sizes, docstrings, dangerous calls, dependencies."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from audiocodec.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "audiocodec"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(path for folder in ("recipes", "egs", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
MAX_LINES = 320
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# Distributions whose import name is another, and tools that are run, not imported.
IMPORT_NAMES = {"pyyaml": "yaml", "lc3py": "lc3", "visqol-python": "visqol"}
INSTALLED_BY_HAND = {"resemblyzer"}  # its dependency webrtcvad no longer builds; the metric says that it is missing
NEVER_IMPORTED = {"pytest", "ruff", "mypy", "import-linter", "types-PyYAML"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_imports_point_one_way():
    tool = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_these_import_no_torch():
    light = ["audiocodec", "audiocodec.errors", "audiocodec.bitstream", "audiocodec.config", "audiocodec.cli.main"]
    light += [
        f"audiocodec.{folder}.{path.stem}"
        for folder in ("bitstream", "config", "cli")
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem != "__init__"
    ]
    script = (
        "import sys, importlib\n"
        f"for name in {light!r}:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules: sys.exit(f'{name} imports torch')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_a_file_stays_readable_in_one_sitting(path):
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_LINES, f"{n_lines} lines; split it"


def public_definitions(tree: ast.Module) -> Iterator[ast.AST]:
    """Public functions and classes of a module, and the public methods of its public classes that override nothing."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not node.bases:
            methods = (child for child in node.body if isinstance(child, ast.FunctionDef))
            yield from (method for method in methods if not method.name.startswith("_"))


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_public_things_are_documented(path):
    tree = tree_of(path)
    missing = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    if not ast.get_docstring(tree):
        missing.insert(0, "the module")
    assert not missing, f"no docstring: {', '.join(missing)}"


def dangers(tree: ast.Module) -> Iterator[str]:
    """Calls and imports by which a file of a stranger, or a word in it, could run code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS)
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            if call in ("eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load"):
                yield call
            if call == "torch.load" and options.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if call in ("np.load", "numpy.load") and options.get("allow_pickle", "False") != "False":
                yield "np.load with allow_pickle"
            if options.get("shell") == "True":
                yield f"{call} through a shell"
            if options.get("trust_remote_code") == "True":
                yield f"{call} with trust_remote_code"


FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


@pytest.mark.parametrize("path", [*SOURCES, *SCRIPTS], ids=name_of)
def test_nothing_read_can_run_code(path):
    allowed = {"yaml.load"} if "yaml.SafeLoader" in path.read_text(encoding="utf-8") else set()  # a loader built on it
    assert not set(dangers(tree_of(path))) - allowed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
        "yaml.load(text)",
    ],
)
def test_the_check_for_dangers_finds_them(source):
    assert list(dangers(ast.parse(source)))


def test_the_check_for_dangers_lets_the_safe_ways_pass():
    safe = "codec.eval(); torch.load(path, weights_only=True); np.load(path); yaml.safe_load(text)"
    assert not list(dangers(ast.parse(safe)))


def imported(paths: list[Path]) -> set[str]:
    """Top-level names of all absolute imports, wherever in a file they stand."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                names.add(ast.literal_eval(node.args[0]).split(".")[0])
    return names


def declared(requirements: list[str]) -> set[str]:
    """Import names of requirements such as "torch>=2.6"."""
    names = {re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0] for requirement in requirements}
    names -= NEVER_IMPORTED | {"audiocodec"}
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def test_every_import_of_the_package_is_declared():
    extras = [requirement for group in PROJECT["optional-dependencies"].values() for requirement in group]
    known = declared([*PROJECT["dependencies"], *extras]) | set(sys.stdlib_module_names)
    known |= INSTALLED_BY_HAND | {"audiocodec", "rich"}  # rich comes with typer
    undeclared = imported(SOURCES) - known
    assert not undeclared, f"not in pyproject.toml: {sorted(undeclared)}"


def test_every_declared_dependency_is_used():
    used = imported([*SOURCES, *SCRIPTS])
    text = "".join(path.read_text(encoding="utf-8") for path in [*SOURCES, *SCRIPTS])
    used |= {name for name in ("tensorboard", "huggingface_hub") if f'"{name}"' in text or f"utils.{name}" in text}
    groups = PROJECT["optional-dependencies"]
    assert not declared(PROJECT["dependencies"]) - used
    in_tests = imported(sorted((ROOT / "tests").rglob("*.py")))
    for extra, requirements in groups.items():
        assert not declared(requirements) - used - (in_tests if extra == "dev" else set()), extra


def test_every_file_of_the_package_is_packaged():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["audiocodec"]
    packaged = {path for pattern in patterns for path in PACKAGE.glob(pattern)} | set(SOURCES)
    there = {path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert not {name_of(path) for path in there - packaged}


def test_no_file_is_imported_as_a_test_twice():
    names = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("__init__.py")]
    assert not names, f"tests are collected with --import-mode=importlib and need none of {names}"


def test_the_version_is_written_once():
    assert "version" in PROJECT["dynamic"]
    spec = importlib.util.find_spec("audiocodec")
    assert spec is not None and spec.origin is not None
    version = re.search(r'^__version__ = "(.+)"$', Path(spec.origin).read_text(), re.MULTILINE)
    assert version is not None
    assert f"## {version.group(1)}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_command_is_registered():
    """A module of cli/ with a public function of its own name is a command."""
    commands = {
        path.stem
        for path in (PACKAGE / "cli").glob("*.py")
        if any(isinstance(node, ast.FunctionDef) and node.name == path.stem for node in tree_of(path).body)
    } - {"main"}
    assert commands == {command.__name__ for command in COMMANDS}
