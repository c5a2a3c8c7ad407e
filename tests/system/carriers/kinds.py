"""The adapters, one by one: its fake, a trunk of the config file that leads there, and what it can and cannot tell of a call."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from adapters.conformance import Act
from tests.support.providers import asterisk, elevenlabs, example, freeswitch, livekit, retell, telnyx, twilio, vapi, webhook
from tests.support.providers.base import FakeProvider
from tests.support.providers.calls import FakeCarrier

TIMEOUT = 2.0
"""Seconds one request may take, where a trunk has that option."""
CALLER_IDS = ("+14155552671", "+442071838750", "+4930901820")
LOST = (Act.ERROR_AFTER, Act.RESET_AFTER, Act.HANG_AFTER, Act.GARBAGE_AFTER)
WORDS: Mapping[Act, frozenset[str]] = {
    Act.HUMAN: frozenset({"human", "answered"}),
    Act.MACHINE: frozenset({"machine"}),
    Act.BUSY: frozenset({"busy"}),
    Act.DECLINED: frozenset({"declined"}),
    Act.NO_ANSWER: frozenset({"no_answer"}),
    Act.INVALID: frozenset({"invalid_number"}),
    Act.UNREACHABLE: frozenset({"unreachable"}),
}
"""What the ledger may call the end of a call."""
_FAILED = dict.fromkeys((Act.DECLINED, Act.INVALID, Act.UNREACHABLE), frozenset({"unreachable"}))


@dataclass(frozen=True, slots=True)
class Kind:
    """`trunk`: the trunk's table of the config file for the fake at an address, without its head, as TOML. `otherwise`: endings
    that the provider tells otherwise than `WORDS`, by adapters/README.md. `results`: what the ledger has of the result of an
    answered call. `doubts`: it is not certain of invalid numbers, which wait a day for another call. `lost`: what may befall the
    answer to a placement, and `lost_of` the calls whose end the provider tells even so."""

    name: str
    fake: Callable[[], AbstractAsyncContextManager[FakeCarrier]]
    trunk: Callable[[str], str]
    voice: str = "voice-1"
    caller_ids: tuple[str, ...] = CALLER_IDS
    otherwise: Mapping[Act, frozenset[str]] = field(default_factory=dict)
    results: frozenset[str] = frozenset()
    doubts: bool = False
    lost: tuple[Act, ...] = LOST
    lost_of: frozenset[Act] = frozenset(WORDS)
    cap: int = 20
    ring_seconds: int = 5
    minutes: float = 1.0
    """About how long a run takes beside others."""

    @property
    def calls_back(self) -> bool:
        """Whether it tells by callbacks, and not over a socket."""
        return isinstance(self.fake(), FakeProvider) and self.name != "asterisk"

    def words(self, act: Act) -> frozenset[str]:
        return self.otherwise.get(act, WORDS[act])


def _options(**options: object) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())


def _retell() -> retell.RetellProvider:
    fake = retell.RetellProvider()
    fake.limit = 100
    return fake


def _acme(url: str) -> str:
    text = webhook.example().replace("https://api.acme.example/v1", url).replace("timeout = 10 ", f"timeout = {TIMEOUT} ")
    head, _, rest = text.partition("\n")
    assert head == "[adapters.acme]" and url in rest
    return (
        rest.replace("[adapters.acme.", "[adapters.webhook.")
        .replace('kind = "webhook"\n', "")
        .replace("calls_per_second = 5\n", "")
    )


def _socket(url: str) -> Mapping[str, object]:
    at = urlsplit(url)
    return {"host": at.hostname, "port": at.port}


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "simulated",
            example.ExampleProvider,
            lambda url: _options(
                base_url=url, api_key=example.API_KEY, signing_secret=example.SIGNING_SECRET, timeout=TIMEOUT
            ),
        ),
        Kind(
            "twilio",
            twilio.TwilioProvider,
            lambda url: _options(
                base_url=url, account_sid=twilio.ACCOUNT, auth_token=twilio.TOKEN, timeout=TIMEOUT,
                target="wss://voice.example/{voice}", machine_detection="enable",
            ),
        ),
        Kind(
            "telnyx",
            telnyx.TelnyxProvider,
            lambda url: _options(
                base_url=url, api_key=telnyx.API_KEY, public_key=base64.b64encode(telnyx.PUBLIC_KEY).decode(),
                connection_id=telnyx.CONNECTION, answering_machine_detection="detect", timeout=TIMEOUT,
            ),
        ),
        Kind(
            "vapi",
            vapi.VapiProvider,
            lambda url: _options(
                base_url=url, api_key=vapi.API_KEY, signing_secret=vapi.SIGNING_SECRET, credential_id=vapi.CREDENTIAL,
                timeout=TIMEOUT,
            ),
            caller_ids=(vapi.CALLER_ID,),
            otherwise={Act.DECLINED: frozenset({"busy"})},
            results=frozenset({"transcript", "recording_url", "summary", "success", "extracted", "cost"}),
        ),
        Kind(
            "retell",
            _retell,
            lambda url: _options(base_url=url, api_key=retell.API_KEY, webhook_key=retell.WEBHOOK_KEY, timeout=TIMEOUT),
            caller_ids=(retell.CALLER_ID,),
            doubts=True,
            results=frozenset({"transcript", "recording_url", "summary", "success", "extracted", "cost"}),
        ),
        Kind(
            "elevenlabs",
            elevenlabs.ElevenLabsProvider,
            lambda url: _options(
                base_url=url, api_key=elevenlabs.API_KEY, signing_secret=elevenlabs.SIGNING_SECRET, timeout=TIMEOUT
            ),
            caller_ids=(elevenlabs.CALLER_ID,),
            otherwise=_FAILED,
            results=frozenset({"transcript", "recording_url", "summary", "success", "extracted", "cost"}),
            cap=60,
            minutes=4,
        ),
        Kind(
            "livekit",
            livekit.LiveKitProvider,
            lambda url: _options(
                base_url=url, api_key=livekit.API_KEY, api_secret=livekit.API_SECRET, trunk_id=livekit.TRUNK, timeout=TIMEOUT
            ),
            otherwise={Act.MACHINE: WORDS[Act.HUMAN]},
            lost=(Act.ERROR_AFTER, Act.RESET_AFTER, Act.GARBAGE_AFTER),
            lost_of=frozenset({Act.HUMAN, Act.MACHINE}),
        ),
        Kind(
            "asterisk",
            asterisk.FakeAsterisk,
            lambda url: _options(
                base_url=url, user=asterisk.USER, password=asterisk.PASSWORD, endpoint="PJSIP/{number}@trunk",
                context="dialer-answered", timeout=TIMEOUT,
            ),
        ),
        Kind(
            "freeswitch",
            freeswitch.FakeFreeSwitch,
            lambda url: _options(
                **_socket(url), password=freeswitch.PASSWORD, endpoint="sofia/gateway/trunk/{number}",
                target="sofia/gateway/agents/{voice}", timeout=TIMEOUT,
            ),
            # A connection that breaks or stands still takes with it what was written behind, of which FreeSWITCH knows nothing:
            # that ends as unknown after ten minutes, by adapters/README.md, and is tried in tests/integration/adapters.
            lost=(Act.ERROR_AFTER,),
        ),
        Kind("webhook", webhook.AcmeProvider, _acme, results=frozenset({"summary", "success", "cost"})),
    )
}  # fmt: skip


def table(kind: Kind, url: str) -> str:
    """The config file's trunk for the fake at `url`; it is named after its kind."""
    return f'[adapters.{kind.name}]\nkind = "{kind.name}"\n{kind.trunk(url)}'
