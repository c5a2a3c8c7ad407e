"""Lists over a million contacts, through the API and its second wall: a team with nine tenths of them, a stranger with the rest.

Exact counts included. A case is asked as often as it takes for a p95; what it matches is read from its own answer.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dialer.embedded import EmbeddedServers
from dialer.store.database import Database
from dialer.store.migrate import migrate
from tests.benchmarks.table import Row, at_most
from tests.support.api import Api, fresh_team, open_api

CONTACTS: Final = 1_000_000
PIECE: Final = 50_000
TIMES: Final = 20
CONTACTS_PATH: Final = "/api/crm/contacts"

# 50 % new, 10 % qualified, 1 % customer; 3 % not to be called; 5 % without a phone; tags of 50 %, 10 % and 1 %.
FILL: Final = """
insert into contacts (team_id, first_name, last_name, email, phone, lead_status, do_not_call, tags, notes, place_set_id,
    place_source, created_at)
select team, first, last, lower(first || '.' || last) || n || '@example.com',
    case when n % 20 <> 0 then '+1' || (2000000000 + (n::bigint * 7919 % 1000003) * 7) end,
    case when r < 50 then 'new' when r < 60 then 'qualified' when r < 61 then 'customer' else 'contacted' end,
    n % 33 = 0,
    case when n % 10 = 3 then array['vip', 'spring'] when n % 100 = 7 then array['rare']
         when n % 2 = 0 then array['list'] else '{}' end,
    'met at the fair, asked for a call in spring', 1, 'number', '2026-01-01'::timestamptz + n * interval '1 s'
from (
  select n, case when n % 10 = 9 then $2 else $1 end as team, (n * 31) % 100 as r,
    initcap(heads[1 + (hashint4(n) & 15)] || tails[1 + (hashint4(n + 7) & 15)]) as first,
    initcap(middles[1 + (hashint4(n + 3) & 15)] || substr(md5(n::text), 1, 4) || ends[1 + (hashint4(n + 5) & 7)]) as last
  from generate_series($3::int, $4::int) n,
    (select string_to_array('al be ca do el fa gi ha in jo ka li ma no ol pe', ' ') as heads,
            string_to_array('bert da rin ton via nus lia mar xon zel gor phe wen yat ker sim', ' ') as tails,
            string_to_array('an br ch du ev fo gr hu iv ja kn lo mo ny os pa', ' ') as middles,
            string_to_array('son man ley ton er ing well ski', ' ') as ends) names) people
"""

CASES: Final[Mapping[str, Mapping[str, str]]] = {
    "no filter": {},
    "leadStatus of 50 %": {"leadStatus": "new"},
    "leadStatus of 10 %": {"leadStatus": "qualified"},
    "leadStatus of 1 %": {"leadStatus": "customer"},
    "doNotCall": {"doNotCall": "true"},
    "not doNotCall": {"doNotCall": "false"},
    "hasPhone": {"hasPhone": "true"},
    "no phone": {"hasPhone": "false"},
    "tag of 50 %": {"tag": "list"},
    "tag of 10 %": {"tag": "vip"},
    "tag of 1 %": {"tag": "rare"},
    "search of 1 letter": {"search": "k"},
    "search of 2 letters": {"search": "ka"},
    "search of 3 letters": {"search": "zel"},
    "search of 6 letters": {"search": "kanus."},
    "search of a part of a phone": {"search": "55512"},
    "search that nothing meets": {"search": "qqqqqq"},
    "leadStatus, doNotCall, hasPhone": {"leadStatus": "qualified", "doNotCall": "false", "hasPhone": "true"},
    "search, leadStatus, tag": {"search": "kanus", "leadStatus": "new", "tag": "list"},
}


async def lists() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory, EmbeddedServers(Path(directory) / "data") as servers:
        await migrate(servers.database_url)
        async with (
            await Database.open(servers.database_url, statement_timeout=300) as database,
            open_api(database, servers.redis_url) as api,
        ):
            seconds = await fill(database, api)
            rows = [Row("lists: contacts written a second", "", f"{CONTACTS / seconds:.0f}", True)]
            for name, query in CASES.items():
                rows.append(await _measure(api, name, query))
            rows += await _deep(api)
    return rows


async def fill(database: Database, api: Api) -> float:
    """Seconds the writing took."""
    stranger, _ = await fresh_team(database, "Strangers")
    started = time.perf_counter()
    for first in range(1, CONTACTS, PIECE):
        await database.pool.execute(FILL, api.team, stranger, first, first + PIECE - 1)
    seconds = time.perf_counter() - started
    async with database.pool.acquire() as connection:
        await connection.execute("vacuum analyze contacts, contact_search", timeout=300)
    return seconds


async def _measure(api: Api, name: str, query: Mapping[str, Any]) -> Row:
    taken = []
    count = 0
    for _ in range(TIMES + 2):
        started = time.perf_counter()
        answer = await api.get(CONTACTS_PATH, teamId=api.team, **query)
        taken.append((time.perf_counter() - started) * 1000)
        assert answer.status == 200, answer.text
        count = answer.json["count"]
    return at_most(f"lists: {name} ({count} match), p95", 50 if count <= CONTACTS / 10 else 250, _p95(taken[2:]), " ms")


async def _deep(api: Api) -> list[Row]:
    """The first pages and those behind 500,000 rows, by cursor; a page's cost without the count, which all pages pay alike."""
    first = (await api.get(CONTACTS_PATH, teamId=api.team, limit=1)).json["next_cursor"]
    deep = (await api.get(CONTACTS_PATH, teamId=api.team, limit=1, offset=500_000)).json["next_cursor"]
    near = [await _page(api, first) for _ in range(TIMES)]
    far = [await _page(api, deep) for _ in range(TIMES)]
    return [
        at_most("lists: cursor on the second page, p95", 250, _p95(near), " ms"),
        at_most("lists: cursor behind 500,000 rows, p95", 250, _p95(far), " ms"),
        at_most("lists: deep cursor, median against the second page", 1.2, sorted(far)[TIMES // 2] / sorted(near)[TIMES // 2]),
    ]


async def _page(api: Api, cursor: str) -> float:
    started = time.perf_counter()
    answer = await api.get(CONTACTS_PATH, teamId=api.team, cursor=cursor)
    assert answer.status == 200
    return (time.perf_counter() - started) * 1000


def _p95(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.95) - 1]
