"""Any properties file gives settings, or an error that names the mistake."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_app.settings import JobSettings, job_settings
from lambda_app.settings import Settings
from udfs.config.file import load_properties
from udfs.config.properties import Properties
from udfs.errors import ConfigurationError

_KNOWN = sorted({(one.group, one.key) for one in job_settings()})
_GROUPS = sorted({group for group, _ in _KNOWN} | {"weblog.sink.files", "weblog.outputs"})
_VALUES = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1e9", "nan", "true", "5 min", "0 s", "99999999999999 d", "all", "basic",
         "kinesis", "filesystem", "discard", "profile", "off", "default", "*", "[", "(", "4xx",
         "arn:aws:kinesis:eu-west-1:123456789012:stream/x", "errors > 1 %, at least 5 requests",
         "requests per host > 0 x baseline", "\0", "\ud800", "2024-02-30", "a" * 3000,
         "~", "~nosuchuser/x"]
    ),
    st.text(max_size=40),
)  # fmt: skip
_KNOWN_SETTINGS = st.lists(st.tuples(st.sampled_from(_KNOWN), _VALUES), max_size=12)
_OTHERS = st.dictionaries(
    st.one_of(st.sampled_from(_GROUPS), st.text(max_size=20)),
    st.dictionaries(
        st.one_of(st.sampled_from(["type", "path", "default", "stream.arn"]), st.text(max_size=12)),
        _VALUES,
        max_size=4,
    ),
    max_size=3,
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"PropertyGroupId": st.one_of(st.sampled_from(_GROUPS), _JSON), "PropertyMap": _JSON}
    ),
    max_size=4,
)


def check_both(groups: Properties) -> None:
    for load in (JobSettings.load, Settings.load):
        with contextlib.suppress(ConfigurationError):
            load(groups)


@given(_KNOWN_SETTINGS, _OTHERS)
def test_any_settings(known: list[tuple[tuple[str, str], str]], others: dict[str, Any]) -> None:
    # With a source and a sink, many settings pass the first check.
    groups: dict[str, dict[str, str]] = {
        "weblog.source": {"path": "logs"},
        "weblog.sink.files": {"type": "filesystem", "path": "out"},
        "weblog.outputs": {"default": "files"},
    }
    for (group, key), value in known:
        groups.setdefault(group, {})[key] = value
    check_both(groups | others)


@given(st.binary(max_size=200) | (_JSON | _ENTRIES).map(lambda value: json.dumps(value).encode()))
def test_any_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_bytes(content)
    with contextlib.suppress(ConfigurationError):
        check_both(load_properties(path))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_properties(tmp_path / "missing.json")


def test_brackets_without_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ConfigurationError):
        load_properties(path)
