"""Which column of a file is which field: told by a mapping in either direction, or guessed from the header's spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dialer.flows.importing.sheet import FileRefused

CUSTOM: Final = "custom."
LONGEST_KEY: Final = 100

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may stand between the cells of a file."""

DIGITS_OF_A_NUMBER: Final = 5

REQUIRED: Final = ("first_name", "last_name", "phone")

# Field → how it is spelled in requests, then other spellings of headers, without case, accents, spaces and signs.
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "first_name": (
        "firstName", "first", "fname", "given name", "forename", "christian name", "contact first name", "vorname", "prenom",
        "nombre", "voornaam", "nome", "primeiro nome", "imie", "fornavn", "fornamn",
    ),
    "last_name": (
        "lastName", "last", "lname", "surname", "family name", "second name", "contact last name", "nachname", "familienname",
        "zuname", "nom", "nom de famille", "apellido", "apellidos", "achternaam", "cognome", "sobrenome", "apelido", "nazwisko",
        "etternavn", "efternamn",
    ),
    "email": (
        "email", "e-mail", "mail", "email address", "e-mail address", "mail address", "correo", "correo electronico", "courriel",
        "e-mail-adresse", "adresse e-mail", "adresse mail", "posta elettronica", "e-mailadres",
    ),
    "phone": (
        "phone", "phone number", "phone no", "telephone", "telephone number", "telephone no", "tel", "tel no", "mobile",
        "mobile phone", "mobile number", "mobile no", "cell", "cell phone", "cell number", "contact number", "primary phone",
        "phone 1", "number", "telefon", "telefonnummer", "rufnummer", "handy", "handynummer", "mobil", "mobiltelefon",
        "mobilnummer", "portable", "numero de telephone", "numero de telefono", "telefono", "movil", "celular", "cellulare",
        "telefoon", "telefoonnummer", "mobiel", "telefone", "telemovel",
    ),
    "phone_secondary": (
        "phoneSecondary", "secondary phone", "phone 2", "other phone", "second phone", "alternate phone", "work phone",
        "home phone", "business phone", "telefon 2", "telephone 2", "telefono 2",
    ),
    "job_title": (
        "jobTitle", "title", "position", "role", "job", "occupation", "beruf", "funktion", "fonction", "poste", "cargo", "puesto",
        "functie", "qualifica",
    ),
    "region": ("region", "subdivision", "state code"),
    "lead_status": ("leadStatus", "status", "lead"),
    "source": ("source", "lead source", "origin", "quelle", "herkunft", "origen", "fonte"),
    "timezone": ("timezone", "time zone", "tz", "zone", "zeitzone", "fuseau horaire", "zona horaria", "tijdzone", "fuso orario"),
    "preferred_contact_method": ("preferredContactMethod", "contact method", "preferred method", "preferred contact"),
    "do_not_call": (
        "doNotCall", "dnc", "do not contact", "opt out", "opted out", "no calls", "nicht anrufen", "ne pas appeler", "no llamar",
        "non chiamare", "niet bellen",
    ),
    "notes": (
        "notes", "note", "comment", "comments", "remarks", "notizen", "notiz", "bemerkung", "bemerkungen", "kommentar",
        "remarque", "remarques", "commentaire", "notas", "comentarios", "opmerkingen",
    ),
    "tags": ("tags", "tag", "labels", "label", "schlagworte", "etiquetas", "etiquettes"),
    "company": (
        "company", "company name", "organisation", "organization", "account", "account name", "employer", "business", "firma",
        "unternehmen", "empresa", "societe", "entreprise", "azienda", "societa", "bedrijf", "bedrijfsnaam",
    ),
}  # fmt: skip


def plain(text: str) -> str:
    """A spelling without case, accents, spaces and signs."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in letters if sign.isalnum())


_FIELD_OF: Final = {plain(spelling): field for field, spellings in SPELLINGS.items() for spelling in (field, *spellings)}
_EXACT: Final = {spelling: field for field, (camel, *_) in SPELLINGS.items() for spelling in (field, camel)}
_KEY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]*")


def spelled(field: str) -> str:
    """A field as requests spell it."""
    return SPELLINGS[field][0] if field in SPELLINGS else field


@dataclass(frozen=True, slots=True)
class Columns:
    """Field → index of its column; custom field's key → index of its column."""

    fields: Mapping[str, int]
    custom: Mapping[str, int]
    width: int

    @property
    def missing(self) -> list[str]:
        return [field for field in REQUIRED if field not in self.fields]


def resolve(header: Sequence[str], mapping: Mapping[str, str | None] | None, delimiter: str) -> Columns:
    """The columns of a file. Raises FileRefused when one that is needed is missing or the mapping does not fit the header."""
    found = _guessed(header) if mapping is None else _mapped(header, mapping)
    if found.missing:
        _refuse_delimiter(header, delimiter)
        fields = ", ".join(spelled(field) for field in found.missing)
        # A file without a header has a person in its first row: no number of theirs is repeated.
        seen = ", ".join(repr(name[:40]) if sum(map(str.isdigit, name)) < DIGITS_OF_A_NUMBER else "'…'" for name in header[:20])
        said = f"no column for {fields}; the header has {seen}; rename a column, or over HTTP name it with columnMapping"
        raise FileRefused(said, row=1, column=1)
    return found


def _guessed(header: Sequence[str]) -> Columns:
    fields: dict[str, int] = {}
    custom: dict[str, int] = {}
    for index, name in enumerate(header):
        field = _target(name) or _FIELD_OF.get(plain(name))
        if field is not None:
            _take(fields, custom, field, index, header)
    return Columns(fields, custom, len(header))


def _mapped(header: Sequence[str], mapping: Mapping[str, str | None]) -> Columns:
    by_name = {name: index for index, name in reversed(list(enumerate(header)))}
    by_spelling = {plain(name): index for index, name in reversed(list(enumerate(header)))}

    def column(name: str) -> int | None:
        return by_name.get(name, by_spelling.get(plain(name)))

    fields: dict[str, int] = {}
    custom: dict[str, int] = {}
    for left, right in mapping.items():
        if not right:
            continue  # this column is to be left out
        for name, told in ((left, right), (right, left)):
            field, index = _target(told), column(name)
            if field is not None and index is not None:
                _take(fields, custom, field, index, header)
                break
        else:
            known = ", ".join(map(spelled, SPELLINGS))
            said = f"{left!r}: {right!r} is no pair of a column of this file and a field; the fields are {known}, custom.<key>"
            raise FileRefused(said, field="columnMapping")
    return Columns(fields, custom, len(header))


def _target(name: str) -> str | None:
    """The field that is meant by its exact name."""
    if name.startswith(CUSTOM) and len(name) <= LONGEST_KEY and _KEY.fullmatch(name[len(CUSTOM) :]):
        return name
    return _EXACT.get(name)


def _take(fields: dict[str, int], custom: dict[str, int], field: str, index: int, header: Sequence[str]) -> None:
    taken, key = (custom, field[len(CUSTOM) :]) if field.startswith(CUSTOM) else (fields, field)
    if key in taken:
        both = f"{header[taken[key]]!r} and {header[index]!r}"
        raise FileRefused(f"the columns {both} are both {spelled(field)}; say which with columnMapping", row=1, column=index + 1)
    taken[key] = index


def _refuse_delimiter(header: Sequence[str], delimiter: str) -> None:
    """When the header makes sense with another delimiter, say so."""
    line = delimiter.join(header)
    for other, name in DELIMITERS.items():
        names = [cell.strip().strip('"') for cell in line.split(other)]
        if other != delimiter and sum(plain(cell) in _FIELD_OF for cell in names) > 1:
            named = "tab" if other == "\t" else other
            said = f"the columns are separated by {name}, not by {DELIMITERS[delimiter]}"
            raise FileRefused(f"{said}; save the file with these, or send the delimiter {named}", row=1, column=1)
