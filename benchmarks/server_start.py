"""How long the throwaway server takes to start, against a bare ``postgres`` on a ready folder.

Both are measured turn by turn in one run, in the same storage, until connections are taken. Prints
medians and their ratio; exits with 1 when a start costs more than 2 bare ones.
"""

from __future__ import annotations

import signal
import statistics
import sys
import time
from collections.abc import Callable

from pytest_housekeeping.server.data_folder import lay_data_folder
from pytest_housekeeping.server.os_account import server_account
from pytest_housekeeping.server.postmaster import await_ready, boot, spawn
from pytest_housekeeping.server.run_folder import claim, storages
from pytest_housekeeping.server.server_settings import ServerSettings
from pytest_housekeeping.server.sources import find_programs

ROUNDS = 25
LIMIT = 2.0


def main(kind: str = "embedded", version: str = "16") -> int:
    account, programs = server_account(), find_programs(kind, int(version))
    folder = claim(next(storages()), account)
    list(lay_data_folder(folder.data, programs, account))

    def bare() -> Callable[[], None]:
        process = spawn(folder, programs, account, 64)
        await_ready(folder, process, programs)

        def end() -> None:
            # A fast shutdown: after an immediate one, recovery would be measured too.
            process.send_signal(signal.SIGINT)
            process.wait()

        return end

    def warm() -> Callable[[], None]:
        server = boot(ServerSettings(kind=kind, version=int(version)))
        return lambda: server.close(keep=False)

    try:
        times = {"bare": [measured(bare)], "warm": [measured(warm)]}
        for _ in range(ROUNDS):
            times["bare"].append(measured(bare))
            times["warm"].append(measured(warm))
    finally:
        folder.remove()
    bare_ms, warm_ms = (statistics.median(times[name][1:]) * 1000 for name in ("bare", "warm"))
    ratio = warm_ms / bare_ms
    print(f"bare postgres on a ready folder   {bare_ms:7.1f} ms")
    print(f"warm start of the server          {warm_ms:7.1f} ms")
    print(f"ratio                             {ratio:7.2f}  (at most {LIMIT})")
    return int(ratio > LIMIT)


def measured(start: Callable[[], Callable[[], None]]) -> float:
    began = time.perf_counter()
    end = start()
    taken = time.perf_counter() - began
    end()
    return taken


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
