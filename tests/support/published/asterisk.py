"""The bodies that Asterisk takes, restated: it publishes its REST interface as Swagger 1.1, but in no package to be installed.

Names, types and what is required are those of `rest-api/api-docs/channels.json` in asterisk/asterisk, API version 1.6.0 (commit
74b032bb), for `originateWithId`; and of "External Media and ARI" in asterisk/documentation (commit 130e144a) for
`/channels/externalMedia`. Read on 2026-11-30. Later versions add keys and take none away.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class OriginateWithId(TypedDict):
    """Where a body is sent, its keys are those of the query, and `variables` besides."""

    endpoint: str
    extension: NotRequired[str]
    context: NotRequired[str]
    priority: NotRequired[int]
    app: NotRequired[str]
    appArgs: NotRequired[str]
    callerId: NotRequired[str]
    timeout: NotRequired[int]
    variables: NotRequired[dict[str, str]]
    otherChannelId: NotRequired[str]
    originator: NotRequired[str]


class ExternalMedia(TypedDict):
    channelId: NotRequired[str]
    app: str
    variables: NotRequired[dict[str, str]]
    external_host: str
    encapsulation: NotRequired[str]
    transport: NotRequired[str]
    connection_type: NotRequired[str]
    format: str
    direction: NotRequired[str]
