"""Whose turn it was: the scheduler's fairness, judged by the ledger's history alone.

When more campaigns have somebody due than calls may begin, most of them wait, and a turn through all may take minutes. What the
planner promises is an order (`scheduler.pacing`): the next slot goes to the campaign with the fewest calls up, among equals to
the one that waits longest. So a campaign is starved when others are served that come after it. Here a *round* is a claim that
took somebody: the attempts of one transaction. A campaign is *passed over* in a round in which it had somebody due and a slot
free by its own cap, and got nothing, though another one got a call

- that had more calls up than it, those counted that it was given in the same round before; or
- that had as many, and had been served in an earlier round, through which the campaign had waited already.

The history tells when slots were taken and given back, not when a round read the ledger. So it is read in favour of the judged:
a campaign waits only from the round on that surely read its free slot (the second one to claim after that was given back: the
first may have been under way), with as many calls as it had after the round before; the other one has as many as were up at the
claim. Who comes first among those who never had a call is anybody's choice: one turn has to be over for a campaign that nobody
sees to be passed over.

A limit that all share (a trunk's rate) keeps all of them waiting, and passes nobody over. That it does so no longer than it must
is what the *pause* tells: the longest time in which nothing was released though somebody was surely waiting.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dialer.store.database import Pool

NEVER = -1


@dataclass(frozen=True, slots=True)
class Turn:
    """A slot that was taken, in which `claim`, or given back (None). `at`: seconds since 1970."""

    at: float
    campaign: str
    claim: int | None


@dataclass(slots=True)
class Line:
    """Where one campaign stands. All its contacts are due once; all its weights are alike. `since`: the first round that surely
    saw it wait; None = it has no free slot, or nobody is due. `had`: the last round that served it."""

    cap: int
    due: int
    live: int = 0
    since: int | None = 0
    had: int = NEVER
    passed: int = 0
    passed_at: float = 0.0

    def look(self, after: int) -> None:
        """Whether it waits, now that `after` rounds have surely not seen it as it is."""
        if self.live >= self.cap or self.due <= 0:
            self.since = None
        elif self.since is None:
            self.since = after


@dataclass(frozen=True, slots=True)
class Waits:
    """`rounds`: in how many some campaign was passed over before it was served again, the most; `seconds`: the longest time from
    the first of them until then. `campaigns`: how many were passed over at all. `served`: rounds in all. Times are in seconds."""

    rounds: int
    seconds: float
    campaigns: int
    pause: float
    served: int


def waits(turns: Iterable[Turn], caps: Mapping[str, int], due: Mapping[str, int], opens: float, until: float) -> Waits:
    """The verdict from `opens` to `until`. `caps`: the most calls at once of each campaign; `due`: how many contacts it has."""
    lines = {campaign: Line(cap, due[campaign]) for campaign, cap in caps.items()}
    for line in lines.values():
        line.look(0)
    rounds, returned = _rounds(turn for turn in turns if turn.at < until)
    passed: set[str] = set()
    most, seconds, pause, before, freed = 0, 0.0, 0.0, opens, 0

    for n, (at, given) in enumerate(rounds):
        back: Counter[str] = Counter()
        while freed < len(returned) and returned[freed].at < at:
            back[returned[freed].campaign] += 1
            freed += 1
        waiting = [(name, line) for name, line in lines.items() if line.since is not None and line.since <= n]
        pause, before = max(pause, at - before if waiting else 0.0), at
        last = max((lines[name].live - back[name] + count - 1, lines[name].had) for name, count in given.items())
        for name, line in waiting if last > (0, NEVER) else ():
            if name not in given and _before(line, *last):
                passed.add(name)
                line.passed_at = line.passed_at if line.passed else at
                line.passed += 1
                most = max(most, line.passed)
        for name, count in back.items():
            lines[name].live -= count
            lines[name].look(n + 1)
        for name, count in given.items():
            line = lines[name]
            seconds = max(seconds, at - line.passed_at if line.passed else 0.0)
            line.live, line.due, line.had, line.passed, line.since = line.live + count, line.due - count, n, 0, None
            line.look(n + 1)

    left = [line for line in lines.values() if line.since is not None and line.since <= len(rounds)]
    return Waits(
        rounds=most,
        seconds=max([seconds, *(until - line.passed_at for line in left if line.passed)]),
        campaigns=len(passed),
        pause=max(pause, until - before if left else 0.0),
        served=len(rounds),
    )


def _before(line: Line, calls: int, had: int) -> bool:
    """Whether it came before one that had so many calls when it got another, and was served last in the round `had`."""
    return line.live < calls or (line.live == calls and line.since is not None and line.since <= had)


def _rounds(turns: Iterable[Turn]) -> tuple[list[tuple[float, Counter[str]]], list[Turn]]:
    """When each round claimed and whom it gave how many, in order, and the slots that were given back, in order."""
    given: defaultdict[int, Counter[str]] = defaultdict(Counter)
    began: dict[int, float] = {}
    returned: list[Turn] = []
    for turn in turns:
        if turn.claim is None:
            returned.append(turn)
        else:
            given[turn.claim][turn.campaign] += 1
            began[turn.claim] = min(began.get(turn.claim, turn.at), turn.at)
    return sorted(((began[claim], who) for claim, who in given.items()), key=lambda each: each[0]), sorted(
        returned, key=lambda turn: turn.at
    )


async def turns_of(pool: Pool) -> list[Turn]:
    """All that was released, and all slots that were given back."""
    rows = await pool.fetch(
        """select extract(epoch from h.at)::float8 as at, h.campaign_id, case when h.before is null then h.xid end as claim
           from call_attempts a join history h on h.entity_id = a.id
           where h.before is null or (h.after in ('ended', 'recalled') and h.before not in ('ended', 'recalled'))"""
    )
    return [Turn(r["at"], r["campaign_id"], r["claim"]) for r in rows]
