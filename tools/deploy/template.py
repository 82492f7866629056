"""The template of a stack, put together from the parts in `conf/cloudformation`.

One flat template rather than nested stacks: a change set of nested stacks can't tell what becomes
of a resource whose properties are outputs of another of them, and the change set is the plan.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import yaml

from tools.deploy.tables import table_input
from udfs.config.root import ROOT

type Kind = Literal["job", "function"]
type Template = dict[str, Any]
type Repeated = Mapping[str, Sequence[str]]

FOLDER = ROOT / "conf" / "cloudformation"
PARTS: Mapping[Kind, tuple[str, ...]] = {
    "job": ("common", "streams", "application", "operations", "lake"),
    "function": ("common", "function"),
}
APPLICATION = "Application"
JSON = "Fn::Json"
TABLE = "Fn::Table"
EACH = "Fn::Each"


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their long ones."""

    def function(self, name: str, node: yaml.Node) -> dict[str, Any]:
        """Returns the long form of `!name ...`."""
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = self.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = self.construct_sequence(node, deep=True)
        else:
            value = self.construct_mapping(node, deep=True)
        if name == "GetAtt":
            value = value.split(".", 1)
        return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _Loader.function)


@cache
def _written(kind: Kind) -> Template:
    """Returns the sections of the parts of a kind of stack, merged."""
    merged: Template = {}
    for part in PARTS[kind]:
        text = (FOLDER / f"{part}.yaml").read_text("utf-8")
        for section, value in yaml.load(text, _Loader).items():  # noqa: S506 - it is a SafeLoader
            if section != "Shared":
                _merge(merged, section, value)
    return merged


def _merge(merged: Template, section: str, value: Any) -> None:
    if not isinstance(value, dict):
        merged[section] = value
        return
    for key, entry in value.items():
        known = merged.setdefault(section, {})
        if isinstance(known.get(key), dict) and section == "Metadata":
            known[key].update(entry)
        else:
            known[key] = entry


def parameters(kind: Kind) -> Mapping[str, Mapping[str, Any]]:
    """Returns the parameters of a kind of stack as the template declares them, by name."""
    declared: Mapping[str, Mapping[str, Any]] = _written(kind)["Parameters"]
    return declared


def derived(kind: Kind) -> frozenset[str]:
    """Returns the parameters that `deploy` fills in itself."""
    own = "By deploy."
    declared = parameters(kind).items()
    return frozenset(name for name, entry in declared if entry["Description"].startswith(own))


def render(kind: Kind, repeated: Repeated) -> Template:
    """Returns the template of a stack.

    Args:
        kind: What the stack is of.
        repeated: What `{Stream}` and the like stand for: values by the names in the braces.
    """
    template: Template = _expanded(copy.deepcopy(_written(kind)), repeated)
    return template


def _expanded(node: Any, repeated: Repeated) -> Any:
    if isinstance(node, dict) and EACH in node:
        copies = (copied for item in node[EACH] for copied in _copies(item, item, repeated))
        return [_expanded(copied, repeated) for copied in copies]
    if isinstance(node, dict):
        pairs = (pair for key, item in node.items() for pair in _copies(key, [key, item], repeated))
        whole = {key: _expanded(item, repeated) for key, item in pairs}
        if TABLE in whole:
            return table_input(whole[TABLE])
        return {"Fn::Sub": json.dumps(whole[JSON])} if JSON in whole else whole
    if isinstance(node, list):
        return [_expanded(item, repeated) for item in node]
    if isinstance(node, str) and "{Version}" in node:
        (node,) = _copies(node, node, repeated)
    return node


def _copies(named_in: Any, node: Any, repeated: Repeated) -> Iterator[Any]:
    """Yields a node once, or once for each value of the name that stands in a part of it."""
    text = json.dumps(named_in)
    for name, values in repeated.items():
        if f"{{{name}}}" in text or f"{{{name.lower()}}}" in text:
            written = json.dumps(node)
            for value in values:
                named = written.replace(f"{{{name}}}", logical_name(value))
                yield json.loads(named.replace(f"{{{name.lower()}}}", value))
            return
    yield node


def logical_name(name: str) -> str:
    """Returns a name as it stands in logical ids, which take letters and digits only."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^a-zA-Z0-9]", name))
