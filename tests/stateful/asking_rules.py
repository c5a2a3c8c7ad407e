"""The rules of those who have two numbers, and of those who ask for a time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from dialer.api.context import ApiContext
from dialer.domain.campaign import Missed
from dialer.flows import callbacks
from tests.stateful.engine_rules import any_one
from tests.stateful.people_rules import PeopleRules

CALLBACKS = """
select campaign_id, contact_id from campaign_contacts where status = 'pending' and callback_at is not null order by id
"""
STATUS = "select status from campaign_contacts where campaign_id = $1 and contact_id = $2"


class Machine(PeopleRules):
    @rule(
        p=any_one, which=any_one, who=any_one, minutes=st.sampled_from([1, 5, 60, 400]), lasts=st.sampled_from([1, 15, 60]),
        missed=st.sampled_from(Missed), what=st.sampled_from(["agree", "opt out", "withdraw", "ask", "keep", "agree"]),
    )  # fmt: skip
    def callbacks(self, p: int, which: int, who: int, minutes: int, lasts: int, missed: Missed, what: str) -> None:
        match what:
            case "ask":
                self.ask_in_a_call(p, which, minutes - 1, 200.0 if lasts == 1 else 0.0)
            case "keep":
                self.keep_a_callback(p, which)
            case "opt out":
                self.opt_out_in_a_call(p, which)
            case _:
                self.call_back(p, which, who, minutes, lasts, missed, what == "withdraw")

    def call_back(self, p: int, which: int, who: int, minutes: int, lasts: int, missed: Missed, back: bool) -> None:
        """Somebody is to be called at a time, or not any more."""
        w, campaign, person = self.w, self.campaign(which), self.person(who)
        at, tolerance = w.moment.now() + timedelta(minutes=minutes), timedelta(minutes=lasts)
        if back and (waits := self.do(w.pool.fetch(CALLBACKS))):
            campaign, person = waits[who % len(waits)]

        async def agree(api: ApiContext) -> None:
            was = await w.pool.fetchval(STATUS, campaign, person)
            done = await callbacks.call_back(api, w.team, "test", campaign, person, at, tolerance=tolerance, missed=missed)
            w.promises.callbacks.setdefault((campaign, person), []).append((done.callback_at, done.callback_until))
            self.seen(f"a callback was agreed with somebody who is {was}")

        async def withdraw(api: ApiContext) -> None:
            await callbacks.withdraw(api, w.team, "test", campaign, person)
            self.seen("a callback was withdrawn")

        self.ask(p, withdraw if back else agree, f"callback:{campaign}:{person}")

    def ask_in_a_call(self, p: int, which: int, minutes: int, talk: float) -> None:
        """Whoever is talked to asks to be called at another time; the result will tell it, early or late."""
        w = self.w
        entries = [e for e in w.entries() if e.answered_by == "human" and e.attempt not in w.asks]
        if not entries:
            return self.call(p, "human", False)
        entry = entries[::-1][which % len(entries)]
        at = w.moment.now() + timedelta(minutes=minutes)
        w.asks[entry.attempt] = at.isoformat()
        w.promises.callbacks.setdefault((entry.campaign, entry.labels["contact"]), []).append((at, None))
        self.seen("somebody asked in a call to be called back")
        self.wait(max(talk, 8.0))
        self.laws()
        self.tell_all(p, 12)
        self.laws()
        self.sweep(p, "")

    @rule(p=any_one, fate=st.sampled_from(["busy", "busy", "invalid"]))
    def the_other_number(self, p: int, fate: Any) -> None:
        """Somebody with two numbers is not reached at one of them, and is due again."""
        w = self.w
        two = list(w.promises.seconds)
        for _ in range(2):
            self.tick(p, "")
            self.laws()
            of_two = "select id from call_attempts where state = 'queued' and contact_id = any($1) order by id limit 1"
            attempt = self.do(w.pool.fetchval(of_two, two))
            if attempt is None:
                return
            self.do(self._dial(self.process(p), attempt, "", fate, 2.0, ""))
            self.laws()
            self.wait(8.0)
            self.tell_all(p, 1)
            self.laws()

    def keep_a_callback(self, p: int, which: int) -> None:
        """Time goes on to when a callback is due, and it is made."""
        w = self.w
        due = self.do(w.pool.fetchval("select min(callback_at) from campaign_contacts where status = 'pending'"))
        if due is None:
            return self.call_back(p, which, which, 5, 15, Missed.SKIP, False)
        self.wait(max((due - w.moment.now()).total_seconds(), 0.0) + 1)
        self.laws()
        self.tick(p, "")
        self.laws()
        queued = self.do(w.pool.fetch("select id from call_attempts where state = 'queued' and reason = 'callback'"))
        for attempt in self.do(w.take(self.process(p), [r["id"] for r in queued])):
            self.do(w.transmit(attempt, "", "human", 2.0))
            self.laws()
            self.do(w.finish(attempt))
            self.seen("a callback was made")
