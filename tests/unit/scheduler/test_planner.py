from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.frequency import FrequencyCap
from scheduler.pacing import CAMPAIGN_SECONDS, Allowance, Burst, RecentReleases
from scheduler.places import locate
from scheduler.planner import CallerId, CampaignView, Lane, Plan, Release, Snapshot, plan
from scheduler.policies import CallHours
from scheduler.windows import CallWindow, daily
from tests.support.places import somewhere
from tests.unit.scheduler.wall import open_everywhere

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANY_TIME = daily("00:00", "24:00")
OFFICE = daily("09:00", "17:00")


def campaign(name: str = "camp_a", *, window: CallWindow = ANY_TIME, zone: str | None = None, **changed: object) -> CampaignView:
    view = CampaignView(
        id=name,
        team="team_1",
        trunk="main",
        weight=1,
        hours=CallHours(window, zone),
        margin=30,
        scopes=(f"campaign:{name}", "team:team_1", "trunk:main", "assistant:asst_1"),
        run_remaining=None,
        calls_per_second=None,
        caller_ids=(CallerId("num_1", "+4930123456", 1, "number:num_1"),),
        lanes=(Lane(1, somewhere("UTC"), 0, 10),),
    )
    return replace(view, **changed)  # type: ignore[arg-type]


def counts(made: Plan) -> dict[str, int]:
    return {release.campaign: release.count for release in made.releases}


def test_an_open_campaign_dials_what_is_due() -> None:
    made = plan(Snapshot(NOON, (campaign(),), {}))
    (release,) = made.releases
    assert (release.campaign, release.count, release.caller_ids) == ("camp_a", 10, (("num_1", 10),))
    assert [(lane.place_set, lane.not_after) for lane in release.lanes] == [(1, NOON + timedelta(days=1))]
    assert made.shut == {}


def test_a_shut_window_says_when_it_opens() -> None:
    evening = NOON.replace(hour=18)
    made = plan(Snapshot(evening, (campaign(window=OFFICE),), {}))
    assert made.releases == ()
    assert made.shut == {("camp_a", 1): datetime(2026, 1, 6, 9, tzinfo=UTC)}


def test_too_near_its_end_is_shut() -> None:
    late = NOON.replace(hour=16, minute=59, second=30)
    view = campaign(window=OFFICE)
    (release,) = plan(Snapshot(late - timedelta(seconds=1), (view,), {})).releases
    assert release.lanes[0].not_after == late
    made = plan(Snapshot(late, (view,), {}))
    assert made.releases == ()
    assert made.shut == {("camp_a", 1): datetime(2026, 1, 6, 9, tzinfo=UTC)}


def test_no_call_starts_that_would_ring_past_the_campaigns_end() -> None:
    """Its last start is the end less the margin; a window that shuts before is what counts."""
    last = NOON.replace(hour=15)
    view = campaign(window=OFFICE, last_start=last)
    (release,) = plan(Snapshot(last - timedelta(seconds=1), (view,), {})).releases
    assert release.lanes[0].not_after == last
    for now in (last, last + timedelta(days=1)):
        made = plan(Snapshot(now, (view,), {}))
        assert made.releases == ()
        assert made.shut == {("camp_a", 1): None}
    before = plan(Snapshot(NOON.replace(hour=7), (view,), {}))
    assert before.shut == {("camp_a", 1): NOON.replace(hour=9)}
    (release,) = plan(Snapshot(NOON, (replace(view, last_start=NOON.replace(hour=20)),), {})).releases
    assert release.lanes[0].not_after == NOON.replace(hour=16, minute=59, second=30)


def test_an_unknown_place_is_never_called_in_the_contacts_zone() -> None:
    nowhere = campaign(lanes=(Lane(7, somewhere(), 0, 3),))
    made = plan(Snapshot(NOON, (nowhere,), {}))
    assert made.releases == ()
    assert made.shut == {("camp_a", 7): None}
    assert counts(plan(Snapshot(NOON, (replace(nowhere, hours=CallHours(ANY_TIME, "Europe/Berlin")),), {}))) == {"camp_a": 3}


def test_the_campaigns_zone_overrules_the_lanes() -> None:
    tokyo = campaign(window=OFFICE, lanes=(Lane(1, somewhere("Asia/Tokyo"), 0, 3),))
    assert counts(plan(Snapshot(NOON, (tokyo,), {}))) == {}
    assert counts(plan(Snapshot(NOON, (replace(tokyo, hours=CallHours(OFFICE, "UTC")),), {}))) == {"camp_a": 3}


def test_lanes_come_in_order_of_priority() -> None:
    lanes = (
        Lane(1, somewhere("UTC"), 0, 1),
        Lane(2, somewhere("UTC"), 9, 1),
        Lane(3, somewhere("Etc/Unknown"), 99, 1),
        Lane(1, somewhere("UTC"), 9, 1),
    )
    made = plan(Snapshot(NOON, (campaign(lanes=lanes),), {}))
    assert [(lane.priority, lane.place_set) for lane in made.releases[0].lanes] == [(9, 1), (9, 2), (0, 1)]
    assert made.releases[0].count == 3
    assert made.shut == {("camp_a", 3): None}


def test_the_caps_of_the_campaign_and_of_the_place_hold_together() -> None:
    own = FrequencyCap(7, 24, "person", "attempts", "campaign")
    miami, atlanta = locate(None, None, "+13055550123"), locate(None, None, "+14045550123")
    view = campaign(caps=(own,), lanes=(Lane(1, miami, 0, 1), Lane(2, atlanta, 0, 1)))
    (release,) = plan(Snapshot(NOON, (replace(view, hours=CallHours(ANY_TIME, packs=("us-frequency",))),), {})).releases
    florida = tuple(FrequencyCap(3, 24, per, "attempts", "us-frequency/2024-01 FL") for per in ("person", "number"))
    assert [(lane.place_set, lane.caps) for lane in release.lanes] == [(1, (own, *florida)), (2, (own,))]


def test_budget_rates_and_limit_bound_the_count() -> None:
    assert counts(plan(Snapshot(NOON, (campaign(run_remaining=4),), {}))) == {"camp_a": 4}
    assert counts(plan(Snapshot(NOON, (campaign(run_remaining=0),), {}))) == {}
    assert counts(plan(Snapshot(NOON, (campaign(),), {}), limit=3)) == {"camp_a": 3}
    assert counts(plan(Snapshot(NOON, (campaign(calls_per_second=1.5),), {}))) == {"camp_a": 2}
    rated = Snapshot(NOON, (campaign(calls_per_second=5.0), campaign("camp_b")), {})
    assert counts(plan(rated, Allowance({"campaign:camp_a": 1, "trunk:main": 4}))) == {"camp_a": 1, "camp_b": 3}
    assert counts(plan(rated, Allowance({"trunk:main": 0}))) == {}


def test_a_lowered_cap_starts_nothing_new() -> None:
    assert counts(plan(Snapshot(NOON, (campaign(),), {"team:team_1": -3}))) == {}


def test_priority_shares_a_trunk() -> None:
    lanes = (Lane(1, somewhere("UTC"), 0, 1000),)
    both = (campaign("camp_a", weight=10, lanes=lanes), campaign("camp_b", lanes=lanes))
    assert counts(plan(Snapshot(NOON, both, {"trunk:main": 110}))) == {"camp_a": 100, "camp_b": 10}


windows = st.sampled_from(
    [ANY_TIME, OFFICE, daily("22:00", "03:00"), daily("11:59", "12:01"), daily("08:00", "21:00", [0, 1]), CallWindow(((),) * 7)]
)
zone_sets = st.sampled_from([(), ("UTC",), ("Asia/Tokyo",), ("America/New_York", "Europe/Berlin"), ("Asia/Calcutta",)])
TRUNKS, TEAMS, NUMBERS = ("main", "spare"), ("team_1", "team_2"), tuple(f"num_{index}" for index in range(4))


@st.composite
def views(draw: st.DrawFn, name: str) -> CampaignView:
    trunk, team = draw(st.sampled_from(TRUNKS)), draw(st.sampled_from(TEAMS))
    chosen = draw(st.sets(st.sampled_from(NUMBERS), max_size=3))
    places = draw(st.lists(zone_sets, max_size=4))
    return CampaignView(
        id=name,
        team=team,
        trunk=trunk,
        weight=draw(st.integers(1, 10)),
        hours=CallHours(draw(windows), draw(st.sampled_from([None, None, "Europe/Berlin", "Mars/Phobos"]))),
        margin=draw(st.sampled_from([0, 30, 90])),
        scopes=(f"campaign:{name}", f"team:{team}", f"trunk:{trunk}"),
        run_remaining=draw(st.none() | st.integers(0, 10)),
        calls_per_second=draw(st.none() | st.sampled_from([0.5, 2.0, 7.5])),
        caller_ids=tuple(CallerId(each, "+4930123456", draw(st.integers(0, 5)), f"number:{each}") for each in sorted(chosen)),
        lanes=tuple(
            Lane(index, somewhere(*zones), draw(st.integers(0, 3)), draw(st.integers(0, 30)))
            for index, zones in enumerate(places)
        ),
        live=draw(st.integers(0, 5)),
        last_start=draw(st.none() | st.integers(-100, 100_000).map(lambda seconds: NOON + timedelta(seconds=seconds))),
        ties=draw(st.booleans()),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    campaigns = tuple(draw(views(f"camp_{index}")) for index in range(draw(st.integers(0, 6))))
    keys = {scope for view in campaigns for scope in (*view.scopes, *(each.scope for each in view.caller_ids))}
    free = {key: draw(st.integers(-1, 25)) for key in sorted(keys) if draw(st.booleans())}
    return Snapshot(NOON + timedelta(seconds=draw(st.integers(-90, 90))), campaigns, free)


allowances = st.dictionaries(
    st.sampled_from(["trunk:main", "trunk:spare", "campaign:camp_0", "campaign:camp_1"]), st.integers(0, 9)
).map(Allowance)
limits = st.integers(0, 60)


def spent(snapshot: Snapshot, made: Plan) -> Counter[str]:
    """Slots taken per scope key."""
    known = {view.id: view for view in snapshot.campaigns}
    taken: Counter[str] = Counter()
    for release in made.releases:
        for scope in known[release.campaign].scopes:
            taken[scope] += release.count
        for number, times in release.caller_ids:
            taken[f"number:{number}"] += times
    return taken


def may_start(view: CampaignView, lane: Lane, at: datetime) -> bool:
    """By the wall clock: open now and on every second until the phone has rung its time, and before the campaign's last start."""
    if view.last_start is not None and at >= view.last_start:
        return False
    zones = lane.place.zones if view.hours.zone is None else (view.hours.zone,)
    if zones == ("Mars/Phobos",):
        return False
    rings = (at + timedelta(seconds=step) for step in range(0, view.margin + 1, 10))
    return all(open_everywhere(view.hours.window, zones, each) for each in rings)


@settings(max_examples=100)
@given(snapshots(), allowances, limits)
def test_every_bound_holds(snapshot: Snapshot, allowance: Allowance, limit: int) -> None:
    made = plan(snapshot, allowance, limit)
    known = {view.id: view for view in snapshot.campaigns}
    taken = spent(snapshot, made)
    for bounds in (snapshot.free, allowance.left):
        assert all(taken[key] <= max(left, 0) for key, left in bounds.items())
    assert sum(release.count for release in made.releases) <= limit
    for release in made.releases:
        view = known[release.campaign]
        open_sets = {lane.place_set for lane in release.lanes}
        assert 0 < release.count <= sum(lane.pending for lane in view.lanes if lane.place_set in open_sets)
        assert release.count == sum(times for _, times in release.caller_ids)
        assert {number for number, _ in release.caller_ids} <= {each.id for each in view.caller_ids if each.weight}
        assert release.count <= (view.run_remaining if view.run_remaining is not None else limit)
        if view.calls_per_second is not None and f"campaign:{view.id}" not in allowance.left:
            assert release.count < view.calls_per_second + 1
        assert [lane.priority for lane in release.lanes] == sorted((lane.priority for lane in release.lanes), reverse=True)


@settings(max_examples=100)
@given(snapshots(), limits)
def test_tied_contacts_may_go_beyond_the_turns_of_a_number_but_all_together_not_beyond_its_room(
    snapshot: Snapshot, limit: int
) -> None:
    made = plan(snapshot, limit=limit)
    known = {view.id: view for view in snapshot.campaigns}
    taken: Counter[str] = Counter()
    for release in made.releases:
        view, quotas = known[release.campaign], dict(release.caller_ids)
        assert bool(release.most) is (view.ties and len(view.caller_ids) > 1)
        taken.update(release.most or quotas)
        if release.most:
            assert release.most.keys() <= {each.id for each in view.caller_ids if each.weight}
            assert all(quotas.get(number, 0) <= most <= release.count for number, most in release.most.items())
    for number in NUMBERS:
        if f"number:{number}" in snapshot.free:
            assert taken[number] <= max(snapshot.free[f"number:{number}"], 0)


def test_what_room_the_turns_leave_to_a_number_is_for_those_tied_to_it() -> None:
    numbers = tuple(CallerId(f"num_{n}", "+4930123456", 1, f"number:num_{n}") for n in range(3))
    view = campaign(caller_ids=numbers, ties=True, lanes=(Lane(1, somewhere("UTC"), 0, 6),))
    (release,) = plan(Snapshot(NOON, (view,), {"number:num_0": 3, "number:num_1": 0})).releases
    assert dict(release.caller_ids) == {"num_0": 3, "num_2": 3}
    assert release.most == {"num_0": 3, "num_2": 6}
    both = (view, replace(campaign("camp_b"), caller_ids=numbers, ties=True, lanes=(Lane(1, somewhere("UTC"), 0, 1),)))
    first, second = plan(Snapshot(NOON, both, {"number:num_0": 9, "number:num_1": 9, "number:num_2": 9})).releases
    assert (dict(first.caller_ids), first.most) == ({"num_0": 2, "num_1": 2, "num_2": 2}, {"num_0": 5, "num_1": 6, "num_2": 6})
    assert second.most == {"num_0": 1, "num_1": 1, "num_2": 1}


@settings(max_examples=100)
@given(snapshots())
def test_a_lane_is_open_by_the_wall_or_shut_until_it_is(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    released = {release.campaign: release for release in made.releases}
    for view in snapshot.campaigns:
        dialled = {lane.place_set: lane for lane in released[view.id].lanes} if view.id in released else {}
        for lane in view.lanes:
            now = may_start(view, lane, snapshot.now)
            assert ((view.id, lane.place_set) in made.shut) is not now
            if lane.place_set in dialled:
                assert now
                assert snapshot.now < dialled[lane.place_set].not_after
                assert view.last_start is None or dialled[lane.place_set].not_after <= view.last_start
            elif not now:
                opens = made.shut[view.id, lane.place_set]
                assert opens is None or (opens > snapshot.now and may_start(view, lane, opens))


@settings(max_examples=100)
@given(snapshots(), limits)
def test_nothing_that_could_be_used_is_left(snapshot: Snapshot, limit: int) -> None:
    made = plan(snapshot, limit=limit)
    given_now, taken = counts(made), spent(snapshot, made)
    if sum(given_now.values()) == limit:
        return
    for view in snapshot.campaigns:
        due = sum(lane.pending for lane in view.lanes if may_start(view, lane, snapshot.now))
        bounds = [due, due if view.run_remaining is None else view.run_remaining]
        if view.calls_per_second is not None:
            bounds.append(Burst.of(view.calls_per_second, CAMPAIGN_SECONDS).calls)
        if given_now.get(view.id, 0) < min(bounds):
            full = {key for key, left in snapshot.free.items() if taken[key] >= left}
            assert full & set(view.scopes) or all(each.scope in full for each in view.caller_ids if each.weight)


@settings(max_examples=60)
@given(snapshots(), allowances, limits, st.integers())
def test_the_same_snapshot_gives_the_same_plan_in_any_order(
    snapshot: Snapshot, allowance: Allowance, limit: int, seed: int
) -> None:
    mixed = list(snapshot.campaigns)
    Random(seed).shuffle(mixed)
    assert plan(replace(snapshot, campaigns=tuple(mixed)), allowance, limit) == plan(snapshot, allowance, limit)


@given(st.lists(st.integers(1, 10), min_size=1, max_size=12), st.integers(0, 40))
def test_a_shared_trunk_with_room_for_all_serves_all(weights: list[int], extra: int) -> None:
    lanes = (Lane(1, somewhere("UTC"), 0, 1000),)
    all_of_them = tuple(campaign(f"camp_{index}", weight=weight, lanes=lanes) for index, weight in enumerate(weights))
    room = len(weights) + extra
    got = counts(plan(Snapshot(NOON, all_of_them, {"trunk:main": room})))
    assert len(got) == len(weights)
    assert sum(got.values()) == room
    for one, left in zip(all_of_them, weights, strict=True):
        for other, right in zip(all_of_them, weights, strict=True):
            # Nobody is ahead by more than the one slot that made it so.
            assert (got[one.id] - 1) / left <= got[other.id] / right


def test_releases_are_listed_by_campaign() -> None:
    made = plan(Snapshot(NOON, (campaign("camp_b"), campaign("camp_a")), {}))
    assert [release.campaign for release in made.releases] == ["camp_a", "camp_b"]
    assert all(isinstance(release, Release) for release in made.releases)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[tuple[CampaignView, ...], dict[str, int]]:
    """Campaigns that always have somebody due, and the caps of what they share."""
    lanes = (Lane(1, somewhere("UTC"), 0, 1000),)
    names = [f"camp_{index}" for index in range(draw(st.integers(2, 8)))]
    teams = {name: draw(st.sampled_from(TEAMS)) for name in names}
    crowd = tuple(
        campaign(
            name,
            team=team,
            weight=draw(st.integers(1, 10)),
            lanes=lanes,
            scopes=(f"campaign:{name}", f"team:{team}", "trunk:main"),
        )
        for name, team in teams.items()
    )
    caps = {f"campaign:{name}": draw(st.integers(1, 6)) for name in names}
    caps |= {f"team:{team}": draw(st.integers(1, 20)) for team in TEAMS}
    return crowd, caps | {"trunk:main": draw(st.integers(1, 12))}


@settings(max_examples=60)
@given(crowds(), st.randoms(use_true_random=False), st.floats(0.05, 1), st.none() | st.floats(0.3, 8))
def test_nobody_without_a_call_waits_while_others_get_more_than_one_each(
    drawn: tuple[tuple[CampaignView, ...], dict[str, int]], random: Random, ends: float, rate: float | None
) -> None:
    """Over many ticks, whatever the weights, the caps and the endings: so where a tick shares out half as many slots as there are
    campaigns, nobody starves for two of them."""
    crowd, caps = drawn
    recent = RecentReleases({} if rate is None else {"trunk:main": rate})
    live = Counter[str]()
    passed_by: dict[str, int] = {}
    starved = Counter[str]()
    plenty = True
    for tick in range(40):
        for view in crowd:
            live[view.id] -= sum(random.random() < ends for _ in range(live[view.id]))
        used = Counter({scope: sum(live[view.id] for view in crowd if scope in view.scopes) for scope in caps})
        free = {scope: cap - used[scope] for scope, cap in caps.items()}
        seen = tuple(replace(view, live=live[view.id]) for view in crowd if free[f"campaign:{view.id}"] > 0)
        now = float(tick)
        recent.keep({view.id for view in seen}, ())
        recent.seen((view.id for view in seen), now)
        snapshot = Snapshot(NOON + timedelta(seconds=tick), seen, free)
        made = plan(snapshot, recent.allowance({}, now))
        got, taken = counts(made), spent(snapshot, made)
        plenty = plenty and 2 * sum(got.values()) >= len(crowd)
        for view in seen:
            if view.id in got:
                recent.note(view.id, (f"campaign:{view.id}", "trunk:main"), [("num_1", got[view.id])], {"num_1": 1}, now + 0.1)
            if view.id in got or live[view.id]:
                passed_by[view.id] = starved[view.id] = 0
            elif free[f"team:{view.team}"] > taken[f"team:{view.team}"]:  # it is the trunk that it waits for
                passed_by[view.id] = passed_by.get(view.id, 0) + sum(got.values())
                starved[view.id] += 1
                assert passed_by[view.id] < len(crowd)
                assert starved[view.id] < 2 or not plenty
        live.update(got)
