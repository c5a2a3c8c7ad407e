"""Contacts from a CSV file: all of a file's good rows, or nothing of it, and a word about every other row.

A fault of the file (encoding, delimiter, missing columns) refuses the whole file; a fault of a row rejects that row.
"""

from dialer.flows.importing.options import ImportOptions, ImportResult, RowError
from dialer.flows.importing.rejects import rejects_csv
from dialer.flows.importing.run import import_contacts
from dialer.flows.importing.sheet import FileRefused

__all__ = ["FileRefused", "ImportOptions", "ImportResult", "RowError", "import_contacts", "rejects_csv"]
