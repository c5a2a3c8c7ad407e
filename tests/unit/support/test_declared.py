"""The reader of SDKs: what it understands of their generators' code, and what it holds against a value."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.support.published.declared import Declared, faults, read

COMMON = """
from enum import Enum
Mode = Union[Literal["mp3", "rtp"], Any]
class Track(str, Enum):
    BOTH = "both"
class Plain(object):
    QUEUED = "queued"
"""
MODELS = """
from __future__ import annotations
from .common import Mode, Plain as Status, Track
from . import common
_Words = TypedDict("_Words", {"from": str}, total=False)
class Call(_Words, total=False):
    to: Required[Annotated[str, PropertyInfo(alias="To")]]
    ring: int
    tracks: List[Track]
    tags: Dict[str, str]
    mode: Optional["Mode"]
    status: Union[common.Plain, object]
class Open(TypedDict, total=False, extra_items=object):
    name: str
class Record(BaseModel):
    kept: typing.ClassVar[int] = 1
    id: str
    from_: Optional[str] = FieldInfo(alias="from", default=None)
    at: typing_extensions.Annotated[dt.datetime | None, FieldMetadata(alias="createdAt")] = None
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sdk")
    (made / "common.py").write_text(COMMON)
    (made / "models.py").write_text(MODELS)
    return made


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("Call", {"To": "+49", "from": "+49", "ring": 20, "tracks": ["both"], "tags": {"a": "b"}, "mode": None}, []),
        ("Call", {"to": "+49"}, [".to: no such key", ".To: is missing"]),
        ("Call", {"To": 49}, [".To: int is no str"]),
        ("Call", {"To": "", "ring": True}, [".ring: bool is no int"]),
        ("Call", {"To": "", "ring": "20"}, [".ring: str is no int"]),
        ("Call", {"To": "", "tracks": "both"}, [".tracks: str is no list"]),
        ("Call", {"To": "", "tracks": ["one"]}, [".tracks[0]: is none of the 1 words"]),
        ("Call", {"To": "", "tags": {"a": 1}}, [".tags.a: int is no str"]),
        ("Call", {"To": "", "mode": "wav"}, [".mode: is none of the 2 words"]),
        ("Call", {"To": "", "status": "over"}, [".status: is none of the 1 words"]),
        ("Call", [], [": list is no object"]),
        ("Open", {"name": "a", "else": 1}, []),
        ("Open", {"name": 1}, [".name: int is no str"]),
        ("Record", {"id": "1", "from": None, "createdAt": "2026-11-30T12:00:00Z"}, []),
        ("Record", {"createdAt": "2026-11-30T12:00:00"}, [".createdAt: is no time with an offset", ".id: is missing"]),
        ("Record", {"id": "1", "kept": 1, "from_": ""}, [".kept: no such key", ".from_: no such key"]),
    ],
)
def test_a_value_is_held_against_what_is_declared(folder: Path, name: str, value: Any, wrong: list[str]) -> None:
    assert faults(value, Declared(ast.Name(name), read(folder / "models.py"))) == wrong


def test_in_a_form_numbers_are_text_and_one_of_a_list_is_enough(folder: Path) -> None:
    declared = Declared(ast.Name("Call"), read(folder / "models.py"))
    assert faults({"To": "+49", "ring": "20", "tracks": "both"}, declared, text=True) == []
    assert faults({"To": "+49", "ring": "soon"}, declared, text=True) == [".ring: str is no int"]


def test_what_is_not_understood_is_an_error_and_no_pass(folder: Path) -> None:
    source = read(folder / "models.py")
    for written in ("Missing", "Tuple[int]", "somewhere.Else"):
        with pytest.raises(LookupError):
            faults(1, Declared(ast.parse(written, mode="eval").body, source))
