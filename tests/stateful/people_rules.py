"""The rules of people: those who say no, in every spelling, those who run campaigns, and those who are enrolled meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dialer.api.context import ApiContext
from dialer.domain.errors import Refused
from dialer.domain.fence import FENCE_SECONDS
from dialer.flows.campaigns.edit import edit_campaign
from dialer.flows.campaigns.members import remove_members
from dialer.flows.campaigns.run import run_campaign
from dialer.flows.campaigns.stop import InFlight, cancel_campaign, pause_campaign, resume_campaign
from dialer.flows.contacts import change
from dialer.flows.enrolment import enrol_contacts, enrol_new
from dialer.flows.suppressions import lift, suppress
from dialer.flows.teams import set_team_caps
from dialer.store.suppressions import Entry, Scope
from scheduler.frequency import FrequencyCap
from tests.stateful.engine_rules import EngineRules, any_one
from tests.stateful.world import FREQUENCIES, written

WINDOWS = [("00:00", "24:00"), ("00:00", "24:00"), ("09:00", "17:00"), ("13:00", "13:30"), ("22:00", "14:30"), ("06:00", "09:00")]

SCOPES: tuple[Scope, ...] = ("global", "team", "campaign")


def spelled(number: str, how: int) -> str:
    """A number of Berlin (+4930…) as people write it; the team's region is Germany."""
    rest = number.removeprefix("+4930")
    return [number, f"0049 30 {rest}", f"030 / {rest}", f"  +49 (30) {rest[:4]}-{rest[4:]} "][how]


def nothing() -> None:
    """What is asked for promises nobody anything."""


class PeopleRules(EngineRules):
    def ask(
        self, p: int, work: Callable[[ApiContext], Coroutine[Any, Any, Any]], about: str, bind: Callable[[], None] = nothing
    ) -> bool:
        """Ask `work` of a process; its promise binds when it is answered. False when it was refused."""
        process = self.process(p)

        async def asked() -> bool:
            try:
                under_way = await process.ask(work(process.api))
            except Refused as refused:
                self.seen(f"refused: {about.partition(':')[0]}: {type(refused).__name__}")
                return False
            self.w.promises.hold(process, under_way, about, bind)
            await self.w.promises.answer(self.w.moment.monotonic())
            return True

        return self.do(asked())

    @rule(p=any_one, who=any_one, no=st.sampled_from([True, True, False]))
    def say_no(self, p: int, who: int, no: bool) -> None:
        person, w = self.person(who), self.w
        if len(w.promises.no_contact) > 2:  # else the story soon has nobody left to call
            person, no = sorted(w.promises.no_contact)[who % 3], False
        if not no:
            w.promises.no_contact.discard(person)
        bind = (lambda: w.promises.no_contact.add(person)) if no else nothing
        self.ask(p, lambda api: change(api, w.team, "test", person, {"do_not_call": no}), f"contact:{person}", bind)
        self.seen(f"do not call: {no}, {'beside held dials' if self.unsent else 'nothing held'}")

    def opt_out_in_a_call(self, p: int, which: int) -> None:
        """Whoever is talked to does not want to be called again; the result will tell it, however late. It binds once it is
        written and the fence is over."""
        w = self.w
        entries = [e for e in w.entries() if e.answered_by == "human" and e.attempt not in w.asks.keys() | w.opted_out]
        if not entries or len(w.promises.no_contact) > 2 or len(self.listed) > 2:
            return
        entry = entries[::-1][which % len(entries)]
        w.opted_out.add(entry.attempt)
        self.wait(8.0)
        self.tell_all(p, 12)
        self.laws()
        if not self.do(w.pool.fetchval("select true from opt_outs where attempt_id = $1", entry.attempt)):
            return  # its result was told before
        self.wait(FENCE_SECONDS)
        entry_id = self.do(w.pool.fetchval("select id from suppressions where source = $1", f"call {entry.attempt}"))
        w.promises.no_contact.add(entry.labels["contact"])
        if entry_id is not None:  # else somebody had put the number on the list for ever
            key: tuple[Scope, str | None, str] = ("team", w.team, entry.to)
            w.promises.suppressed[key] = None
            self.listed[entry_id] = key
        self.seen("somebody opted out in a call")
        self.sweep(p, "")

    @rule(
        p=any_one, who=any_one, where=any_one, scope=st.sampled_from(SCOPES), how=st.integers(0, 3),
        lasts=st.sampled_from([None, None, 30.0, 1800.0]), second=st.sampled_from([False, False, True]),
    )  # fmt: skip
    def put_on_a_list(
        self, p: int, who: int, where: int, scope: Scope, how: int, lasts: float | None, second: bool = False
    ) -> None:
        w = self.w
        if len(self.listed) > 2:
            return self.take_off_the_list(p, where)
        person = self.person(who)
        number = w.promises.seconds.get(person, "") if second else w.promises.numbers[person]
        if not number:
            return
        campaign = self.campaign(where) if scope == "campaign" else None
        until = None if lasts is None else w.moment.now() + timedelta(seconds=lasts)
        written = number if scope == "global" or second else spelled(number, how)
        entry = Entry(scope, None if scope == "global" else w.team, campaign, written, expires_at=until)
        key = (scope, campaign or entry.team, number)
        ids: list[str] = []

        async def put(api: ApiContext) -> None:
            ids.append((await suppress(api, "test", entry))["id"])

        def bind() -> None:
            w.promises.suppressed[key] = until
            self.listed[ids[0]] = key

        w.promises.suppressed.pop(key, None)
        self.ask(p, put, f"list:{key}", bind)
        self.seen(f"suppressed: {scope}, {'for ever' if until is None else 'for a while'}")
        if person in w.promises.seconds:
            self.seen("one of two numbers was suppressed")

    @rule(p=any_one, which=any_one)
    def take_off_the_list(self, p: int, which: int) -> None:
        if not self.listed:
            return
        id, key = list(self.listed.items())[which % len(self.listed)]
        del self.listed[id]
        self.w.promises.suppressed.pop(key, None)
        owner = None if key[0] == "global" else self.w.team
        self.ask(p, lambda api: lift(api, owner, "test", id), f"list:{key}")
        self.seen("a suppression was lifted")

    @rule(p=any_one, which=any_one, hang_up=st.booleans(), how=st.sampled_from(["pause"] * 7 + ["cancel"]))
    def stop(self, p: int, which: int, hang_up: bool, how: str) -> None:
        if self.stopped:
            return
        w, campaign = self.w, self.campaign(which)
        flow = pause_campaign if how == "pause" else cancel_campaign
        in_flight = InFlight.HANG_UP if hang_up else InFlight.FINISH

        def bind() -> None:
            w.promises.stopped.add(campaign)

        if self.ask(p, lambda api: flow(api, w.team, "test", campaign, in_flight), f"campaign:{campaign}", bind):
            self.stopped = campaign
            self.seen(f"{how}, {in_flight}, {'beside held dials' if self.unsent else 'nothing held'}")

    @rule(p=any_one, which=any_one, run=st.sampled_from([None, None, 0, 1, 3]))
    def go_on(self, p: int, which: int, run: int | None) -> None:
        """Resume what was stopped or has used up its run, or run it (0: without a limit)."""
        w, campaign = self.w, self.stopped or self.campaign(which)
        self.stopped = ""

        async def work(api: ApiContext) -> None:
            if run is None:
                await resume_campaign(api, w.team, "test", campaign)
            else:
                await run_campaign(api, w.team, "test", campaign, max_calls=run or None)

        stopped = campaign in w.promises.stopped
        w.promises.stopped.discard(campaign)
        if self.ask(p, work, f"campaign:{campaign}"):
            self.seen("resumed" if run is None else f"run, {'limited' if run else 'no limit'}")
        elif stopped:
            w.promises.stopped.add(campaign)

    @rule(
        p=any_one, kinds=st.lists(st.sampled_from(["do not call", "list", "stop", "cap", "window"]), min_size=2, max_size=4),
        how=st.integers(0, 3), seconds=st.sampled_from([0.0, 0.0, 0.3, 0.6]),
    )  # fmt: skip
    def a_no_beside_a_dial(self, p: int, kinds: list[str], how: int, seconds: float) -> None:
        """Some who are just past the fence say no, and what goes out goes out before the answer, or would go out after it."""
        before = set(self.unsent)
        self.take_up(p, 1)
        self.laws()
        for attempt, kind in zip([each for each in self.unsent if each not in before], kinds, strict=False):
            row = self.do(self.w.attempt(attempt))
            self.say(kind, p, self.w.people.index(row["contact_id"]), self.w.campaigns.index(row["campaign_id"]), how)
            self.laws()
            if seconds:
                self.wait(seconds)
                self.laws()
            asked = self.w.carrier.requests.total()
            self.transmit(self.unsent.index(attempt), "", "busy", 2.0)
            self.laws()
            went_out = self.w.carrier.requests.total() > asked
            self.seen(f"a no beside a dial: {'it went out before the answer' if went_out else 'none went out'}")

    def say(self, kind: str, p: int, who: int, where: int, how: int) -> None:
        match kind:
            case "do not call":
                self.say_no(p, who, True)
            case "list":
                self.put_on_a_list(p, who, where, (*SCOPES, "team")[how], how, None)
            case "stop" if not self.stopped:
                self.stop(p, where, False, "pause")
            case "cap":
                self.change_cap(p, where, 1)
            case _:
                self.change_window(p, where, WINDOWS[-1])

    @rule(
        p=any_one, which=any_one, cap=st.integers(1, 4), window=st.sampled_from(WINDOWS), most=st.integers(1, 4),
        what=st.sampled_from(["cap", "cap", "window", "window", "retries", "seconds", "seconds", "often"]),
        delay=st.sampled_from([0, 0, 1, 60]),
    )  # fmt: skip
    def edit(self, p: int, which: int, what: str, cap: int, window: tuple[str, str], most: int, delay: int) -> None:
        match what:
            case "cap":
                self.change_cap(p, which, cap)
            case "window":
                self.change_window(p, which, window)
            case "seconds":
                self.change_seconds(p, which, most > 2)
            case "often":
                self.change_frequency(p, FREQUENCIES[most - 1])
            case _:
                self.change_retries(p, which, most, delay)

    def change_cap(self, p: int, which: int, cap: int) -> None:
        w, campaign = self.w, self.campaign(which)
        caps = w.promises.caps[campaign]
        caps.append(cap)
        rank = len(caps) - 1

        def bind() -> None:
            caps[:rank] = [min(caps[rank:])] * rank  # what was allowed before is not any more; the ranks of later ones stay

        if self.ask(
            p, lambda api: edit_campaign(api, w.team, "test", campaign, {"max_concurrent_calls": cap}), f"cap:{campaign}", bind
        ):
            up = len([e for e in w.entries() if e.ended is None and e.campaign == campaign])
            self.seen(f"cap changed{' to below what is live' if up > cap else ''}")
        else:
            caps.pop()

    def change_frequency(self, p: int, caps: list[FrequencyCap]) -> None:
        """How often the team lets anybody be called."""
        w, held = self.w, self.w.promises.frequencies
        held.append(caps)
        rank = len(held) - 1

        def bind() -> None:
            held[:rank] = [caps] * rank

        if self.ask(p, lambda api: set_team_caps(api, w.team, written(caps), "test"), "frequency", bind):
            self.seen(f"frequency caps: {'set' if caps else 'lifted'}")
        else:
            held.pop()

    def change_window(self, p: int, which: int, window: tuple[str, str]) -> None:
        w, campaign = self.w, self.campaign(which)
        windows = w.promises.windows[campaign]
        windows.append(window)
        rank = len(windows) - 1

        def bind() -> None:
            windows[:rank] = [windows[rank]] * rank

        changes = {"call_window_start": window[0], "call_window_end": window[1]}
        if self.ask(p, lambda api: edit_campaign(api, w.team, "test", campaign, changes), f"window:{campaign}", bind):
            self.seen("window changed")
        else:
            windows.pop()

    def change_retries(self, p: int, which: int, most: int, delay: int) -> None:
        w, campaign = self.w, self.campaign(which)
        changes = {"max_attempts_per_contact": most, "retry_delay_minutes": delay}
        self.ask(p, lambda api: edit_campaign(api, w.team, "test", campaign, changes), f"retries:{campaign}")

    def change_seconds(self, p: int, which: int, called: bool) -> None:
        """Whether second numbers are called."""
        w, campaign = self.w, self.campaign(which)
        w.promises.first_only.discard(campaign)

        def bind() -> None:
            if not called:
                w.promises.first_only.add(campaign)

        changes = {"settings": {"useSecondaryPhone": called}}
        if self.ask(p, lambda api: edit_campaign(api, w.team, "test", campaign, changes), f"seconds:{campaign}", bind):
            self.seen(f"second numbers: {'called' if called else 'not called'}")

    @rule(
        p=any_one, which=any_one, who=any_one, n=st.integers(0, 2), berlin=st.booleans(),
        what=st.sampled_from(["enrol", "meet", "meet", "move", "move", "remove"]),
    )  # fmt: skip
    def members(self, p: int, which: int, who: int, what: str, n: int, berlin: bool) -> None:
        match what:
            case "enrol":
                self.enrol(p, which, who, n)
            case "meet" if len(self.w.people) < 10:
                self.meet(p, which, berlin)
            case "move":
                self.move_house(p, who, n)
            case "remove":
                self.remove(p, which, who)

    def enrol(self, p: int, which: int, who: int, priority: int) -> None:
        w, campaign, person = self.w, self.campaign(which), self.person(who)
        new = (campaign, person) not in w.promises.enrolled
        if self.ask(p, lambda api: enrol_contacts(api, w.team, "test", campaign, [person], priority), f"enrol:{campaign}"):
            w.promises.enrolled.add((campaign, person))
            self.seen(f"enrolled, {'new' if new else 'again'}")

    def meet(self, p: int, which: int, berlin: bool) -> None:
        """Somebody new, created and enrolled at once."""
        w, campaign = self.w, self.campaign(which)
        zone, number = "Europe/Berlin" if berlin else "America/New_York", f"+4930300000{len(w.people):02}"
        values = {"first_name": "New", "last_name": "Comer", "phone": number, "timezone": zone}

        async def work(api: ApiContext) -> None:
            born = await enrol_new(api, w.team, "test", campaign, values)
            person = born.contact["id"]
            w.people.append(person)
            w.promises.zones[person], w.promises.numbers[person] = zone, number
            w.promises.enrolled.add((campaign, person))
            self.seen("somebody new")

        self.ask(p, work, f"enrol:{campaign}")

    def remove(self, p: int, which: int, who: int) -> None:
        w, campaign, person = self.w, self.campaign(which), self.person(who)

        async def work(api: ApiContext) -> None:
            gone = await remove_members(api, w.team, "test", campaign, [person])
            row = "select from campaign_contacts where campaign_id = $1 and contact_id = $2"
            if gone.removed and await w.pool.fetchrow(row, campaign, person) is None:
                w.promises.enrolled.discard((campaign, person))
                self.seen("removed, never called")
            elif gone.removed:
                self.seen("removed, called before")

        self.ask(p, work, f"enrol:{campaign}")

    def move_house(self, p: int, who: int, n: int) -> None:
        """Another number."""
        w, person = self.w, self.person(who)
        before, number = w.promises.numbers[person], f"+49302{w.people.index(person)}00000{n}"
        if number == before:
            return
        w.promises.replaced.discard((person, number))

        def bind() -> None:
            w.promises.replaced.add((person, before))

        if self.ask(p, lambda api: change(api, w.team, "test", person, {"phone": number}), f"contact:{person}:{before}", bind):
            w.promises.numbers[person] = number
            w.promises.take_back(f"contact:{person}:{number}")
            self.seen("another number")
