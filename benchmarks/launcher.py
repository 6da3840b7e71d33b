"""Run a program, and print what it took: seconds, those of the processor, kilobytes, exit code.

The peak of a process begins with that of the one that started it (getrusage(2)). So programs are
started by this one, which is small: ``python -I -S launcher.py LIMIT OUTPUT PROGRAM ARGUMENT...``.
What takes longer than the limit, in seconds, is ended by SIGKILL, which is the exit code -9.
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main() -> None:
    """Start it, wait, print."""
    limit, output, *command = sys.argv[1:]
    inward = os.open(os.devnull, os.O_RDONLY)
    outward = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    files = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((inward, outward))]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=files)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, float(limit))
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    processor = usage.ru_utime + usage.ru_stime
    print(seconds, processor, usage.ru_maxrss, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
