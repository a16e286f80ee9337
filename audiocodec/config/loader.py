"""The one way from a YAML file and `key=value` overrides to a validated, frozen configuration object.

A configuration is one plain YAML file, read by a safe loader, optionally on top of another one that its `base:` key
names. Dotted overrides come last. The pydantic model then checks everything, and every fault is reported at once.
"""

import difflib
import re
import types
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads 3e-4 as a number (YAML 1.1 asks for 3.0e-4) and refuses a key written twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the parent has it
        k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_EXPONENT = re.compile(r"^[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+[eE][-+]?[0-9]+$")
for _first in "-+.0123456789":
    _Loader.yaml_implicit_resolvers.setdefault(_first, []).insert(0, ("tag:yaml.org,2002:float", _EXPONENT))


def load(model: type[Model], path: str | Path | None = None, overrides: Iterable[str] = ()) -> Model:
    """Read a configuration file, apply overrides, validate.

    Args:
        model: the pydantic model of the whole configuration.
        path: a YAML file; None starts from the model's defaults.
        overrides: `dotted.key=value` strings; the value is read as YAML (`3e-4`, `[1, 2]`, `null`, `true`).
    Returns:
        A frozen object of type `model`.
    Raises:
        ConfigError: naming every fault with its dotted path, what came, what is allowed and the nearest right name.
    """
    tree = read_yaml(path) if path is not None else {}
    for override in overrides:
        _assign(tree, *_split(override))
    return validate(model, tree, str(path) if path is not None else "the configuration")


def validate(model: type[Model], tree: Mapping[str, Any], source: str) -> Model:
    """Turn a plain mapping into a validated object of type `model`; `source` names its origin in error messages.

    Raises:
        ConfigError: as for `load`.
    """
    try:
        return model.model_validate(dict(tree))
    except ValidationError as error:
        # A union of kinds reports one fault once per kind it tried; the same line twice helps nobody.
        lines = list(dict.fromkeys(_describe(model, fault) for fault in error.errors(include_url=False)))
        faults = "1 fault" if len(lines) == 1 else f"{len(lines)} faults"
        raise ConfigError(
            f"{source}: {faults} in the configuration\n" + "\n".join(f"  {line}" for line in lines)
        ) from None


def read_yaml(path: str | Path, _chain: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read one YAML mapping, merged over the file its `base:` key names (a path relative to this file).

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or its bases go round in a circle.
    """
    path = Path(path)
    if path.resolve() in _chain:
        raise ConfigError(f"{path}: `base:` goes round in a circle")
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give --config a YAML file, for example conf/smoke.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, got a {type(tree).__name__}")
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base: expected a path to a YAML file, got {base!r}")
    return merge(read_yaml(path.parent / base, (*_chain, path.resolve())), tree)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the values of `over` laid over it, mapping by mapping.

    A mapping that names another `kind` than the base's replaces it whole: its other keys belong to the old kind.
    """
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(old, Mapping)
            and value.get("kind", old.get("kind")) == old.get("kind")
        ):
            value = merge(old, value)
        out[key] = value
    return out


def dump(config: BaseModel) -> str:
    """Write a configuration as YAML that `load` reads back to an equal object."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)


def _split(override: str) -> tuple[list[str], Any]:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"override {override!r}: expected dotted.key=value, for example optim.lr=3e-4")
    try:
        return parts, yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not valid YAML: {error}") from None


def _assign(tree: dict[str, Any], parts: list[str], value: Any) -> None:
    for part in parts[:-1]:
        below = tree.get(part)
        tree[part] = below = dict(below) if isinstance(below, Mapping) else {}
        tree = below
    tree[parts[-1]] = value


def _describe(model: type[BaseModel], fault: Any) -> str:
    """One line for one fault: dotted path, what came, what is allowed, nearest right name."""
    path, parent = _locate(model, fault["loc"])
    dotted = ".".join(path) or "(the whole file)"
    if fault["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{_suggest(model, path, parent)}"
    if fault["type"] == "missing":
        return f"{dotted}: missing; it has no default"
    if fault["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"{dotted}.kind: {_choices(model, path, fault)}"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = "expected " if fault["msg"].startswith("Input should be ") else ""
    guess = ""
    allowed = [
        value.strip(" '") for value in str(fault.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")
    ]
    if isinstance(fault["input"], str) and (near := difflib.get_close_matches(fault["input"], allowed, 1)):
        guess = f"; did you mean {near[0]!r}?"
    came = "" if isinstance(fault["input"], Mapping | BaseModel) else f"got {fault['input']!r}, "
    return f"{dotted}: {came}{expected}{message}{guess}"


def _choices(model: type[BaseModel], path: list[str], fault: Any) -> str:
    """What is wrong with the `kind` of a union of models, and which kinds there are."""
    here = [model]
    for part in path:
        here = [below for m in here if part in m.model_fields for below in _models(m.model_fields[part].annotation)]
    kinds = [str(_kind(m)) for m in here]
    allowed = " or ".join(f"'{kind}'" for kind in kinds)
    tag = str(fault.get("ctx", {}).get("tag", ""))
    if not tag:
        return f"missing; expected {allowed}"
    near = difflib.get_close_matches(tag, kinds, 1)
    return f"got {tag!r}, expected {allowed}" + (f"; did you mean {near[0]!r}?" if near else "")


def _suggest(model: type[BaseModel], path: list[str], parent: type[BaseModel] | None) -> str:
    """` (did you mean ...?)` for an unknown key: a sibling with a like name, else a like name anywhere."""
    siblings = list(parent.model_fields) if parent else []
    if near := difflib.get_close_matches(path[-1], siblings, 1, cutoff=0.6):
        return f"; did you mean {'.'.join([*path[:-1], near[0]])}?"
    everywhere = {dotted.rpartition(".")[2]: dotted for dotted in _dotted_names(model)}
    if near := difflib.get_close_matches(path[-1], list(everywhere), 1, cutoff=0.8):
        return f"; did you mean {everywhere[near[0]]}?"
    return f"; allowed here: {', '.join(siblings)}" if siblings else ""


def _dotted_names(model: type[BaseModel], prefix: str = "") -> Iterable[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for below in _models(field.annotation):
            yield from _dotted_names(below, f"{prefix}{name}.")


def _locate(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], type[BaseModel] | None]:
    """Dotted path of a pydantic location, without the tags that unions add, and the model that holds its last key."""
    path: list[str] = []
    here: list[type[BaseModel]] = [model]
    parent: type[BaseModel] | None = model
    for part in loc:
        owners = [m for m in here if part in m.model_fields]
        tags = [m for m in here if _kind(m) == part] if not owners and len(here) > 1 else []
        if tags:  # pydantic names the chosen kind in the location; the user wrote no such key
            here = tags
            continue
        path.append(str(part))
        parent = here[0] if here else None
        here = [below for m in owners for below in _models(m.model_fields[str(part)].annotation)]
    return path, parent


def _kind(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return field.default if field else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models inside an annotation such as `Annotated[A | B, ...]` or `A | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return [m for inner in get_args(annotation) for m in _models(inner)]
    return []
