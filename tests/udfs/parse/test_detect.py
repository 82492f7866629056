"""The format of a log, detected by its first lines."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.support.core import SAMPLE, combined
from tests.udfs.parse.test_formats import ALB, CADDY, HEADER, NGINX, STANDARD
from udfs.parse.detect import detect

COMMON = combined().rsplit(' "', 2)[0]


@pytest.mark.parametrize(
    ("text", "name", "wrapped"),
    [
        (combined(), "combined", False),
        (COMMON, "common", False),
        (f"shop.example:443 {combined()}", "vhost_combined", False),
        (f'{combined()} "203.0.113.7, 10.0.0.1"', "combined_xff", False),
        (ALB, "alb", False),
        (f"{HEADER}\n{STANDARD}", "cloudfront", False),
        (json.dumps(NGINX), "json", False),
        (json.dumps(CADDY), "json", False),
        (f"\n\nweb1 nginx: {combined()}", "combined", False),
        (f"203.0.113.7, 10.0.0.1 {combined().partition(' ')[2]}", "combined", False),
        (json.dumps({"log": combined()}), "combined", True),
        (json.dumps({"message": json.dumps(NGINX)}), "json", True),
        (json.dumps({"log": COMMON}), "common", True),
    ],
)
def test_formats(text: str, name: str, *, wrapped: bool) -> None:
    found = detect(text.encode().split(b"\n"))
    assert (found.format, found.is_wrapped, found.is_sure) == (name, wrapped, True)


def test_the_bundled_log() -> None:
    with gzip.open(SAMPLE) as file:
        lines = file.read().split(b"\n")[:100]
    found = detect(lines)
    assert (found.format, found.lines, found.matching, found.is_sure) == (
        "combined",
        100,
        100,
        True,
    )


def test_some_bad_lines_do_not_matter() -> None:
    found = detect([combined().encode()] * 8 + [b"garbage"] * 2)
    assert (found.format, found.is_sure) == ("combined", True)


@pytest.mark.parametrize(
    "text", ["", "hello\nworld", "\xff\xfe", '{"a": 1}', "level=info msg=hello", "<html>"]
)
def test_nothing_is_made_up(text: str) -> None:
    found = detect(text.encode("latin-1").split(b"\n"))
    assert (found.format, found.is_sure) == (None, False)


def test_the_nearest_format_is_named() -> None:
    found = detect([b"what is this", *[combined().encode()] * 3, *[b"nothing"] * 3])
    assert (found.format, found.is_sure, found.first) == ("combined", False, b"what is this")
