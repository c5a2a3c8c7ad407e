"""Whether the ledger has of every call what its fake's journal has, beyond what `tests.system.judge` asks of every run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from adapters.conformance import Act
from adapters.simulated.carrier.journal import Entry
from tests.support.ledger import Seed
from tests.system.carriers.cast import ATTEMPTS
from tests.system.carriers.kinds import Kind
from tests.system.judge import Held
from tests.system.stage import Stage

_AGAIN = frozenset({"busy", "declined", "no_answer", "unreachable"})
_DOUBTED = "invalid_number"
_COUNTED = frozenset({"busy", "declined", "no_answer", _DOUBTED})


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A contact in the campaign; `to` None: has no phone. `closed`: said no before."""

    to: str | None
    closed: bool

    @property
    def callable(self) -> bool:
        return self.to is not None and not self.closed


async def enrolled(on: Stage, campaign: Seed) -> list[Enrolled]:
    rows = await on.pool.fetch(
        """select t.to_number, c.do_not_call from campaign_contacts t join contacts c on c.id = t.contact_id
           where t.campaign_id = $1""",
        campaign.campaign,
    )
    return [Enrolled(row["to_number"], row["do_not_call"]) for row in rows]


def truth(kind: Kind, entry: Entry) -> frozenset[str]:
    """What the ledger may call the end of this call."""
    return kind.words(Act(entry.reason or ""))


def wrong(kind: Kind, held: Iterable[Held], entries: Iterable[Entry]) -> Counter[str]:
    """Attempts of which the ledger says otherwise than the journal: what was → what the ledger says."""
    calls = {entry.attempt: entry for entry in entries}
    found: Counter[str] = Counter()
    for each in held:
        if (call := calls.get(each.attempt)) is None:
            found["no call → " + str(each.outcome)] += each.state != "recalled"
        elif each.state != "ended" or each.outcome not in truth(kind, call):
            found[f"{call.reason} → {each.outcome or each.state}"] += 1
    return +found


def forsaken(kind: Kind, people: Iterable[Enrolled], entries: Iterable[Entry]) -> int:
    """People who might be called and were not, or not again though their last call asks for it."""
    told = _told(kind, people, entries)
    return sum(not words or (words[-1] in _AGAIN and _counted(words) < ATTEMPTS) for words in told)


def waiting(kind: Kind, people: Iterable[Enrolled], entries: Iterable[Entry]) -> int:
    """People who have to be called another day: nobody has their number, but the provider is not certain of it."""
    told = _told(kind, people, entries) if kind.doubts else []
    return sum(bool(words) and words[-1] == _DOUBTED and _counted(words) < ATTEMPTS for words in told)


def _told(kind: Kind, people: Iterable[Enrolled], entries: Iterable[Entry]) -> list[list[str]]:
    """Of all who might be called, how their calls ended."""
    calls: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.accepted):
        calls[entry.to].append(entry)
    who = [each.to for each in people if each.to is not None and each.callable]
    return [[next(iter(truth(kind, entry))) for entry in calls[to]] for to in who]


def _counted(words: Iterable[str]) -> int:
    return sum(word in _COUNTED for word in words)


def unasked(people: Iterable[Enrolled], entries: Iterable[Entry]) -> int:
    """Calls to those who had said no, or to nobody of the list."""
    may = {each.to for each in people if each.callable}
    return sum(entry.to not in may for entry in entries)


async def lacking(on: Stage, kind: Kind, entries: Sequence[Entry]) -> Mapping[str, int]:
    """What the ledger has not of the results of answered calls though the provider told them: name → in how many calls."""
    answered = [entry.attempt for entry in entries if entry.resulted]
    found = {}
    for name in sorted(kind.results):
        found[name] = await on.pool.fetchval(
            "select count(*) from call_attempts where id = any($1::text[]) and not coalesce(result ? $2, false)", answered, name
        )
    return {name: count for name, count in found.items() if count}
