"""Runs a command and writes its exit status, times and peak memory as JSON; small, so that its own size doesn't show in the child's peak.

usage: measure.py RESULT.json TIMEOUT_S OUT ERR COMMAND…
"""

import json
import os
import signal
import sys
import time


def main():
    result, timeout, out, err, command = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(out, flags, 0o644), 1)
        os.dup2(os.open(err, flags, 0o644), 2)
        try:
            os.execvp(command[0], command)
        except OSError as e:
            os.write(2, f"{command[0]}: {e}\n".encode())
            os._exit(127)
    timed_out = []
    signal.signal(signal.SIGALRM, lambda *_: (timed_out.append(1), os.kill(pid, signal.SIGKILL)))
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status, usage = os.wait4(pid, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    with open(result, "w") as f:
        json.dump(
            {
                "code": os.waitstatus_to_exitcode(status),
                "wall": time.perf_counter() - begun,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss / 1024,
                "timed_out": bool(timed_out),
            },
            f,
        )


main()
