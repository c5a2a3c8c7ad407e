"""Expand, then contract: the version before the last change of the schema does its work on the new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.earlier import NoHistory, earlier
from tests.system.frame import Task
from tests.system.judge import judge
from tests.system.stage import Layout, stage


async def test_the_version_before_runs_a_campaign_on_this_versions_schema(tmp_path: Path) -> None:
    try:
        code = earlier(tmp_path / "before")
    except NoHistory as why:
        pytest.skip(str(why))
    async with stage(Layout(workers=1, cap=10, code=code), Task(say=print)) as on:
        campaign = await on.campaign(60)
        assert await on.quiet(campaign, within=60), "it did not come to rest"
        found = await judge(on, campaign)
        assert found.lawful, found
        assert on.crew.deaths == []
