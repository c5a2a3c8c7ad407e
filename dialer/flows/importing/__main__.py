"""The process that reads a large file: batch after batch into its standard output, for `apart`, which starts it."""

from __future__ import annotations

import os
import pickle
import sys

from dialer.flows.importing.apart import LENGTH
from dialer.flows.importing.batches import Batch, batches
from dialer.flows.importing.sheet import FileRefused, Sheet


def _tell(told: Batch | tuple[str, int | None, int | None, str] | None) -> None:
    packed = pickle.dumps(told)
    sys.stdout.buffer.write(len(packed).to_bytes(LENGTH))
    sys.stdout.buffer.write(packed)
    sys.stdout.buffer.flush()


def read_apart(descriptor: int) -> None:
    os.nice(5)  # whoever calls and whoever asks comes first
    delimiter, reader = pickle.load(sys.stdin.buffer)
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        try:
            for batch in batches(iter(Sheet(file, delimiter)), reader):
                _tell(batch)
        except FileRefused as refused:
            _tell(refused.told)
        else:
            _tell(None)


if __name__ == "__main__":
    try:
        read_apart(int(sys.argv[1]))
    except BrokenPipeError:  # the import has ended
        os._exit(0)
