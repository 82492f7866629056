import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.errors import ValidationError
from udfs.parse.timestamps import iso_utc, read_timestamp


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("17/May/2015:10:05:03 +0000", "2015-05-17T10:05:03.000Z"),
        ("28/Oct/2025:10:15:30 +0200", "2025-10-28T08:15:30.000Z"),
        ("28/Oct/2025:23:15:30 -0330", "2025-10-29T02:45:30.000Z"),
        ("01/Jan/2025:00:30:00 +0100", "2024-12-31T23:30:00.000Z"),
        ("29/Feb/2024:12:00:00 +0000", "2024-02-29T12:00:00.000Z"),
        ("01/Jan/1970:00:00:00 +0000", "1970-01-01T00:00:00.000Z"),
        ("31/Dec/1969:23:59:59 +0000", "1969-12-31T23:59:59.000Z"),
        ("28/Oct/2025:10:15:30 +1345", "2025-10-27T20:30:30.000Z"),
        ("28/Oct/2025:10:15:30 -0000", "2025-10-28T10:15:30.000Z"),
        ("31/Dec/9999:23:59:59 +0000", "9999-12-31T23:59:59.000Z"),
    ],
)
def test_timestamps_are_instants(text: str, iso: str) -> None:
    found = read_timestamp(text)
    assert found.iso == iso
    assert iso_utc(found.ms) == iso
    assert datetime.fromisoformat(iso) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        milliseconds=found.ms
    )


def test_the_hour_that_daylight_saving_repeats_is_two_hours() -> None:
    summer = read_timestamp("26/Oct/2025:02:30:00 +0200").ms
    winter = read_timestamp("26/Oct/2025:02:30:00 +0100").ms
    assert winter - summer == 3_600_000


def test_a_leap_second_is_the_first_second_of_the_next_minute() -> None:
    leap = read_timestamp("31/Dec/2016:23:59:60 +0000")
    assert leap == read_timestamp("01/Jan/2017:00:00:00 +0000")
    # The same instant east of Greenwich.
    assert read_timestamp("01/Jan/2017:08:59:60 +0900") == leap


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "28/Oct/2025:10:15:30",
        "28/Oct/2025:10:15:30 +000",
        "28/Oct/2025:10:15:30 +00000",
        "28/Oct/2025:10:15:30 0000 ",
        "28/Oct/2025:10:15:30 Z    ",
        "28/Oct/2025 10:15:30 +0000",
        "28/Oct/2025:10:15.30 +0000",
        "28/Oct/2025:10:15:3a +0000",
        "28/Oct/2025:10:15: 3 +0000",
        "28/Oct/2025:10:15:\u0663\u0663 +0000",
        "2\u0668/Oct/2025:10:15:30 +0000",
        "28/oct/2025:10:15:30 +0000",
        "28/Okt/2025:10:15:30 +0000",
        "28/13/2025:10:15:30 +00000",
        "2025-10-28T10:15:30 +00000",
        "00/Oct/2025:10:15:30 +0000",
        "31/Feb/2025:10:15:30 +0000",
        "29/Feb/2025:10:15:30 +0000",
        "31/Apr/2025:10:15:30 +0000",
        "32/Jan/2025:10:15:30 +0000",
        "28/Oct/0000:10:15:30 +0000",
        "28/Oct/2025:24:00:00 +0000",
        "28/Oct/2025:10:60:00 +0000",
        "28/Oct/2025:10:15:60 +0000",
        "28/Oct/2025:23:59:60 +0100",
        "28/Oct/2025:10:15:61 +0000",
        "28/Oct/2025:10:15:30 +2500",
        "28/Oct/2025:10:15:30 +1801",
        "28/Oct/2025:10:15:30 +0060",
        "01/Jan/0001:00:00:00 +0100",
        "31/Dec/9999:23:59:59 -0100",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read_timestamp(text)
    assert (caught.value.stage, caught.value.reason) == ("parse", "bad_timestamp")


MONTHS = [None, "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - zone is added below
    st.integers(-14 * 60, 14 * 60),
)
def test_any_date_and_offset(local: datetime, offset: int) -> None:
    aware = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset)))
    sign, hours, minutes = "-" if offset < 0 else "+", *divmod(abs(offset), 60)
    text = f"{aware:%d}/{MONTHS[aware.month]}/{aware:%Y:%H:%M:%S} {sign}{hours:02}{minutes:02}"
    assert read_timestamp(text).ms == round(aware.timestamp() * 1000)


@given(st.text(max_size=30) | st.from_regex(r"\A../.../....:..:..:.. [+-]....\Z"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValidationError):
        assert iso_utc(read_timestamp(text).ms).endswith(":" + text[18:20] + ".000Z")
