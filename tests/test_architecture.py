"""Imports between packages go one way, and Flink and AWS stay in their packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from udfs.config.root import ROOT

HOUSES = ("tools", "lambda_app", "flink_app", "aws", "udfs")
"""Each may import itself and those to its right."""

FLINK = {"pyflink", "py4j", "pemja", "apache_beam"}
AWS = {"boto3", "botocore", "awslambdaric"}
MODULES = [path for house in HOUSES for path in sorted((ROOT / house).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Yields the dotted names of the modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            for name in node.names:
                yield f"{node.module}.{name.name}"


def room(dotted: str) -> str:
    """Returns the package of a module, two levels deep: `udfs.parse`, `tools.run`, `aws`."""
    parts = dotted.split(".")
    inner = ROOT.joinpath(*parts[:2])
    return ".".join(parts[:2]) if len(parts) > 1 and inner.is_dir() else dotted_module(parts)


def dotted_module(parts: list[str]) -> str:
    """Returns a module directly in a house, or the house for a name that it exports."""
    file = ROOT.joinpath(*parts[:2]).with_suffix(".py")
    return ".".join(parts[:2]) if file.is_file() else parts[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("house", HOUSES)
def test_houses_import_in_one_direction(house: str) -> None:
    allowed = set(HOUSES[HOUSES.index(house) :])
    for path in sorted((ROOT / house).rglob("*.py")):
        imported = {name.partition(".")[0] for name in imports(path)}
        assert imported & {*HOUSES, "tests"} <= allowed, path


def test_the_core_knows_no_aws() -> None:
    for path in sorted((ROOT / "udfs").rglob("*.py")):
        assert not {name.partition(".")[0] for name in imports(path)} & AWS, path


@pytest.mark.parametrize("house", ["udfs", "lambda_app", "aws"])
def test_flink_stays_in_its_room(house: str) -> None:
    for path in sorted((ROOT / house).rglob("*.py")):
        if not path.is_relative_to(ROOT / "udfs" / "flink"):
            assert not {name.partition(".")[0] for name in imports(path)} & FLINK, path
            assert not any(name.startswith("udfs.flink") for name in imports(path)), path


def test_no_packages_import_each_other() -> None:
    arrows: dict[str, set[str]] = {}
    for path in MODULES:
        here = room(module_name(path))
        there = {room(name) for name in imports(path) if name.partition(".")[0] in HOUSES}
        arrows.setdefault(here, set()).update(there - {here})
    settled: set[str] = set()
    while waiting := arrows.keys() - settled:
        free = {name for name in waiting if arrows[name] & arrows.keys() <= settled}
        assert free, f"a circle among {sorted(waiting)}"
        settled |= free
