"""The one world of this process: its clock, its chance, what is still to happen, and what was asked of it."""

import datetime
import heapq
import random
import threading
import time

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random

from recovery_world.script import Script


class World:
    """Time is in milliseconds since the start, and can be moved on so that a test need not sleep."""

    def __init__(self):
        self.turn = threading.RLock()
        self.begin(0, (0, 0), (0, 0))

    def begin(self, seed, lag, hide):
        """Starts anew; the seed also gives moto's ids, so that one seed and one order of calls give one world."""
        self.chance = random.Random(seed)
        mock_random.seed(seed)
        self.ranges = {"lag": lag, "hide": hide}
        self.started = time.monotonic()
        self.moved = 0
        self.script = Script()
        self.calls = []
        self.hidden = {}
        self.deeds = []
        self.waiting = []
        self.numbered = 0
        self.deed_at = None

    def now(self):
        """Gives the milliseconds since the start."""
        return (time.monotonic() - self.started) * 1000 + self.moved

    def date(self):
        """Gives the time of day in the world, as AWS would show it: moved on with the clock."""
        return utcnow() + datetime.timedelta(milliseconds=self.moved)

    def draw(self, name):
        """Draws a delay from the range `lag` or `hide`."""
        return self.chance.uniform(*self.ranges[name])

    def later(self, delay, act):
        """Carries the deed out after a delay, or at once where there is none.

        The delay counts from now, or from the time of the deed that asks for it: a late call must not make a chain of deeds later.
        """
        if delay <= 0:
            act()
            return
        self.numbered += 1
        start = self.now() if self.deed_at is None else self.deed_at
        heapq.heappush(self.deeds, (start + delay, self.numbered, act))

    def when(self, ready, act):
        """Carries the deed out as soon as a condition holds."""
        self.waiting.append((ready, act))

    def settle(self):
        """Carries out all that is due, oldest first, so that the call which follows sees the world as it is by now."""
        while self.deeds and self.deeds[0][0] <= self.now():
            self.deed_at, _, act = heapq.heappop(self.deeds)
            act()
            self.settle_waiting()
        self.deed_at = None
        self.settle_waiting()

    def settle_waiting(self):
        """Carries out the deeds whose condition has come to hold."""
        ready = [pair for pair in self.waiting if pair[0]()]
        self.waiting = [pair for pair in self.waiting if pair not in ready]
        for _, act in ready:
            act()

    def born(self, resource):
        """Hides a new resource for a drawn time."""
        delay = self.draw("hide")
        if delay > 0:
            self.hidden[resource] = self.now() + delay

    def is_hidden(self, resource):
        """Says whether a resource cannot be seen yet."""
        return self.hidden.get(resource, 0) > self.now()


WORLD = World()
