"""How comments, docstrings and pages are written: one dialect, plain English, no measured times."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from udfs.config.root import ROOT

HOUSES = ("tools", "lambda_app", "flink_app", "aws", "udfs")
FILES = [path for house in HOUSES for path in sorted((ROOT / house).rglob("*.py"))]
# Examples of bills count in microseconds.
TESTS = [path for path in sorted((ROOT / "tests").rglob("*.py")) if path.name != "test_model.py"]
SQL = sorted((ROOT / "sql").rglob("*.sql"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
FENCED = re.compile(r"```.*?```", re.DOTALL)
# A paragraph, a heading, an item of a list or a row of a table.
BLOCK_END = re.compile(r"\n(?= *(?:\n|[-#|]|\d+\. ))")

# Not in pages, which show measured times and have fences.
ONLY_IN_CODE = {
    r"``|:\w+:`": "single backticks, no roles",
    r"\d us\b": "a measured time belongs into docs/performance.md; here stands (hot path)",
}
UNWANTED = {
    r"\btold\b|\banew\b": "a plainer word",
    r"(?<!left )\balone\b": "only",
    r"(^|\. )((What|Why|Whether) [^.;]* (is|are) for|Of [^.;,]* holds)\b": "the subject first",
}
VERB = re.compile(r"[A-Z][a-z]+s\b")
NO_VERBS = {
    "Addresses", "Always", "Bytes", "Issues", "Keys", "Lines", "Members", "Names", "Rejections",
    "Rules", "Settings", "This", "Times", "Words",
}  # fmt: skip


def documented(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Yields every docstring, also of attributes, with the node around it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(ast.Constant(str(text))):
                    yield node, text


def comments(path: Path) -> Iterator[str]:
    """Yields the comments of a file, with neighbouring lines as one."""
    text, last = "", 0
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] > last + 1:
                yield text
                text = ""
            text += token.string.removeprefix("#")
            last = token.start[0]
    yield text


def problems(text: str, unwanted: dict[str, str]) -> list[str]:
    flat = re.sub(r"\s+", " ", text).strip()
    return [f"{wanted}: {flat}" for pattern, wanted in unwanted.items() if re.search(pattern, flat)]


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_comments_and_docstrings_are_plain(path: Path) -> None:
    texts = [*comments(path), *(text for _, text in documented(path))]
    unwanted = ONLY_IN_CODE | UNWANTED
    assert [problem for text in texts for problem in problems(text, unwanted)] == []


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_comments_of_sql_are_plain(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    text = " ".join(line.removeprefix("--") for line in lines if line.startswith("--"))
    assert problems(text, ONLY_IN_CODE | UNWANTED) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_plain(page: Path) -> None:
    blocks = BLOCK_END.split(FENCED.sub("", page.read_text("utf-8")))
    texts = [block.strip(" \n-#|") for block in blocks]
    assert [problem for text in texts for problem in problems(text, UNWANTED)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_of_functions_begin_with_a_verb(path: Path) -> None:
    for node, text in documented(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = text.split()[0]
            assert VERB.match(first), text
            assert first not in NO_VERBS, text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sections_of_docstrings_are_sentences(path: Path) -> None:
    for _, text in documented(path):
        _, _, sections = text.partition("Args:\n")
        assert not re.search(r"^ +\w+: [a-z]", sections, re.MULTILINE), text
