"""How a phone number may be written down, and the last line of defence for text that forgot.

Owns the mask. Promises that whole E.164 numbers, API keys and passwords inside URLs do not survive `scrub`. Does not know
numbers written without their plus sign: code that logs a number masks it first.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\+[0-9]{7,}")
_IN_TEXT = re.compile(r"(?:\+|%2[Bb])[0-9]{7,}")
_API_KEY = re.compile(r"\b(tk_(?:live|test)_)[A-Za-z0-9_-]+")
_URL_PASSWORD = re.compile(r"(?<=://)[^/?#\s]*:[^/?#\s]*@")


def mask(number: str) -> str:
    """A phone number as logs and errors may show it: `+4930…12`; of a short one less; of anything else nothing.

    At least four digits are always hidden.
    """
    if not _NUMBER.fullmatch(number):
        return "…"
    head, tail = (5, 2) if len(number) > 10 else (3, 1)
    return f"{number[:head]}…{number[-tail:]}"


def scrub(text: str) -> str:
    """Text with every phone number (`+` or its URL form `%2B`, then 7 or more digits), API key and URL password masked."""
    text = _IN_TEXT.sub(lambda found: mask("+" + found[0].lstrip("+").removeprefix("%2B").removeprefix("%2b")), text)
    text = _API_KEY.sub(r"\1…", text)
    return _URL_PASSWORD.sub("…@", text)
