from __future__ import annotations

import contextlib
import gzip
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import grows_linearly
from udfs.errors import ValidationError
from udfs.parse.unwrap import gunzip


def reason(data: bytes, maximum: int = 1000) -> str:
    with pytest.raises(ValidationError) as caught:
        gunzip(data, maximum)
    assert caught.value.stage == "decode"
    return caught.value.reason


@given(st.binary(max_size=1000))
def test_what_was_compressed_comes_back(plain: bytes) -> None:
    assert gunzip(gzip.compress(plain), 1000) == plain


def test_several_members_are_one_record() -> None:
    assert gunzip(gzip.compress(b"one\n") + gzip.compress(b"two\n"), 100) == b"one\ntwo\n"


def test_the_bound_is_exact() -> None:
    assert len(gunzip(gzip.compress(b"x" * 1000), 1000)) == 1000
    assert reason(gzip.compress(b"x" * 1001)) == "gzip_too_large"
    assert reason(gzip.compress(b"x" * 600) * 2) == "gzip_too_large"


def test_a_bomb_fills_no_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([packer.compress(bytes(1_000_000)) for _ in range(300)]) + packer.flush()
    tracemalloc.start()
    try:
        assert reason(bomb, 1_000_000) == "gzip_too_large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_many_empty_members_take_linear_time() -> None:
    member = gzip.compress(b"")

    assert grows_linearly(lambda data: gunzip(data, 1000), lambda count: member * count, 2000)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"line")[:-1],
        gzip.compress(b"line")[:12],
        b"\x1f\x8b",
        b"\x1f\x8b" + b"\xff" * 50,
        gzip.compress(b"line")[:-5] + b"\0" * 5,
        gzip.compress(b"line") + b"rubbish",
    ],
    ids=["cut", "cut early", "magic alone", "rubbish", "wrong checksum", "rubbish behind"],
)
def test_corrupt_data(data: bytes) -> None:
    assert reason(data) == "corrupt_gzip"


@given(st.binary(max_size=200))
def test_rubbish_behind_the_magic_number_raises_nothing_else(data: bytes) -> None:
    with contextlib.suppress(ValidationError):
        gunzip(b"\x1f\x8b\x08" + data, 1000)


def test_a_file_of_gzip_with_a_name_in_it() -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile("access.log", "wb", fileobj=buffer) as file:
        file.write(b"line")
    assert gunzip(buffer.getvalue(), 100) == b"line"
