"""Policy packs as operators write them, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.packs import read_folder, read_pack, shipped
from scheduler.windows import Hours

GOOD = """
id = "our-house"
version = "2026-01"
effective_from = 2026-01-01
source = "our own promise"

[[rules]]
name = "DE"
regions = ["DE", "DE-BY"]
hours = ["09:00-12:00", "14:00-18:00"]
days = ["monday", "friday"]
holidays = "DE-BY"
caps = [{ calls = 2, hours = 24, per = "number", counts = "attempts" }]

[[rules]]
regions = ["AT"]
holidays = "AT"
"""


def test_a_pack() -> None:
    pack, faults = read_pack("own.toml", GOOD)
    assert pack is not None and not faults
    german, austrian = pack.rules
    assert german.window is not None and austrian.window is not None
    assert german.window.weekly[0] == (Hours.parse("09:00", "12:00"), Hours.parse("14:00", "18:00"))
    assert german.window.weekly[1] == ()
    assert german.window.calendar is not None and german.window.calendar.subdivision == "BY"
    assert austrian.window.weekly[6] == (Hours(0, 86_400),)
    assert [(pack.label(rule), rule.caps and rule.caps[0].rule) for rule in pack.rules] == [
        ("our-house/2026-01 DE", "our-house/2026-01 DE"),
        ("our-house/2026-01", ()),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('id = "our-house"', 'id = "Our House"', "own.toml: id is not an id; write lower-case letters"),
        ('id = "our-house"', 'id = "uk-ofcom"', "own.toml: id uk-ofcom needs the share of abandoned calls"),
        ('version = "2026-01"', "version = 2026", "own.toml: version is not a short name; write"),
        (
            "effective_from = 2026-01-01",
            'effective_from = "2026-01-01"',
            "own.toml: effective_from is not a date; write",
        ),
        ("effective_from = 2026-01-01", "", "own.toml: effective_from is missing; add it"),
        ('source = "our own promise"', 'source = ""', "own.toml: source is not text; say in quotes"),
        (
            'source = "our own promise"',
            'sauce = "x"',
            "own.toml: sauce is not a field of a policy pack; remove it",
        ),
        (
            'regions = ["DE", "DE-BY"]',
            'regions = ["US-ZZ"]',
            "own.toml: rules[1].regions 'US-ZZ' is no country",
        ),
        ('regions = ["AT"]', 'regions = "AT"', "own.toml: rules[2].regions is not a list of texts; write it as"),
        ('regions = ["AT"]', "", "own.toml: rules[2].regions is missing; add it"),
        ('"09:00-12:00"', '"09:00"', "own.toml: rules[1].hours '09:00' has no end; write start and end"),
        ('"09:00-12:00"', '"09:00-09:00"', "own.toml: rules[1].hours a call window may not end when it starts; write"),
        ('"monday"', '"Montag"', "own.toml: rules[1].days 'Montag' is no day of the week; write monday"),
        ('holidays = "AT"', 'holidays = "XX"', "own.toml: rules[2].holidays 'XX' is no country whose holidays are known; write"),
        ('holidays = "AT"', "", "own.toml: rules[2] has neither hours, days or holidays nor caps; say what"),
        ('holidays = "AT"', 'holidays = "AT"\nname = "DE"', "own.toml: rules[2].name is that of a rule before; give each"),
        ("calls = 2", "calls = 0", "own.toml: rules[1].caps[1].calls is out of range; write a whole number from 1"),
        ("calls = 2", "calls = true", "own.toml: rules[1].caps[1].calls is out of range; write a whole number from 1"),
        (
            'per = "number"',
            'per = "phone"',
            "own.toml: rules[1].caps[1].per is not one of the choices; write 'number'",
        ),
        ('counts = "attempts"', 'count = "attempts"', "own.toml: rules[1].caps[1].count is not a field of a policy pack"),
        ("[[rules]]", "[[rule]]", "own.toml: rules is missing; add it"),
        ("[[rules]]", "[[rules", "own.toml: is not valid TOML: "),
    ],
)
def test_every_fault_names_file_field_and_remedy(was: str, becomes: str, said: str) -> None:
    pack, faults = read_pack("own.toml", GOOD.replace(was, becomes))
    assert pack is None
    assert any(str(fault).startswith(said) for fault in faults), list(map(str, faults))
    assert all(fault.problem and fault.remedy for fault in faults)


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD.replace('2026-01"', '2026-02"'))
    (tmp_path / "notes.txt").write_text("no pack")
    packs, faults = read_folder(tmp_path)
    assert [pack.version for pack in packs] == ["2026-01", "2026-02"] and not faults
    (tmp_path / "c.toml").write_text(GOOD)
    (tmp_path / "d.toml").write_bytes(b"\xff")
    newest = shipped()[0]
    (tmp_path / "e.toml").write_text(GOOD.replace("our-house", newest.id).replace('2026-01"', f'{newest.version}"'))
    _, faults = read_folder(tmp_path)
    said = list(map(str, faults))
    assert said[0].startswith(f"{tmp_path}/c.toml: version our-house/2026-01 is also in {tmp_path}/a.toml; give each")
    assert said[1] == f"{tmp_path}/d.toml: is not UTF-8 text; save the file as UTF-8"
    assert "is also in the dialer itself" in said[2]
    assert "cannot be read (No such file" in str(read_folder(tmp_path / "none")[1][0])
