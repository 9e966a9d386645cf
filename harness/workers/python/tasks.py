"""Tasks of the event loop of one thread: what carries them, and how their loop differs from a thread's."""

import array
import asyncio
import itertools
import os
import threading

from carriers import Threads
from loops import WARM, Lane, Take, clock, open_figures


class Asyncio(Threads):
    """N tasks on the event loop of one thread."""

    def __init__(self, n, job):
        super().__init__(1, job, lambda _, *job: Tasks(n, job))
        self.n, self.shared = n, False  # nobody spins: one thread has nobody to wait for

    def prepare(self):
        values = dict(super().prepare(), turns=1 if self.n > 1 else None)
        del values["map"]
        return values


class Tasks:
    """The event loop and its tasks, ordered about as one lane; the figures are the thread's, so those of all."""

    def __init__(self, n, job):
        self.lanes = [TaskLane(self, w, *job) for w in range(n)]
        self.carriers, self.cold, self.events = {}, True, None

    obey = Lane.obey

    def open(self):
        self.events = asyncio.new_event_loop()
        fd, names, read = open_figures()
        self.lanes[0].fds.append(fd)
        wanted = [k for k, name in enumerate(names) if name in ("cpu_ns", "delay_ns")]
        pick = lambda row: [row[k] for k in wanted]
        self.names, self.figures = pick(names), lambda: pick(read())
        for lane in self.lanes:
            lane.open()
        self.tid = threading.get_native_id()
        return self.tid

    def warm(self):
        cost, others = self.lanes[0].warm(), self.lanes[1:] if self.cold else []
        for self.cold in (True, False):
            for lane in others:
                lane.arm(dict(WARM, timed=not self.cold), [(0, clock())], 4096)
            self.together(others, 0, 0)
            for lane in others:
                lane.warmed()
        return cost

    def arm(self, plan, slots, *rest):
        self.ramps = max(1, plan["ramp_ns"] // plan["window_ns"])
        size = len(self.names) * (self.ramps + plan["windows"] + 2)
        self.carriers = {slot: Carrier(self.figures, len(self.names), size) for slot, _ in slots}
        for lane in self.lanes:
            lane.arm(plan, slots, *rest)

    def run(self, slot, start_ns, *_):
        self.together(self.lanes, slot, start_ns)

    def together(self, lanes, slot, start_ns):
        """Starts tasks, releases all at once at the start, and waits for them."""

        async def opener():
            gate = self.events.create_future()
            tasks = [self.events.create_task(lane.perform(slot, gate)) for lane in lanes]
            left = start_ns - clock()
            while left > 0:
                await asyncio.sleep(left / 1e9)
                left = start_ns - clock()
            if slot in self.carriers:
                self.carriers[slot].reach(0)
            gate.set_result(clock())
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()

        self.events.run_until_complete(opener())

    def report(self, key, with_slot):
        lines = [x for lane in self.lanes for x in lane.report(key, with_slot)]
        for slot, carrier in self.carriers.items():
            slot_key = dict(key, slot=slot) if with_slot else key
            for k in range(carrier.at):
                figures = dict(zip(self.names, carrier.between(k)))
                lines.append(("carrier", dict(slot_key, i=k - self.ramps, tid=self.tid, **figures)))
        return lines

    def close(self):
        if self.events:
            self.events.close()
        for lane in self.lanes:
            lane.close()


class Carrier:
    """The carrier's figures at every boundary, as the first task that crosses it finds them."""

    def __init__(self, figures, width, size):
        self.figures, self.width, self.at = figures, width, -1
        self.rows = array.array("Q", bytes(8 * size))

    def reach(self, boundary):
        if boundary > self.at:
            row, width = array.array("Q", self.figures()), self.width
            while self.at < boundary:
                self.at += 1
                self.rows[self.at * width : (self.at + 1) * width] = row

    def between(self, k):
        a, b, c = (j * self.width for j in (k, k + 1, k + 2))
        return [y - x for x, y in zip(self.rows[a:b], self.rows[b:c])]


class TaskTake(Take):
    """The record of a task, which has no figures of its own."""

    def __init__(self, carrier, *rest):
        super().__init__([], tuple, *rest)
        self.carrier = carrier

    def cross(self, now, ops, check):
        edge = super().cross(now, ops, check)
        if self.carrier:
            self.carrier.reach(self.at)
        return edge


class TaskLane(Lane):
    """One task: gives way after every operation, and awaits where a thread would block."""

    task = True

    def __init__(self, tasks, *rest):
        super().__init__(*rest)
        self.tasks = tasks

    def open(self):
        if self.workload == "pipe":
            self.locals["request"] = self.open_fifo("req", os.O_NONBLOCK)
            self.locals["answer"] = self.listen(self.open_fifo("rsp", os.O_NONBLOCK))

    def listen(self, fd):
        """Has the event loop watch the FIFO; a function whose result is awaited for the next byte."""
        events, awaited = self.tasks.events, []
        events.add_reader(fd, lambda: awaited.pop().set_result(os.read(fd, 1)[0]))

        def answer():
            awaited.append(events.create_future())
            return awaited[0]

        return answer

    def make_take(self, slot, *rest):
        return TaskTake(self.tasks.carriers.get(slot), *rest)

    def run(self, slot, start_ns, *_):
        self.tasks.together([self], slot, start_ns)

    async def perform(self, slot, gate):
        take = self.takes[slot]
        take.started_ns = await gate
        sleep = asyncio.sleep
        take.filled = await self.loop(take, clock, itertools.repeat, sleep, os.read, os.write, **self.locals)
