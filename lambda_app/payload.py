"""The bytes of a record out of what an event carries: base64 text."""

from __future__ import annotations

import binascii

from udfs.errors import ValidationError


def decode_base64(text: str) -> bytes:
    """Returns the bytes behind base64 text.

    Raises:
        ValidationError: Stage `decode`, reason `invalid_base64`.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ValidationError("decode", "invalid_base64", "the data is not base64") from None
