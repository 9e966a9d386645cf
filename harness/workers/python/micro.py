"""The kernels of `micro`: one thing that an interpreter does all day, `steps` times, from a seed to a whole number.

Each asks for something else of the runtime: reference counts, allocation, dictionaries, frames, specialised code. What
each must give back is in PROTOCOL.md, and the harness proves it. Each makes the data it works on itself, in the worker that
uses it; what it makes is gone when it returns. No clock here, and no import but `repeat`, which counts without making integers.
"""

from itertools import repeat

ONE = 1  # a global


class Point:
    """An object with one attribute, in a dictionary as usual."""

    def __init__(self, x):
        self.x = x

    def after(self, x):
        return x + 1


def successor(x):
    return x + 1


def count(x, steps):
    for _ in repeat(None, steps):
        x += 1
        yield x


def integer(x, steps):
    """The chain of `cpu`: what the others are compared with."""
    for _ in repeat(None, steps):
        x = x * 48271 % 2147483647
    return x


def real(x, steps):
    """Two new float objects a step; all values are exact."""
    y = float(x)
    for _ in repeat(None, steps):
        y = y + 1.5 - 0.5
    return int(y)


def call(x, steps):
    for _ in repeat(None, steps):
        x = successor(x)
    return x


def method(x, steps):
    point = Point(x)
    for _ in repeat(None, steps):
        x = point.after(x)
    return x


def attribute(x, steps):
    """A load and a store."""
    point = Point(x)
    for _ in repeat(None, steps):
        point.x = point.x + 1
    return point.x


def instance(x, steps):
    """An object is made, read, and dropped at once."""
    for _ in repeat(None, steps):
        x = Point(x + 1).x
    return x


def closure(x, steps):
    """A variable of the function around it, loaded and stored, and a global, loaded."""

    def body():
        nonlocal x
        for _ in repeat(None, steps):
            x = x + ONE

    body()
    return x


def sequence(x, steps):
    """A list: append, index, iterate."""
    items = []
    for k in range(steps):
        items.append(x + k)
    total = 0
    for k in range(steps):
        total += items[k]
    for item in items:
        total += item
    return total


def mapping(x, steps):
    """A dictionary: insert, update, look up."""
    table = {}
    for k in range(steps):
        table[k] = x
    for k in range(steps):
        table[k] += k
    total = 0
    for k in range(steps):
        total += table[k]
    return total


def string(x, steps):
    """Format, and join at the end."""
    words = [""] * steps
    for k in range(steps):
        words[k] = f"{x}:{k}"
    return len(",".join(words))


def exception(x, steps):
    """Raised and caught in one frame."""
    for _ in repeat(None, steps):
        try:
            raise ValueError(x)
        except ValueError as caught:
            x = caught.args[0] + 1
    return x


def generator(x, steps):
    """Resumed once a step."""
    for x in count(x, steps):
        pass
    return x


KINDS = {
    "integer": integer,
    "float": real,
    "call": call,
    "method": method,
    "attribute": attribute,
    "object": instance,
    "closure": closure,
    "list": sequence,
    "dict": mapping,
    "string": string,
    "exception": exception,
    "generator": generator,
}
