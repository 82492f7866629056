"""The bytes of a record out of what an event carries: base64 text, of gzip or plain."""

from __future__ import annotations

import binascii
import gzip
import io
import zlib

from udfs.errors import ValidationError

# Not UTF-8, so no plain line begins so.
_GZIP_MAGIC = b"\x1f\x8b"


def decode_base64(text: str) -> bytes:
    """The bytes behind base64 text.

    Raises:
        ValidationError: Stage `decode`, reason `invalid_base64`.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ValidationError("decode", "invalid_base64", "the data is not base64") from None


def decompress(data: bytes, maximum: int) -> bytes:
    """The plain bytes of a record; a record that is not gzip is returned as it is.

    No more than the maximum is ever unpacked, so a small record cannot fill the memory.

    Raises:
        ValidationError: Stage `decode`, reason `corrupt_gzip` or `gzip_too_large`.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            plain = file.read(maximum + 1)
    except (OSError, EOFError, zlib.error):
        raise ValidationError("decode", "corrupt_gzip", "the gzip data is corrupt") from None
    if len(plain) > maximum:
        raise ValidationError(
            "decode", "gzip_too_large", "the record unpacks to more than gzip.maximum.bytes"
        )
    return plain
