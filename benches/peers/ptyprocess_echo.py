"""The ptyprocess side of `orchflow-bench terminal`: answers one line per request, in blocks, so that both sides take turns.

    echo N       round trips through `cat` in raw mode      -> ok P50_US P99_US
    flood BYTES  takes output of the flooding child         -> ok MB_PER_S
    spawn N      starts /bin/true                           -> ok P50_US

Arguments: the flooding program with its arguments.
"""

import math
import sys
from time import perf_counter_ns

from ptyprocess import PtyProcess

WARM_UP_TRIPS = 20
READ_BYTES = 65536


def micros(begun):
    return (perf_counter_ns() - begun) / 1e3


def percentile(samples, percent):
    return sorted(samples)[math.ceil(percent / 100 * len(samples)) - 1]


def start(argv):
    """A child that said that it is ready."""
    child = PtyProcess.spawn(argv)
    while b"R" not in child.read(READ_BYTES):
        pass
    return child


def echo(child, trips):
    took = []
    for trip in range(-WARM_UP_TRIPS, trips):
        begun = perf_counter_ns()
        child.write(b"x")
        child.read(READ_BYTES)
        if trip >= 0:
            took.append(micros(begun))
    return percentile(took, 50), percentile(took, 99)


def flood(child, size):
    taken = 0
    begun = perf_counter_ns()
    while taken < size:
        taken += len(child.read(READ_BYTES))
    return (taken / micros(begun),)


def spawn(times):
    took = []
    for _ in range(times):
        begun = perf_counter_ns()
        child = PtyProcess.spawn(["/bin/true"])
        took.append(micros(begun))
        child.wait()
        child.fileobj.close()  # `close()` would sleep first.
        child.closed = True
    return (percentile(took, 50),)


def main():
    cat = start(["sh", "-c", "stty raw -echo; printf R; exec cat"])
    flooder = start(sys.argv[1:])
    answers = {"echo": lambda n: echo(cat, n), "flood": lambda n: flood(flooder, n), "spawn": spawn}
    print("ok", flush=True)
    for request in sys.stdin:
        name, amount = request.split()
        print("ok", *answers[name](int(amount)), flush=True)


main()
