"""What a campaign's owner decided, read once from its row into values the rules can use.

Owns the meaning of the campaign's columns and of its `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dialer.domain.calendar import HolidayCalendar
from dialer.domain.caps import Caps, caps_of, flat
from dialer.domain.instant import Instant
from scheduler.backoff import Mode
from scheduler.frequency import FrequencyCap
from scheduler.places import Place
from scheduler.policies import CallHours, ZonePolicy, check
from scheduler.windows import CallWindow, Hours, Walls, daily
from scheduler.zones import is_zone

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

CLOCK_MARGIN_SECONDS = 60
"""How far the clocks of the daemon, the database and the carrier may differ without a call ringing past the window's end."""


def _asks(value: Any) -> bool:
    """Whether a setting asks for anything; one that is switched off is kept by doing nothing."""
    return not (value is None or value is False or value in ("", [], {}))


OFF = BeforeValidator(lambda value: value if _asks(value) else None)
"""For a setting that earlier versions took in any form as long as it asked for nothing."""


SWITCH = BeforeValidator(lambda value: value if _asks(value) else False)
"""The same for one that is on or off."""


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is no number; send days, from 1 to 3650")
    return value


Days = Annotated[int, Field(ge=1, le=3650), BeforeValidator(_number)]
Minutes = Annotated[int, Field(ge=0, le=10080)]
Attempts = Annotated[int, Field(ge=1, le=50)]


def _pack(id: str) -> str:
    check(id)
    return id


def _zone_policy(value: Any) -> Any:
    return POLICIES_IN_CAMEL.get(value, value) if isinstance(value, str) else value


POLICIES_IN_CAMEL = {"requireExplicitZone": "require_explicit_zone", "campaignZone": "campaign_zone"}

PackId = Annotated[str, AfterValidator(_pack)]


class Missed(StrEnum):
    """What is done when a callback could not be made in time: the contact is called as if none had been asked for, or is not
    called any more, or is called however late."""

    RETRY_NORMALLY = "retry_normally"
    SKIP = "skip"
    CALL_ANYWAY = "call_anyway"


class DayHours(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    start: str
    end: str

    @model_validator(mode="after")
    def _readable(self) -> Self:
        Hours.parse(self.start, self.end)
        return self


class CampaignSettings(BaseModel):
    """The settings that are understood, with their defaults; unknown keys are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    use_contact_timezone_for_call_window: bool = True
    days_of_week: tuple[Day, ...] | None = None
    day_windows: dict[Day, tuple[DayHours, ...]] | None = None
    holiday_calendar: Annotated[HolidayCalendar | None, OFF] = None
    scheduled_end_at: Annotated[Instant | None, OFF] = None
    contact_expiry_days: Annotated[Days | None, OFF] = None
    policy_packs: Annotated[tuple[PackId, ...] | None, OFF] = None
    frequency_caps: Annotated[Caps | None, OFF] = None
    zone_policy: Annotated[ZonePolicy, BeforeValidator(_zone_policy)] = "strictest"
    retry_delay_minutes_no_answer: Minutes | None = None
    retry_delay_minutes_busy: Minutes | None = None
    retry_delay_minutes_error: Minutes | None = None
    retry_delay_minutes_voicemail: Minutes | None = None
    retry_on_error: bool = False
    retry_on_voicemail: bool = False
    retry_backoff_mode: Literal["fixed", "exponential"] = "fixed"
    retry_backoff_multiplier: Annotated[float, Field(ge=1.01, le=10)] = 2
    retry_backoff_max_minutes: Annotated[int, Field(ge=1, le=43200)] | None = None
    retry_backoff_jitter: Annotated[float, Field(ge=0, le=1)] = 0
    max_attempts_no_answer: Attempts | None = None
    max_attempts_busy: Attempts | None = None
    max_attempts_error: Attempts | None = None
    max_attempts_voicemail: Attempts | None = None
    use_secondary_phone: Annotated[bool | None, OFF] = None
    callback_tolerance_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    callback_missed_action: Missed = Missed.RETRY_NORMALLY
    no_auto_complete: bool = False
    voicemail_detection_enabled: bool = True
    voicemail_action: Literal["leave_message", "hangup"] | None = None
    voicemail_drop_message: str | None = None
    max_call_duration_minutes: Annotated[int, Field(ge=1, le=1440)] = 60
    ring_timeout_seconds: Annotated[int, Field(ge=5, le=600)] = 30
    priority: Annotated[int, Field(ge=1, le=100)] = 1
    calls_per_second: Annotated[float, Field(gt=0, le=1000)] | None = None
    caller_id_sticky: bool = True
    local_presence: Annotated[bool, SWITCH] = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Delays are minutes; `max_attempts` counts the first call too. `jitter` is the share, from 0 to 1, by which chance may
    lengthen or shorten a delay, the cap excepted. 0 unless somebody asks for more: calls that end one by one bring their retries
    one by one, every release is paced, and whoever asked for an hour may have a reason for no less."""

    max_attempts: int
    delay: int
    delay_by: Mapping[str, int]
    max_by: Mapping[str, int]
    on_error: bool
    on_voicemail: bool
    mode: Mode
    multiplier: float
    cap: int | None
    jitter: float = 0


@dataclass(frozen=True, slots=True)
class CampaignRules:
    """Everything the planner, the preflight and the retry decision need to know of a campaign.

    `hours`: the window, where it is read, and what the packs of campaign and team add. `ends`: from then on no call starts and
    no phone rings; None = never. `expiry`: how long after its enrolment a contact that waits is still called; None = for ever.
    `sticky`: whoever was called sees the same number again; `local_presence`: one of his own area comes before the others.
    `callback_tolerance` and `callback_missed` hold for callbacks that say nothing else.
    `caps`: how often anybody may be called, by the campaign and its team; those of packs hang on the place (`caps_at`). Seconds
    everywhere but in `retry` and `caps`.
    """

    version: int
    hours: CallHours
    ring_seconds: int
    limit_seconds: int
    weight: int
    calls_per_second: float | None
    retry: RetryPolicy
    ends: datetime | None
    expiry: timedelta | None
    sticky: bool
    local_presence: bool
    callback_tolerance: timedelta
    callback_missed: Missed
    caps: tuple[FrequencyCap, ...]

    def caps_at(self, place: Place, now: datetime) -> tuple[FrequencyCap, ...]:
        """How often anybody at this place may be called: what campaign, team and policy packs say."""
        return self.caps + self.hours.caps(place, now)

    @property
    def margin(self) -> int:
        """How long before the window's end the last call may start to ring, in seconds."""
        return self.ring_seconds + CLOCK_MARGIN_SECONDS

    @property
    def last_start(self) -> datetime | None:
        """From when on no call starts because it would ring past the end; None = never."""
        return None if self.ends is None else self.ends - timedelta(seconds=self.margin)

    def expires(self, enrolled_at: datetime) -> datetime | None:
        """From when on a contact that was enrolled then is not called any more; None = never."""
        return None if self.expiry is None else enrolled_at + self.expiry

    def walls(self, place: Place, now: datetime) -> Walls:
        """The clocks that must show an open time before a contact at this place is called; none = never open."""
        return self.hours.walls(place, now)


def _window(start: str, end: str, settings: CampaignSettings) -> CallWindow:
    days = range(7) if settings.days_of_week is None else [DAYS.index(day) for day in settings.days_of_week]
    weekly = daily(start, end, days).weekly
    if settings.day_windows is not None:
        own = {DAYS.index(day): tuple(Hours.parse(h.start, h.end) for h in hours) for day, hours in settings.day_windows.items()}
        weekly = tuple(own.get(day, usual) for day, usual in enumerate(weekly))
    kept = None if settings.holiday_calendar is None else settings.holiday_calendar.calendar()
    return CallWindow(weekly, kept or None)


def _present(**values: int | None) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


def end_of(row: Mapping[str, Any]) -> datetime | None:
    """When a campaign's row says that it ends; of settings that can be read no further too. Raises ValueError where just this one
    is unreadable."""
    return CampaignSettings.model_validate({"scheduled_end_at": row["settings"].get("scheduled_end_at")}).scheduled_end_at


def rules_of(row: Mapping[str, Any]) -> CampaignRules:
    """The rules of a campaign's row; `team_policy_packs` and `team_caps` in it are those of its team. Raises ValueError
    (pydantic's included) when a window, a zone, a cap or a setting is unreadable: such a campaign is not dialled."""
    settings = CampaignSettings.model_validate(row["settings"])
    zone = row["call_window_timezone"]
    if not is_zone(zone):
        raise ValueError(f"call_window_timezone {zone!r} is not a time zone; write an IANA name such as America/New_York")
    packs = tuple(dict.fromkeys((*row.get("team_policy_packs", ()), *(settings.policy_packs or ()))))
    for pack in packs:
        check(pack)
    error = settings.retry_delay_minutes_error
    return CampaignRules(
        version=row["rules_version"],
        hours=CallHours(
            window=_window(row["call_window_start"], row["call_window_end"], settings),
            zone=None if settings.use_contact_timezone_for_call_window else zone,
            campaign_zone=zone,
            zone_policy=settings.zone_policy,
            packs=packs,
        ),
        ring_seconds=settings.ring_timeout_seconds,
        limit_seconds=settings.max_call_duration_minutes * 60,
        weight=settings.priority,
        calls_per_second=settings.calls_per_second,
        retry=RetryPolicy(
            max_attempts=row["max_attempts_per_contact"],
            delay=row["retry_delay_minutes"],
            delay_by=_present(
                no_answer=settings.retry_delay_minutes_no_answer,
                busy=settings.retry_delay_minutes_busy,
                declined=settings.retry_delay_minutes_busy,
                error=error,
                voicemail=settings.retry_delay_minutes_voicemail,
            ),
            max_by=_present(
                no_answer=settings.max_attempts_no_answer,
                busy=settings.max_attempts_busy,
                declined=settings.max_attempts_busy,
                error=settings.max_attempts_error,
                voicemail=settings.max_attempts_voicemail,
            ),
            on_error=settings.retry_on_error,
            on_voicemail=settings.retry_on_voicemail,
            mode=Mode(settings.retry_backoff_mode),
            multiplier=settings.retry_backoff_multiplier,
            cap=settings.retry_backoff_max_minutes,
            jitter=settings.retry_backoff_jitter,
        ),
        ends=settings.scheduled_end_at,
        expiry=None if settings.contact_expiry_days is None else timedelta(seconds=settings.contact_expiry_days * 86_400),
        sticky=settings.caller_id_sticky,
        local_presence=settings.local_presence,
        callback_tolerance=timedelta(minutes=settings.callback_tolerance_minutes),
        callback_missed=settings.callback_missed_action,
        caps=(*flat(settings.frequency_caps or (), "campaign"), *caps_of(row["team_caps"], "team")),
    )
