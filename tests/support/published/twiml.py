"""TwiML by Twilio's own classes: which verb may stand in which, and with which attributes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from xml.etree import ElementTree

from twilio.twiml import TwiML
from twilio.twiml.voice_response import VoiceResponse


def faults(twiml: str) -> list[str]:
    """What the SDK could not have written."""
    given, written = ElementTree.fromstring(twiml), VoiceResponse()
    found = list(_added(written, given))
    if not found and ElementTree.canonicalize(twiml) != ElementTree.canonicalize(written.to_xml(xml_declaration=False)):
        found.append("the SDK writes something else")
    return found


def _added(verb: TwiML, given: ElementTree.Element) -> Iterator[str]:
    for child in given:
        make = getattr(verb, _snake(child.tag), None)
        known = inspect.signature(make).parameters if make is not None else {}
        options = {_snake(name): value for name, value in child.attrib.items()}
        if make is None or not child.tag[0].isupper() or not options.keys() <= known.keys():
            yield f"{given.tag}: takes no {child.tag} with {', '.join(child.attrib) or 'nothing'}"
            continue
        yield from _added(make(*([child.text] if child.text else []), **options), child)


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()
