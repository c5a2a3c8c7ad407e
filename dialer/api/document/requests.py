"""Bodies worth showing, by operation; the others are made from their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dialer.api.document.examples import SERIAL

TEAM: Final = f"team_{SERIAL}"
CONTACT: Final = f"cont_{SERIAL}"

BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "createContact": {
        "contact": {"teamId": TEAM, "firstName": "Ada", "lastName": "Lovelace", "phone": "+14155552671"},
        "enrolled at once": {
            "teamId": TEAM,
            "firstName": "Ada",
            "lastName": "Lovelace",
            "phone": "(415) 555-2671",
            "timezone": "America/Los_Angeles",
            "campaignId": f"camp_{SERIAL}",
            "campaignPriority": 10,
        },
    },
    "updateContact": {"never call again": {"doNotCall": True}, "cleared": {"email": None}},
    "putContact": {"never call again": {"doNotCall": True}},
    "updateCompany": {"renamed": {"name": "Analytical Engines"}},
    "putCompany": {"renamed": {"name": "Analytical Engines"}},
    "updateAssistant": {"silenced": {"outboundEnabled": False}},
    "putAssistant": {"silenced": {"outboundEnabled": False}},
    "updatePhoneNumber": {"put away": {"status": "inactive"}, "end its rest": {"restingUntil": None}},
    "putPhoneNumber": {"put away": {"status": "inactive"}},
    "createCampaign": {
        "campaign": {
            "teamId": TEAM,
            "assistantId": f"asst_{SERIAL}",
            "fromNumberIds": [f"num_{SERIAL}"],
            "name": "Spring offer",
            "callWindowStart": "09:00",
            "callWindowEnd": "17:00",
            "callWindowTimezone": "America/New_York",
            "maxConcurrentCalls": 5,
            "settings": {"retryDelayMinutesNoAnswer": 90, "ringTimeoutSeconds": 25},
        }
    },
    "updateCampaign": {"started": {"status": "running"}, "window moved": {"callWindowStart": "10:00", "callWindowEnd": "18:30"}},
    "putCampaign": {"faster": {"maxConcurrentCalls": 10}},
    "enrolContacts": {
        "some": {"contactIds": [CONTACT], "priority": 10},
        "a new one": {"contact": {"firstName": "Ada", "lastName": "Lovelace", "phone": "+14155552671"}},
        "an audience": {"audience": {"mode": "all_eligible", "tags": ["spring"], "maxToAdd": 1000}},
    },
    "createSuppression": {
        "never": {"teamId": TEAM, "phoneNumber": "(415) 555-2671", "reason": "asked not to be called"},
        "by one campaign, until May": {
            "teamId": TEAM,
            "phoneNumber": "+14155552671",
            "scope": "campaign",
            "campaignId": f"camp_{SERIAL}",
            "expiresAt": "2099-05-01T00:00:00Z",
        },
    },
    "removeCampaignContacts": {"some": {"contactIds": [CONTACT]}},
    "runCampaign": {"rehearse": {"dryRun": True}, "ten calls": {"maxCalls": 10}},
    "pauseCampaign": {"let calls end": {"inFlight": "finish"}, "hang up": {"inFlight": "hangUp"}},
    "cancelCampaign": {"let calls end": {"inFlight": "finish"}},
    "resumeCampaign": {"go on": {}},
}
