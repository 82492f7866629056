from __future__ import annotations

import pytest

from lambda_app.payload import decode_base64
from udfs.errors import ValidationError


@pytest.mark.parametrize("text", ["abc", "ab!=", "YQ=", "YQ==YQ==", "ä", "YQ==\n", "=="])
def test_what_is_not_base64(text: str) -> None:
    with pytest.raises(ValidationError, match="invalid_base64"):
        decode_base64(text)


def test_base64() -> None:
    assert decode_base64("") == b""
    assert decode_base64("AP8=") == b"\x00\xff"
