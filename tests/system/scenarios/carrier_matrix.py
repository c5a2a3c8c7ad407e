"""Scenario 23: what can go wrong with a request to the carrier, and what follows from it for the call and whom it was for."""

from __future__ import annotations

import asyncio
import math
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from adapters.simulated.carrier.journal import Entry, Trouble
from adapters.simulated.carrier.script import Faults, Span
from adapters.simulated.carrier.verdict import of_campaign
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows import teams
from scheduler.clock import SystemClock
from tests.support.carrier import API_KEY, SIGNING_SECRET
from tests.support.ledger import Seed
from tests.support.tls import Manner, TlsDoor, certificate
from tests.system.agreement import bouts, burned, freed_early, misjudged, not_ended_once, tries, waits
from tests.system.frame import Row, Scenario, Task, cannot, row
from tests.system.judge import Held, holdings, judge
from tests.system.stage import Layout, Stage, brief, stage

SECURE = "secure"
"""The trunk whose carrier is reached through TLS."""
CAP = 20
FEW, MANY = 60, 160
RETRY_AFTER = 4.0
WAITS = 1
"""How often the carrier asks to wait before it takes calls again."""
SLACK = 1.1
SLOW_SECONDS = 30.0
UNREACHED_SECONDS = 5.5
MIXED_SECONDS = 12.0
LEFT_ALONE_SECONDS = 4.0
UNAUTHORIZED = 3
UNCLEAR_SECONDS = 60.0

SAFE = frozenset({"refuse_429", "refuse_400", "refuse_401"})
"""Answers that say that the call was certainly not placed."""
LOST = frozenset({"error_after", "reset_after", "hang_after", "garbage_after"})
"""What befalls the answer to a call that was placed. Of everything else only a look-up says that it was not."""
MIXED = Faults(
    refuse_400=0.03, error_before=0.04, reset_before=0.04, hang_before=0.04, error_after=0.04, reset_after=0.04, hang_after=0.04,
    garbage_after=0.04, hang_seconds=30,
)  # fmt: skip

Turns = Mapping[str, tuple[str, ...]]
"""The states of each attempt, in order."""


def misread(troubles: Iterable[Trouble], turns: Turns) -> list[str]:
    """Attempts of which the ledger made something else than it may of what befell their request."""
    wrong = []
    for each in troubles:
        states = turns.get(each.attempt, ())
        if each.what in SAFE:
            right = "unknown" not in states and states[-1:] in (("recalled",), ("ended",))
        elif each.what in LOST:
            right = states[-1:] == ("ended",)
        else:
            right = "unknown" in states and states[-1:] == ("recalled",)
        wrong += [] if right else [f"{each.what}: {' → '.join(states)}"]
    return wrong


def redials(troubles: Sequence[Trouble], entries: Iterable[Entry], held: Iterable[Held]) -> int:
    """Requests for a number before it was known what had become of the request before."""
    freed = {each.attempt: each.freed for each in held}
    unclear = [each for each in troubles if each.what not in SAFE]
    asked = [(each.to, each.at, each.attempt) for each in troubles]
    asked += [(entry.to, entry.accepted, entry.attempt) for entry in entries]
    return sum(
        to == each.to and attempt != each.attempt and each.at < at < (freed.get(each.attempt) or math.inf)
        for each in unclear
        for to, at, attempt in asked
    )


@dataclass
class Outcome:
    """Of one case. `wrong`: what must not be, in words."""

    on: Stage
    campaign: Seed
    troubles: Sequence[Trouble]
    entries: Sequence[Entry]
    turns: Turns
    wrong: list[str]

    @property
    def unknown(self) -> int:
        return sum("unknown" in states for states in self.turns.values())

    def expect(self, right: bool, otherwise: str) -> None:
        self.wrong += [] if right else [otherwise]


Harm = Callable[[Stage, Seed], Awaitable[None]]
Say = Callable[[Outcome], str]


async def turns_of(on: Stage, campaign: Seed) -> Turns:
    rows = await on.pool.fetch(
        """select entity_id as attempt, array_agg(after order by id) as states from history
           where entity = 'attempt' and campaign_id = $1 group by 1""",
        campaign.campaign,
    )
    return {row["attempt"]: tuple(row["states"]) for row in rows}


async def case(on: Stage, name: str, contacts: int, number: int, harm: Harm, say: Say, *, trunk: str = "") -> Row:
    """A campaign of its own, dialled while `harm` goes on and then to its end."""
    before = len(await on.troubles())
    campaign = await on.campaign(contacts, prefix=f"+49{30 + number}", status="draft")
    if trunk:
        await on.pool.execute("update assistants set adapter = $2 where id = $1", campaign.assistant, trunk)
        await on.pool.execute("update phone_numbers set adapter = $2 where team_id = $1", campaign.team, trunk)
    await on.pool.execute("update campaigns set status = 'running', started_at = now() where id = $1", campaign.campaign)
    await harm(on, campaign)
    quiet = await on.quiet(campaign, within=120)
    troubles = (await on.troubles())[before:]
    entries = of_campaign(on.entries(), campaign.campaign)
    found = await judge(on, campaign)
    held = await holdings(on, campaign)
    refused = {each.to for each in troubles if each.what == "refuse_400"}
    counted = {to: count for to, count in (await tries(on, campaign)).items() if to not in refused}
    turns = await turns_of(on, campaign)
    astray = misread(troubles, turns)
    counts = {
        "attempts misread": len(astray),
        "redials before evidence": redials(troubles, entries, held),
        "tries lost to the carrier": burned(counted, entries),
        "other outcomes than in the journal": len(misjudged(held, entries)),
        "slots free before their call was over": freed_early(held),
        "attempts that did not end exactly once": await not_ended_once(on, campaign),
    }
    outcome = Outcome(on, campaign, troubles, entries, turns, [f"{count} {what}" for what, count in counts.items() if count])
    outcome.wrong += astray[:1]
    outcome.expect(quiet, "it did not come to rest")
    outcome.expect(found.unclear_seconds <= UNCLEAR_SECONDS, f"unclear for {found.unclear_seconds:.0f} s")
    notes = [say(outcome), f"unclear for {found.unclear_seconds:.1f} s at most"]
    passed = found.lawful and not outcome.wrong
    return row(SCENARIO, name, found, kills=0, passed=passed, notes="; ".join([*notes, *outcome.wrong]))


async def waiting(on: Stage, campaign: Seed) -> None:
    await asyncio.sleep((WAITS + 0.5) * RETRY_AFTER)
    await on.put_script(brief())


def obeyed(outcome: Outcome) -> str:
    first = min((entry.accepted for entry in outcome.entries), default=0.0)
    groups = bouts([*(each.at for each in outcome.troubles), first], RETRY_AFTER / 4)
    gaps = waits(groups)
    outcome.expect(len(gaps) > WAITS and all(len(group) == 1 for group in groups[1:]), "it was asked in between")
    outcome.expect(all(RETRY_AFTER <= gap <= SLACK * RETRY_AFTER for gap in gaps), "Retry-After was not obeyed")
    said = ", ".join(f"{gap:.2f}" for gap in gaps)
    return f"{len(groups[0])} requests at once, then one each; Retry-After {RETRY_AFTER:g} s, waited {said} s"


async def meanwhile(on: Stage, campaign: Seed) -> None:
    await asyncio.sleep(MIXED_SECONDS)
    await on.put_script(brief())


def told(outcome: Outcome) -> str:
    kinds = Counter(each.what for each in outcome.troubles)
    outcome.expect(outcome.unknown > 0, "nothing went wrong")
    return f"{outcome.unknown} unknown, all settled by evidence; " + ", ".join(
        f"{n} × {kind}" for kind, n in sorted(kinds.items())
    )


async def slowly(on: Stage, campaign: Seed) -> None:
    await asyncio.sleep(2.5 * on.layout.place_timeout)
    await on.put_script(brief())


def given_up(outcome: Outcome) -> str:
    slow = sum(1 for entry in outcome.entries if entry.nth == 1)
    return f"{SLOW_SECONDS:g} s for each answer, given up after {outcome.on.layout.place_timeout:g} s; {slow} people called"


async def why(on: Stage, campaign: Seed) -> str:
    """What the API says that the campaign waits for."""
    key, _ = await teams.create_key(on.database, team_id=campaign.team, name="chaos", now=SystemClock().now(), actor="test")
    url = f"{on.api_url}/api/crm/campaigns/{campaign.campaign}"
    async with aiohttp.ClientSession() as http, http.get(url, headers={"Authorization": f"Bearer {key}"}) as answer:
        waits_for = (await answer.json())["campaign"]["waiting_for"]
    return waits_for["reason"] if waits_for else ""


class Unauthorized:
    """The key is refused, until somebody puts it right and restarts a worker."""

    reason = ""

    async def harm(self, on: Stage, campaign: Seed) -> None:
        await on.until("select bool_or(state = 'open') from breakers", within=20)
        await asyncio.sleep(LEFT_ALONE_SECONDS)
        self.reason = await why(on, campaign)
        await on.put_script(brief())
        on.crew.signal("worker-1", signal.SIGTERM)

    def say(self, outcome: Outcome) -> str:
        asked = [each.at for each in outcome.troubles]
        late = sum(at > asked[UNAUTHORIZED - 1] + FENCE_SECONDS for at in asked[UNAUTHORIZED:])
        outcome.expect(bool(asked) and not late, f"it was asked {late} times after {UNAUTHORIZED} answers")
        outcome.expect(self.reason == "trunk_config", "the API does not say why")
        span = max(asked, default=0) - min(asked, default=0)
        said = f"{len(asked)} requests within {span:.2f} s, then none until a worker was restarted with the right key"
        return f"{said}; waiting_for: {self.reason}"


class Unreached:
    """No connection, in three ways, and then there is one."""

    def __init__(self, door: TlsDoor) -> None:
        self._door = door
        self.early = 0

    async def harm(self, on: Stage, campaign: Seed) -> None:
        ways: tuple[Manner, ...] = ("closed", "garbage", "stranger")
        for manner in ways:
            await self._door.become(manner)
            await asyncio.sleep(UNREACHED_SECONDS)
        self.early = len(of_campaign(on.entries(), campaign.campaign))
        await self._door.become("open")

    def say(self, outcome: Outcome) -> str:
        refused = sum(states == ("queued", "placing", "recalled") for states in outcome.turns.values())
        outcome.expect(not outcome.unknown and not self.early, f"{outcome.unknown} unknown, {self.early} placed meanwhile")
        outcome.expect(refused > 0, "nothing went wrong")
        return (
            f"{UNREACHED_SECONDS:g} s each of connection refused, no TLS, a certificate that nobody vouches for; "
            f"{refused} requests, none unknown"
        )


def _trunk(port: int) -> str:
    return f"""[adapters.{SECURE}]
kind = "simulated"
base_url = "https://127.0.0.1:{port}"
api_key = "{API_KEY}"
signing_secret = "{SIGNING_SECRET}"
timeout = 2.0
"""


async def run(task: Task) -> list[Row]:
    with TemporaryDirectory(prefix="dialer-tls-") as place:
        try:
            own, other = (certificate(Path(place), name) for name in ("own", "other"))
        except FileNotFoundError:
            return [cannot(SCENARIO, "the program openssl, which makes the certificates, is not here")]
        async with TlsDoor(own, other) as door:
            layout = Layout(cap=CAP, config=_trunk(door.port), env={"SSL_CERT_FILE": f"{own}.crt"}, fresh=True)
            async with stage(layout, task) as on:
                door.target = ("127.0.0.1", int(on.carrier_url.rpartition(":")[2]))
                return await _cases(on, task, door)


async def _cases(on: Stage, task: Task, door: TlsDoor) -> list[Row]:
    few, many = task.scaled(FEW, 20), task.scaled(MANY, 60)
    unauthorized, unreached = Unauthorized(), Unreached(door)
    cases: dict[str, tuple[Faults, float, int, Harm, Say, str]] = {
        "429": (Faults(refuse_429=1, retry_after=RETRY_AFTER), 0, few, waiting, obeyed, ""),
        "503": (Faults(refuse_503=1, retry_after=RETRY_AFTER), 0, few, waiting, obeyed, ""),
        "answers lost": (MIXED, 0, many, meanwhile, told, ""),
        "slow": (Faults(), SLOW_SECONDS, few, slowly, given_up, ""),
        "not reached": (Faults(), 0, few, unreached.harm, unreached.say, SECURE),
        "401": (Faults(refuse_401=1), 0, few, unauthorized.harm, unauthorized.say, ""),
    }
    rows = []
    for number, (name, (faults, latency, contacts, harm, say, trunk)) in enumerate(cases.items()):
        if task.wants(name):
            task.say(f"the carrier: {name} …")
            await on.put_script(brief(faults=faults, latency=Span(latency, latency), seed=task.seed))
            rows.append(await case(on, name, contacts, number, harm, say, trunk=trunk))
    return rows


SCENARIO = Scenario(
    23,
    "what can go wrong with a request",
    does="429 and 503 with Retry-After; 400, errors, resets, hangs, garbage, before and after the call was taken; answers "
    f"that take {SLOW_SECONDS:g} s; no connection, no TLS, a stranger's certificate; 401",
    passes="the laws; refused is not placed, lost is unknown; 0 redials before evidence; nobody loses a try; Retry-After +10 %; "
    f"401: after {UNAUTHORIZED} answers none but what was on its way, waiting_for: trunk_config",
    run=run,
)
