"""Where the workers of `serial` meet: a barrier and a lock, both spinning. No other workload needs them."""

import itertools
import os
import time
from collections import deque


class Meeting:
    """A barrier, and a lock that serves in order of arrival.

    Python has no atomic addition, so nothing here adds. At the barrier each worker writes a place of its own:
    twice the round modulo 64, one more if it leaves. Nobody can be more than a round ahead, so a place holds the
    past value, this one or the next. Tickets go around in a deque, whose `popleft` and `append` are
    atomic with and without a GIL: who holds one puts it back in order. All values are small integers, which are immortal.
    """

    def __init__(self, n, gil):
        self.arrived, self.tickets, self.serving = [126] * n, deque(range(n)), [0]
        self.gil = gil

    def names(self, me):
        n = len(self.arrived)
        return {
            "arrived": self.arrived,
            "me": me,
            "others": [k for k in range(n) if k != me],
            "tickets": self.tickets,
            "serving": self.serving,
            "workers": n,
            "pause": give_way if self.gil else spinner(),
        }


def give_way():
    """A turn of spinning under a GIL, which must be released for what is awaited to happen."""
    time.sleep(0)


def spinner():
    """A turn of spinning where threads run at the same time: every 2000th yields the CPU."""
    turns = itertools.cycle([False] * 1999 + [True])

    def pause():
        if next(turns):
            os.sched_yield()

    return pause
