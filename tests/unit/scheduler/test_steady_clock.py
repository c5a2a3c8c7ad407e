"""The hour that two clocks agree on: whoever sets one moves nothing, and nobody is called by an hour that is not certain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.clock import HOLD_SECONDS, SteadyClock

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOURS = [timedelta(hours=2), timedelta(hours=-2), timedelta(days=1), timedelta(days=-1)]


class Wall:
    """A machine whose clock can be set."""

    sure = True

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.set = timedelta()

    def now(self) -> datetime:
        return self.true + self.set

    @property
    def true(self) -> datetime:
        return NOON + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self.elapsed += seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> SteadyClock:
    made = SteadyClock(wall)
    made.compare(wall.true, 0)
    return made


@pytest.mark.parametrize("jump", HOURS)
async def test_setting_the_machines_clock_moves_nothing(wall: Wall, clock: SteadyClock, jump: timedelta) -> None:
    wall.set = jump
    assert clock.now() == wall.true
    await clock.sleep(10)
    clock.compare(wall.true, 0)
    assert clock.now() == wall.true and clock.sure
    assert clock.offset == jump, "and it is told"
    wall.set = timedelta()
    clock.compare(wall.true, 0)
    assert clock.now() == wall.true and clock.sure


@pytest.mark.parametrize("jump", HOURS)
def test_while_the_database_says_another_hour_nobody_is_called(wall: Wall, clock: SteadyClock, jump: timedelta) -> None:
    clock.compare(wall.true + jump, 0)
    assert not clock.sure and clock.now() == wall.true
    clock.compare(wall.true, 0)
    assert clock.sure


@pytest.mark.parametrize("jump", HOURS)
def test_who_starts_with_a_wrong_clock_calls_nobody_until_it_is_right(wall: Wall, jump: timedelta) -> None:
    wall.set = jump
    clock = SteadyClock(wall)
    for _ in range(3):
        clock.compare(wall.true, 0)
        assert not clock.sure
        assert clock.now() == max(wall.true, wall.true + jump), "what is put off meanwhile does not come too soon"
    wall.set = timedelta()
    clock.compare(wall.true, 0)
    assert clock.now() == wall.true and clock.sure, "it has placed nobody by the wrong hour"


async def test_an_hour_that_was_wrong_everywhere_is_set_and_held_until_all_others_have_set_theirs(
    wall: Wall, clock: SteadyClock
) -> None:
    wall.set = timedelta(hours=1)
    clock.compare(wall.now(), 0)
    assert clock.now() == wall.now() and not clock.sure
    await wall.sleep(HOLD_SECONDS)
    clock.compare(wall.now(), 0)
    assert clock.sure


async def test_all_who_compare_with_one_clock_have_one_hour(wall: Wall, clock: SteadyClock) -> None:
    wall.set = timedelta(seconds=20)
    clock.compare(wall.true, 0)
    assert clock.now() == wall.true and clock.sure
    await wall.sleep(2)
    clock.compare(wall.true - timedelta(seconds=2), 2)
    assert clock.now() == wall.true, "what an answer takes on its way is no difference"
