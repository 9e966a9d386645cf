"""The workload `lock`: the lines of its loop, what its workers share, and what they keep of acquisitions.

No other workload needs it. What the lock guards is a number that is loaded and stored in different lines, with the
steps between them: two that are inside at once lose an addition.
"""

import array
import threading
from collections import Counter

LOCKS = {"lock": threading.Lock, "rlock": threading.RLock}
OWNERS = 4096  # acquisitions of the first lock that are kept,
FIELDS = 4  # each as worker, requested, acquired, release begun
ACQUIRE, RELEASE, COUNT, FREED = range(4)  # of a lock's list; FREED: when its last owner began to release it

PROLOGUE = ["held = steps * permille // 1000", "alone, pick, k, fine = steps - held, 1 + me, 0, True"]
PROLOGUE_TIMED = ["waits, holds, handed = take.parts.arrays"]
STEPS = "for _ in repeat(None, %s): x = x * 48271 %% 2147483647"
OUTSIDE = [
    "x = 1 + (ops & 63)",
    STEPS % "alone",
    "if locks > 1:",
    "    pick = pick * 48271 % 2147483647",
    "    k = pick % locks",
    "own = guarded[k]",
]
INSIDE = [
    "count = own[2]",
    STEPS % "held",
    "if readers and ops * 617 % 1000 < readers: fine = own[2] == count",
    "else: own[2] = count + 1",
]
NOTE = [
    "if not k and begin_ns <= got and fill[0] < room:",
    "    j = fill[0]",
    "    owners[j], owners[j + 1], owners[j + 2], owners[j + 3] = me, asked, got, gone",
    "    fill[0] = j + 4",
]
LATER = ["if not fine: torn()"]
PARTS = ["waits[at] = got - asked", "holds[at] = gone - got", "handed[at] = 1 + got - free if free > asked else 0"]


def lines(timed):
    """The prologue and the operation of a loop."""
    if not timed:
        return PROLOGUE, OUTSIDE + ["own[0]()"] + INSIDE + ["own[1]()"] + LATER
    inside = ["got = clock()", "free = own[3]"] + INSIDE + ["own[3] = gone = clock()"] + NOTE
    return PROLOGUE + PROLOGUE_TIMED, OUTSIDE + ["asked = clock()", "own[0]()"] + inside + ["own[1]()"] + LATER + PARTS


class Locks:
    """What the workers of a cell share in one release."""

    def __init__(self, params, timed):
        self.guarded, self.spacers = [], []
        for _ in range(params["locks"]):
            lock = LOCKS[params["lock"]]()
            self.guarded.append([lock.acquire, lock.release, 0, 0])
            if params["layout"] == "padded":
                self.spacers.append(bytearray(256))  # what is allocated next lies behind it
        self.owners, self.fill = array.array("Q", bytes(8 * OWNERS * FIELDS if timed else 0)), [0]

    def names(self, me):
        room = len(self.owners)
        return {"guarded": self.guarded, "me": me, "owners": self.owners, "fill": self.fill, "room": room, "torn": torn}

    def lines(self, key, begin_ns):
        """What they recorded together, each line as its verb and its values; window 0 began at `begin_ns`."""
        yield "guard", dict(key, count=sum(own[COUNT] for own in self.guarded))
        rows = [self.owners[k : k + FIELDS] for k in range(0, self.fill[0], FIELDS)]
        if rows:
            last = [begin_ns] + [got for _, _, got, _ in rows]
            lists = {
                "w": [w for w, _, _, _ in rows],
                "gap": [got - before for (_, _, got, _), before in zip(rows, last)],
                "wait": [got - asked for _, asked, got, _ in rows],
                "hold": [gone - got for _, _, got, gone in rows],
            }
            yield "owners", dict(key, **{name: ",".join(map(str, values)) for name, values in lists.items()})


def torn():
    from loops import Failure

    message = "a reader saw the counter change while it had the lock: it does not exclude writers"
    raise Failure("checksum", message)


class Parts:
    """What a worker's operations time themselves, summed over the windows."""

    def __init__(self, capacity, readers):
        self.readers = readers
        self.arrays = [array.array("Q", bytes(8 * capacity)) for _ in range(3)]
        self.counts = {}

    def fold(self, low, high, base):
        """Counts what was recorded at `low` to `high`, of the operations from `base` + `low` on."""
        waits, holds, handed = (part[low:high] for part in self.arrays)
        reads = [self.readers > 0 and i * 617 % 1000 < self.readers for i in range(base + low, base + high)]
        for names, wanted in ((("wait", "hold", "handoff"), False), (("read_wait", "read_hold", None), True)):
            mine = [j for j, read in enumerate(reads) if read == wanted]
            self.count(names[0], (waits[j] for j in mine))
            self.count(names[1], (holds[j] for j in mine))
            if names[2]:
                self.count(names[2], (handed[j] - 1 for j in mine if handed[j]))

    def count(self, name, values):
        self.counts.setdefault(name, Counter()).update(values)
