"""Files that cannot be read as a whole: a clear error with row and column, nothing half imported."""

from __future__ import annotations

from dialer.flows.importing.batches import BATCH
from dialer.flows.importing.sheet import LONGEST_RECORD
from tests.support.api import Api

HEADER = b"First Name,Last Name,Phone\n"
GOOD = b"Ann,Lee,+14155552671\n"


async def refused(api: Api, file: bytes, **fields: str) -> str:
    """The error of the file; nothing was imported."""
    answer = await api.upload("/api/crm/contacts/import", file, teamId=api.team, **fields)
    assert answer.status == 400
    assert answer.json["success"] is False
    for table in ("contacts", "import_batches", "import_rejects", "companies"):
        assert await api.context.database.pool.fetchval(f"select count(*) from {table}") == 0
    (said,) = [said for texts in answer.faults.values() for said in texts]
    return said


FILES = [
    (b"", "row 1, column 1: the file is empty"),
    (b"\n\n" + HEADER + GOOD, "row 1, column 1: the header row is blank"),
    (b"   \n", "row 1, column 1: the header row is blank"),
    (HEADER, "row 2, column 1: the file has a header and no rows"),
    (HEADER + b"\n,,\n\n", "row 2, column 1: the file has a header and no rows"),
    ((HEADER + GOOD).decode().encode("utf-16"), "row 1, column 1: the file is UTF-16"),
    ((HEADER + GOOD).decode().encode("utf-16-le"), "row 1, column 1: contains a NUL byte"),
    ((HEADER + GOOD).decode().encode("utf-32"), "row 1, column 1: the file is UTF-32"),
    (HEADER + GOOD + b"Bob\0,Ray,+14155552672\n", "row 3, column 1: contains a NUL byte (First Name)"),
    (HEADER + GOOD + b"Ann,L\xe9e,+14155552672\n", "row 3, column 2: is not UTF-8 (Last Name)"),
    (b"First N\xe4me,Last Name,Phone\n" + GOOD, "row 1, column 1: is not UTF-8"),
    (HEADER + b"A" * 10_000_000, "row 2, column 1: is longer than 1,048,576 bytes"),
    (HEADER + GOOD + b'"' + b"A\n" * LONGEST_RECORD, "row 3: a cell is longer than 131,072 characters"),
    (HEADER + GOOD + b'Ann,"Lee,+14155552672\n', "row 3: a quote is opened and never closed"),
    (HEADER + GOOD + b'"Ann"a,Lee,+14155552672\n', "row 3: text follows a closing quote"),
    (HEADER + GOOD + b"A" * 200_000 + b",Lee,1\n", "row 3: a cell is longer than 131,072 characters"),
    (HEADER.replace(b"\n", b"\r") + GOOD.replace(b"\n", b"\r"), "row 1: lines end with CR alone"),
    (HEADER.replace(b",", b";") + GOOD, "row 1, column 1: the columns are separated by semicolons, not by commas"),
    (HEADER.replace(b",", b"\t") + GOOD, "row 1, column 1: the columns are separated by tabs, not by commas"),
    (HEADER.replace(b",", b"|") + GOOD, "row 1, column 1: the columns are separated by bars, not by commas"),
    (b"First Name,Last Name\nAnn,Lee\n", "row 1, column 1: no column for phone; the header has 'First Name', 'Last Name'"),
    (b"one,two,three\n" + GOOD, "row 1, column 1: no column for firstName, lastName, phone"),
    (b"First Name,Last Name,Phone,Mobile\n" + GOOD, "row 1, column 4: the columns 'Phone' and 'Mobile' are both phone"),
    (GOOD, "row 1, column 1: no column for firstName, lastName, phone"),
]


async def test_it_says_where_and_why(api: Api) -> None:
    for file, said in FILES:
        told = await refused(api, file)
        assert told.startswith(said)
        assert "4155552671" not in told


async def test_a_fault_behind_good_batches_takes_them_back(api: Api) -> None:
    rows = b"".join(b"Ann,Lee,+1415%d\n" % (5_550_000 + n) for n in range(2 * BATCH))
    said = await refused(api, HEADER + rows + b"Bad\0,Row,\n")
    assert said.startswith(f"row {2 * BATCH + 2}, column 1")


MAPPINGS = [
    ('{"Nowhere": "firstName"}', "'Nowhere': 'firstName' is no pair"),
    ('{"First Name": "shoeSize"}', "'First Name': 'shoeSize' is no pair"),
    ('{"First Name": "firstName", "Phone": "phone"}', "row 1, column 1: no column for lastName"),
    ("{", "is not valid JSON"),
    ("[]", "input should be a valid dictionary"),
]


async def test_a_mapping_that_does_not_fit(api: Api) -> None:
    for mapping, said in MAPPINGS:
        assert (await refused(api, HEADER + GOOD, columnMapping=mapping)).startswith(said)


async def test_a_mark_of_utf8_is_no_fault_and_another_delimiter_can_be_named(api: Api) -> None:
    for mark, delimiter, name in ((b"\xef\xbb\xbf", b",", ","), (b"", b";", ";"), (b"\xef\xbb\xbf", b"\t", "tab")):
        file = mark + (HEADER + GOOD).replace(b",", delimiter)
        answer = await api.upload("/api/crm/contacts/import", file, teamId=api.team, delimiter=name)
        assert answer.json["total"] == 1


async def test_what_the_form_lacks_is_named(api: Api) -> None:
    answer = await api.upload("/api/crm/contacts/import", HEADER + GOOD, duplicateMode="maybe", colour="red")
    assert answer.status == 400
    assert set(answer.faults) == {"teamId", "duplicateMode", "colour"}
    answer = await api.post("/api/crm/contacts/import", {"teamId": api.team})
    assert answer.status == 415
    form = b'--x\r\nContent-Disposition: form-data; name="teamId"\r\n\r\n' + api.team.encode() + b"\r\n--x--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert (await api.send("POST", "/api/crm/contacts/import", form, headers=headers)).faults == {
        "file": ["is required; send a CSV file"]
    }
    answer = await api.send("POST", "/api/crm/contacts/import", b"nonsense", headers=headers)
    assert (answer.status, answer.json["success"]) == (400, False)
