import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.core import Clock
from udfs.flink.progress import StreamProgress

FAR = 4_070_908_800_000  # in 2099


def progress(*times: int, tolerance: int = 60) -> list[int | None]:
    stream = StreamProgress(tolerance)
    return [stream.observe(time) for time in times]


def test_there_is_no_progress_before_three_lines_confirm_it() -> None:
    assert progress(1000, 1010, 990) == [None, None, 990]


def test_the_first_line_may_be_wrong() -> None:
    assert progress(FAR, 1000, 1010, 1020) == [None, None, 1000, 1020]


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


def test_a_step_goes_as_far_as_three_lines_in_a_row_confirm() -> None:
    assert progress(1000, 1000, 1000, FAR, 5000, 5100)[-1] == 5000
    assert progress(1000, 1000, 1000, 5000, 5010, FAR, 5020)[3:] == [1000, 1000, 5000, 5020]


def test_a_gap_in_the_log_costs_two_lines() -> None:
    assert progress(1000, 1000, 1000, 9000, 9010, 9005, 9020)[3:] == [1000, 1000, 9000, 9020]


def test_a_sparse_stream_moves_two_lines_behind() -> None:
    # Each step exceeds the tolerance, as with one request in ten minutes.
    assert progress(*range(0, 1000, 100))[2:] == list(range(0, 800, 100))
    assert progress(*range(0, 10, 1), tolerance=0)[2:] == list(range(8))


def test_a_lone_line_from_the_future_does_not_move_a_sparse_stream() -> None:
    assert progress(0, 100, 200, 300, FAR, 400, 500, 600, 700)[3:] == [100, 200, 300, 400, 400, 500]


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


@given(st.lists(st.one_of(st.none(), st.integers(0, 500_000))), st.integers(0, 100_000))
def test_it_never_goes_back_amid_lines_without_a_time(
    times: list[int | None], tolerance: int
) -> None:
    clock = Clock()
    stream = StreamProgress(tolerance, clock=clock)
    before = 0
    for time in [*times, *[None] * 20, *times]:
        clock.now += 1
        now = stream.fail() if time is None else stream.observe(time)
        assert before <= (now or 0)
        before = now or 0


def failing(stream: StreamProgress, clock: Clock, lines: int, seconds: float) -> list[int | None]:
    """Counts lines without a usable time, spread evenly over some seconds."""
    seen = []
    for _ in range(lines):
        seen.append(stream.fail())
        clock.now += seconds / lines
    return seen


def test_an_outage_moves_on_with_the_clock() -> None:
    clock = Clock()
    stream = StreamProgress(60, confirmations=1, clock=clock)
    stream.observe(5_000)
    seen = failing(stream, clock, lines=600, seconds=600)
    assert seen[:19] == [5_000] * 19
    # The twentieth line came 19 seconds after the first.
    assert seen[19:22] == [24_000, 25_000, 26_000]
    assert seen[-1] == 604_000


def test_a_few_failures_amid_good_lines_do_not_move_it() -> None:
    clock = Clock()
    stream = StreamProgress(60, confirmations=1, clock=clock)
    for _ in range(50):
        stream.observe(5_000)
        failing(stream, clock, lines=19, seconds=1000)
    assert stream.current == 5_000


def test_a_replay_is_through_with_bad_lines_in_a_moment() -> None:
    clock = Clock()
    stream = StreamProgress(60, confirmations=1, clock=clock)
    stream.observe(5_000)
    failing(stream, clock, lines=100_000, seconds=0.5)
    assert stream.current == 5_499
    assert stream.observe(5_050) == 5_499


def test_good_lines_go_on_from_where_the_clock_has_come_to() -> None:
    clock = Clock()
    stream = StreamProgress(60, confirmations=1, clock=clock)
    stream.observe(5_000)
    failing(stream, clock, lines=100, seconds=100)
    assert stream.observe(105_000) == 105_000
    assert failing(stream, clock, lines=20, seconds=20)[-1] == 105_000 + 19_000


def test_steps_that_the_clock_has_passed_do_not_move_it_back() -> None:
    clock = Clock()
    stream = StreamProgress(60, clock=clock)
    for time in (5_000, 5_000, 5_000, 9_000, 9_000):
        stream.observe(time)
    failing(stream, clock, lines=100, seconds=100)
    # This is the third of the steps that confirm each other.
    assert stream.observe(200_000) == 104_000


def test_without_any_time_half_a_minute_of_failures_makes_it_a_live_stream() -> None:
    clock = Clock()
    stream = StreamProgress(60, clock=clock, wall=clock)
    seen = failing(stream, clock, lines=90, seconds=90)
    assert seen[:30] == [None] * 30
    assert seen[30:32] == [1_000_030_000, 1_000_031_000]


def test_a_busy_stream_of_failures_is_no_live_one_before_half_a_minute_is_over() -> None:
    clock = Clock()
    stream = StreamProgress(60, clock=clock)
    assert set(failing(stream, clock, lines=10_000, seconds=29)) == {None}


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_on_the_wall_that_jumps_moves_nothing(jump: float) -> None:
    clock, wall = Clock(), Clock()
    stream = StreamProgress(60, confirmations=1, clock=clock, wall=wall)
    stream.observe(5_000)
    failing(stream, clock, lines=50, seconds=50)
    wall.now += jump
    failing(stream, clock, lines=50, seconds=50)
    assert stream.fail() == 105_000


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_it_is_asked_once_where_no_line_has_a_time(jump: float) -> None:
    clock, wall = Clock(), Clock()
    stream = StreamProgress(60, clock=clock, wall=wall)
    failing(stream, clock, lines=31, seconds=31)
    wall.now += jump
    assert stream.fail() == 1_000_001_000
