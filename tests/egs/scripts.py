"""Scripts of egs as modules: they import each other by their plain names, and leave no trace behind."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

EGS = Path(__file__).parents[2] / "egs"


@contextmanager
def imported(folder: str, *names: str) -> Iterator[dict[str, ModuleType]]:
    """Within the block: the scripts `names` of egs/`folder`, by name."""
    sys.path.insert(0, str(EGS / folder))
    before = {name: sys.modules.pop(name, None) for name in names}
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(EGS / folder))
        for name in names:
            sys.modules.pop(name, None)
            if before[name] is not None:
                sys.modules[name] = before[name]
