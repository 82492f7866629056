from __future__ import annotations

from pathlib import Path

import maxminddb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maxminddb.decoder import Decoder

from tools.geoip import format as geoip_format
from tools.geoip.format import DataSection, Metadata, Tree
from udfs.errors import DatabaseError

METADATA = Metadata("Test-City", "A test.", 1_780_666_922)


@pytest.mark.parametrize("length", [0, 1, 28, 29, 284, 285, 65_820])
def test_text_of_every_length_class_is_read_back(length: int) -> None:
    text = "ü" * (length // 2) + "x" * (length % 2)
    assert Decoder(geoip_format.encode_text(text)).decode(0)[0] == text


@pytest.mark.parametrize("offset", [0, 1, 0x7FF, 0x800, 0x807FF, 0x80800, 0x90000])
def test_pointers_of_two_to_four_bytes_lead_to_their_target(offset: int) -> None:
    section = bytes(offset) + geoip_format.encode_text("target")
    pointer = geoip_format.encode_pointer(offset)
    assert Decoder(section + pointer).decode(len(section))[0] == "target"


def test_pointers_switch_to_five_bytes_where_four_end() -> None:
    last_of_four = 0x80800 + 0x7FFFFFF
    assert geoip_format.encode_pointer(last_of_four) == bytes.fromhex("37ffffff")
    assert geoip_format.encode_pointer(last_of_four + 1) == bytes.fromhex("3808080800")


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_whole_numbers_are_read_back(bits: int) -> None:
    for number in (0, 1, 255, 256, (1 << bits) - 1):
        assert Decoder(geoip_format.encode_unsigned(number, bits)).decode(0)[0] == number


@given(st.floats(allow_nan=False))
def test_doubles_are_read_back(number: float) -> None:
    assert Decoder(geoip_format.encode_double(number)).decode(0)[0] == number


def test_a_data_section_stores_equal_values_once() -> None:
    section = DataSection()
    first = section.add(geoip_format.encode_text("Paris"))
    section.add(geoip_format.encode_text("Seoul"))
    assert section.add(geoip_format.encode_text("Paris")) == first
    assert bytes(section).count(b"Paris") == 1


@given(
    size=st.sampled_from(geoip_format.RECORD_SIZES),
    picks=st.lists(st.tuples(st.integers(0, 2**23), st.integers(0, 2**23)), min_size=1),
)
def test_trees_survive_packing_in_every_record_size(
    size: int, picks: list[tuple[int, int]]
) -> None:
    records = np.array(picks, dtype=np.int64)
    tree = Tree(records[:, 0], records[:, 1])
    again = geoip_format._unpack(geoip_format._pack(tree, size), size)
    assert again.left.tolist() == tree.left.tolist()
    assert again.right.tolist() == tree.right.tolist()


@pytest.mark.parametrize(("padding", "size"), [(0, 24), (1 << 24, 28)])
def test_a_written_file_has_the_smallest_record_size_that_serves(
    tmp_path: Path, padding: int, size: int
) -> None:
    path = tmp_path / "new-folder" / "test.mmdb"
    data = bytes(padding) + geoip_format.encode_text("found")
    tree = geoip_format.grow_tree([(0x01020300, 96 + 24, padding)])
    geoip_format.write(path, tree, data, METADATA)
    with maxminddb.open_database(path) as reader:
        metadata = reader.metadata()
        assert metadata.record_size == size
        assert metadata.database_type == "Test-City"
        assert metadata.description == {"en": "A test."}
        assert metadata.build_epoch == METADATA.build_epoch
        assert reader.get_with_prefix_len("1.2.3.255") == ("found", 24)
        assert reader.get("1.2.4.0") is None
    parts = geoip_format.read(path)
    assert parts.tree.left.tolist() == tree.left.tolist()
    assert parts.tree.right.tolist() == tree.right.tolist()
    assert (parts.data, parts.ip_version, parts.build_epoch) == (data, 6, METADATA.build_epoch)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "test.mmdb"
    path.write_bytes(b"old")
    tree = geoip_format.grow_tree([(0, 1, 0)])
    with pytest.raises(TypeError):
        geoip_format.write(path, tree, "no bytes", METADATA)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [None, b"", b"no database", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatabaseError) as caught:
        geoip_format.read(path)
    assert caught.value.path == str(path)


def test_a_database_cut_in_the_tree_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.mmdb"
    networks = [(number << 8, 120, 0) for number in range(100)]
    tree = geoip_format.grow_tree(networks)
    geoip_format.write(path, tree, geoip_format.encode_text("x"), METADATA)
    content = path.read_bytes()
    marker = content.rfind(geoip_format.METADATA_MARKER)
    path.write_bytes(content[:100] + content[marker:])
    with pytest.raises(DatabaseError):
        geoip_format.read(path)
