"""The page for people: whole, and without a word to any other server."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from dialer.api.app import build
from dialer.api.docs import HEADERS, page

DOCUMENT = build().openapi()
PAGE = page(DOCUMENT)
VOID = {"meta", "td", "!doctype"}


def test_every_operation_is_on_it() -> None:
    shown = set(re.findall(r'<details id="(\w+)">', PAGE))
    assert shown == {each["operationId"] for operations in DOCUMENT["paths"].values() for each in operations.values()}


def test_it_asks_nobody_else() -> None:
    assert "<script" not in PAGE and "src=" not in PAGE and "@import" not in PAGE
    assert re.findall(r'href="([^"]*)"', PAGE) == ["/openapi.json"]
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'none'")


def test_its_elements_are_closed() -> None:
    class Reader(HTMLParser):
        open: list[str] = []  # noqa: RUF012 - one reader only

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in VOID:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    reader = Reader()
    reader.feed(PAGE)
    assert reader.open == ["html"]
