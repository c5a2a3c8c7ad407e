"""The client's types say what the document says."""

from __future__ import annotations

from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from dialer.api.app import build
from dialer.client import models

SCHEMAS: dict[str, Any] = build().openapi()["components"]["schemas"]
SAME: dict[type[Any], str] = {
    models.Contact: "Contact",
    models.CompanyRef: "CompanyRef",
    models.Whereabouts: "Whereabouts",
    models.Company: "Company",
    models.Assistant: "Assistant",
    models.PhoneNumber: "PhoneNumber",
    models.Campaign: "Campaign",
    models.Person: "Person",
    models.CampaignContact: "Member",
    models.Enrolled: "EnrolledAnswer",
    models.Removed: "RemovedAnswer",
    models.RunCall: "RunCall",
    models.Run: "RunAnswer",
    models.Dashboard: "DashboardAnswer",
    models.Call: "Call",
    models.Suppression: "Suppression",
    models.Imported: "ImportAnswer",
    models.CustomField: "CustomField",
}


@pytest.mark.parametrize(("model", "name"), SAME.items(), ids=str)
def test_a_type_has_the_keys_of_its_schema(model: type[Any], name: str) -> None:
    there = set(SCHEMAS[name]["properties"]) - {"success"}
    hints = get_type_hints(model, include_extras=True)
    assert {key for key, kind in hints.items() if get_origin(kind) is not NotRequired} - there == set()
    assert there - hints.keys() == set()
