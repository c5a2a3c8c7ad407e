"""The list of the demo holds what it is meant to show."""

from __future__ import annotations

from pathlib import Path

from tests.support.api import Api

LIST = Path(__file__).resolve().parents[3] / "deploy" / "demo" / "contacts.csv"


async def test_the_demo_list(api: Api) -> None:
    answer = (await api.upload("/api/crm/contacts/import", LIST.read_bytes(), teamId=api.team, autoCreateCompanies="true")).json
    assert {key: answer[key] for key in ("total", "imported", "skipped", "failed")} == {
        "total": 330, "imported": 306, "skipped": 12, "failed": 12,
    }  # fmt: skip
    assert {error["field"] for error in answer["errors"]} == {"phone"}
    people = await api.context.database.pool.fetchrow(
        """select count(*) filter (where do_not_call) as no, count(*) filter (where phone is null) as numberless,
                  count(distinct zones) as zones,
                  count(*) filter (where place_source = 'unknown' and phone is not null) as lost
           from contacts c join place_sets p on p.id = c.place_set_id"""
    )
    assert people is not None
    assert (people["no"], people["numberless"], people["lost"]) == (8, 6, 0)
    assert people["zones"] > 40
