import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.progress import StreamProgress

FAR = 4_070_908_800_000  # 2099


def progress(*times: int, tolerance: int = 60) -> list[int | None]:
    stream = StreamProgress(tolerance)
    return [stream.observe(time) for time in times]


def test_there_is_no_progress_before_three_lines_agree() -> None:
    assert progress(1000, 1010, 990) == [None, None, 1010]


def test_the_first_line_may_be_wrong() -> None:
    assert progress(FAR, 1000, 1010, 1020) == [None, None, None, 1020]


def test_lines_in_order_move_it_at_once() -> None:
    assert progress(1000, 1000, 1000, 1001, 1060, 1061)[2:] == [1000, 1001, 1060, 1061]


def test_lines_out_of_order_do_not_move_it_back() -> None:
    assert progress(1000, 1000, 1000, 950, 1, 1002)[3:] == [1000, 1000, 1002]


def test_a_step_within_the_tolerance_is_trusted_and_beyond_is_not() -> None:
    assert progress(1000, 1000, 1000, 1060)[-1] == 1060
    assert progress(1000, 1000, 1000, 1061)[-1] == 1000


def test_a_lone_line_from_the_future_never_moves_it() -> None:
    times = [1000, 1000, 1000]
    for step in range(50):
        times += [1000 + step, FAR + step]
    assert max(value or 0 for value in progress(*times)) == 1049


def test_two_lines_from_the_future_do_not_move_it() -> None:
    assert progress(1000, 1000, 1000, FAR, FAR, 1001, FAR, FAR)[-1] == 1001


def test_lines_from_different_futures_do_not_confirm_each_other() -> None:
    assert progress(1000, 1000, 1000, FAR, 2 * FAR, 3 * FAR, 4 * FAR)[-1] == 1000


def test_the_candidates_must_all_agree_with_each_other() -> None:
    # Each within 60 of the one before, but the third is 100 from the first.
    assert progress(1000, 1000, 1000, 5000, 5050, 5100)[-1] == 1000


def test_a_gap_in_the_log_costs_two_lines() -> None:
    assert progress(1000, 1000, 1000, 9000, 9010, 9005, 9020)[3:] == [1000, 1000, 9010, 9020]


def test_late_lines_amid_a_gap_start_the_confirmation_again() -> None:
    assert progress(1000, 1000, 1000, 9000, 9000, 500, 9000, 9000)[-1] == 1000
    assert progress(1000, 1000, 1000, 9000, 9000, 500, 9000, 9000, 9000)[-1] == 9000


def test_one_confirmation_trusts_every_line() -> None:
    stream = StreamProgress(60, confirmations=1)
    assert stream.observe(FAR) == FAR


def test_current_is_what_was_last_observed() -> None:
    stream = StreamProgress(60)
    assert stream.current is None
    assert [stream.observe(5) for _ in range(3)][-1] == stream.current == 5


@pytest.mark.parametrize(("tolerance", "confirmations"), [(-1, 3), (0, 0)])
def test_nonsense_is_refused(tolerance: int, confirmations: int) -> None:
    with pytest.raises(ValueError, match="tolerance_ms"):
        StreamProgress(tolerance, confirmations)


@given(st.lists(st.integers(0, 500)), st.integers(0, 100))
def test_it_never_goes_back_and_is_always_a_time_that_was_seen(
    times: list[int], tolerance: int
) -> None:
    seen = progress(*times, tolerance=tolerance)
    values = [value for value in seen if value is not None]
    assert values == sorted(values)
    assert set(values) <= set(times)
    assert None not in seen[len(seen) - len(values) :]
