"""The example of docs/streaming.md runs as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "streaming.md"


def test_the_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    names: dict = {}
    exec(compile(blocks[0], str(PAGE), "exec"), names)  # noqa: S102
    assert len(names["elsewhere"]) == 1
