"""A child process that cannot outlive its parent, not even after ``kill -9`` of the parent.

Imported, it builds the command line (:func:`tethered`) and starts it (:func:`spawn`). Run as a script it is the short first
life of the child: give up root if told to, ask the kernel for a signal at the parent's death, become the real program. It is
the last step before that program because a change of user clears the request.

The kernel watches the *thread* that forked, not the process, so :func:`spawn` insists on the main thread. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_CANNOT_EXECUTE = 127  # what a shell answers for a command it cannot run


def tethered(command: Sequence[str], death: signal.Signals, *, user: tuple[int, int] | None = None) -> list[str]:
    """The command line that runs `command` so that it receives `death` when this process ends.

    `user` is a (uid, gid) to become first; only root may ask for that.
    """
    uid, gid = user or (-1, -1)
    return [sys.executable, "-I", "-S", __file__, str(int(death)), str(os.getpid()), str(uid), str(gid), *command]


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    output: IO[bytes] | int | None = None,
    keep: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a tethered command in a session of its own, so that Ctrl-C reaches only the parent, which ends its children in order.

    `output` takes both stdout and stderr (default: inherited); `keep` are file descriptors the child inherits.
    Raises RuntimeError outside the main thread and OSError when the system cannot start a process.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Tethered processes are started from the main thread only: they would end with any other thread.")
    errors = None if output is None else subprocess.STDOUT
    return subprocess.Popen(
        argv, env=env, cwd=cwd, stdin=stdin, stdout=output, stderr=errors, pass_fds=tuple(keep), start_new_session=True
    )


def _become(argv: Sequence[str]) -> None:
    death, parent, uid, gid = map(int, argv[:4])
    command = list(argv[4:])
    if uid >= 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit("the parent process is gone")
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, for itself; exec would hand that down
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as fault:
        print(f"{command[0]}: {fault.strerror}", file=sys.stderr)
        sys.exit(_CANNOT_EXECUTE)


if __name__ == "__main__":
    _become(sys.argv[1:])
