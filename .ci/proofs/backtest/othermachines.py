"""The resources of otherworld's machines: how each behaves in health, what a fault does to it, and how near to failure it is.

Every part holds the state of all machines as vectors and goes forward by one step of five minutes. Percentages are of the whole, rates per step.
"""

import numpy as np

HOUR, DAY = 12, 288  # steps of five minutes
# Burstable types: vCPUs, credits earned an hour, baseline per vCPU.
BURSTABLE = {"t3.micro": (2, 12, 0.10), "t3.small": (2, 24, 0.20), "t3.large": (2, 36, 0.30), "t3.xlarge": (4, 96, 0.40), "t2.medium": (2, 24, 0.20)}
STEADY = {"m5.large": 2, "m6i.xlarge": 4, "c5.large": 2, "c6i.2xlarge": 8, "r5.large": 2, "r6i.xlarge": 4}


class Part:
    """A resource of all machines: a fault gives it a pace, a restart puts back what `HEALTHY` says."""

    HEALTHY = {"pace": 0}

    def __init__(self, rng, fleet):
        self.rng, self.n = rng, fleet.n
        self.progress = np.zeros(self.n)  # of a fault: fails at 1
        for name, value in self.HEALTHY.items():
            setattr(self, name, np.full(self.n, float(value)))

    def begin(self, mask):
        self.pace = np.where(mask, self.onset(), self.pace)

    def restart(self, mask):
        for name, value in self.HEALTHY.items():
            setattr(self, name, np.where(mask, value, getattr(self, name)))

    def per_hour(self, low, high):
        """Draws paces of one in so many hours, per step."""
        return 1 / (HOUR * self.rng.uniform(low, high, self.n))


class Memory(Part):
    """A heap with garbage above a floor; a leak lifts the floor by requests served."""

    HEALTHY = {"pace": 0, "live": 0, "garbage": 0}

    def __init__(self, rng, fleet, kinds):
        super().__init__(rng, fleet)
        n = fleet.n
        self.base = rng.uniform(25, 62, n)
        steady = fleet.is_role("database", "cache") & (rng.random(n) < 0.55)
        self.base = np.where(steady, rng.uniform(86, 92, n), self.base)
        self.heap = ~steady & fleet.is_role("web", "api") & (rng.random(n) < 0.4)
        self.trigger = np.where(self.heap, self.base + (99 - self.base) * rng.uniform(0.3, 0.85, n) ** 0.7, 101)
        late = self.heap & (rng.random(n) < 0.12)
        self.trigger = np.where(late, rng.uniform(95, 97.5, n), self.trigger)
        self.alloc = (self.trigger - self.base) / (HOUR * 10 ** rng.uniform(0.3, 1.7, n))
        self.working = np.where(steady, rng.uniform(0.3, 1.8, n), rng.uniform(0, 3, n))
        kinds.add(steady, "steady memory", fleet.born, fleet.steps)
        kinds.add(late, "late collection", fleet.born, fleet.steps)
        self.garbage = rng.random(n) * (self.trigger - self.base) * self.heap

    def onset(self):
        return np.maximum(99 - self.base, 15) / (HOUR * 10 ** self.rng.uniform(1.65, 1.9, self.n))

    def step(self, load, noise):
        self.live = np.minimum(self.live + self.pace * load, 100 - self.base)
        self.garbage = self.garbage + self.alloc * load * self.heap
        floor = self.base + self.live
        collect = self.heap & (floor + self.garbage >= np.maximum(self.trigger, floor + 0.8))
        self.garbage = np.where(collect, self.garbage * 0.08, self.garbage)
        self.used = np.clip(floor + self.garbage + self.working * np.minimum(load, 3) + 0.25 * noise, 1, 99.9)
        self.busy = 4.0 * collect + np.where(floor > 90, 2.0 * (floor - 90) * self.heap, 0)
        self.progress = self.live / np.maximum(99.3 - self.base - self.working * np.minimum(load, 1.2), 2)


class Disk(Part):
    """Data, logs that grow with traffic until rotated, and temporary files; a fault stops the rotation and makes the logs verbose."""

    HEALTHY = {"pace": 0}

    def __init__(self, rng, fleet, kinds):
        super().__init__(rng, fleet)
        n = fleet.n
        self.data = rng.uniform(15, 62, n)
        self.growth = rng.uniform(0, 0.25, n) / DAY
        self.rate = 10 ** rng.uniform(-0.3, 1.0, n) / DAY
        tight = rng.random(n) < 0.07  # rotates by size, close to the brim
        self.data = np.where(tight, rng.uniform(70, 78, n), self.data)
        self.rate = np.where(tight, rng.uniform(3, 22, n) / DAY, self.rate)
        self.brim = np.where(tight, rng.uniform(85, 93, n), 101)
        full = ~tight & (rng.random(n) < 0.006)
        self.data = np.where(full, rng.uniform(90.3, 92.5, n), self.data)
        self.rate, self.growth = np.where(full, 0.3 / DAY, self.rate), np.where(full, 0, self.growth)
        self.at = rng.integers(0, DAY, n)
        job = ~tight & ~full & (rng.random(n) < 0.07)  # a nightly job's temporary files
        self.peak = np.where(job, rng.uniform(15, 45, n), 0)
        self.peak = np.minimum(self.peak, 96 - self.data)
        self.span = rng.integers(HOUR, 4 * HOUR, n)
        for mask, kind in ((tight, "tight rotation"), (full, "full but steady"), (job, "temporary files")):
            kinds.add(mask, kind, fleet.born, fleet.steps)
        self.logs, self.origin = self.rate * DAY * rng.random(n), np.zeros(n)

    def onset(self):
        return np.maximum(99 - self.data - self.logs, 15) / (HOUR * 10 ** self.rng.uniform(1.55, 1.9, self.n))

    def begin(self, mask):
        super().begin(mask)
        self.origin = np.where(mask, self.data + self.logs, self.origin)

    def restart(self, mask):
        self.logs = np.where(mask & (self.pace > 0), 0.1 * self.logs, self.logs)
        super().restart(mask)

    def step(self, t, load, noise):
        self.data = self.data + self.growth
        self.logs = self.logs + self.rate * load + self.pace * load
        held = self.data + self.logs
        due = (self.pace == 0) & ((t % DAY == self.at) & (self.brim > 100) | (held > self.brim))
        self.logs = np.where(due, 0.12 * self.logs, self.logs)
        since = (t - self.at) % DAY
        spare = np.where(since < self.span, self.peak * since / self.span, 0)
        self.used = np.clip(held + np.minimum(spare, np.maximum(98.5 - held, 0)) + 0.04 * noise, 0, 100)
        self.progress = np.where(self.pace > 0, (held - self.origin) / np.maximum(99.5 - self.origin, 3), 0)


class Volume(Part):
    """An M/M/1 server with a backlog; faults take speed away in steps."""

    HEALTHY = {"pace": 0, "slow": 1, "backlog": 0}

    def __init__(self, rng, fleet, kinds):
        super().__init__(rng, fleet)
        n = fleet.n
        self.demand = rng.uniform(0.12, 0.3, n)
        heavy = rng.random(n) < 0.08
        self.backup = np.where(heavy, rng.uniform(0.5, 0.85, n), rng.uniform(0, 0.2, n))
        self.weekly = heavy & (rng.random(n) < 0.25)
        self.at, self.span = rng.integers(0, DAY, n), rng.integers(HOUR // 2, 3 * HOUR, n)
        self.day = rng.integers(0, 7, n)
        kinds.add(heavy, "backup", fleet.born, fleet.steps)
        self.pressure = np.zeros(n)
        self.limit = rng.uniform(110, 170, n)

    def onset(self):
        return self.per_hour(2, 3)

    def step(self, t, load, extra, full, draw, noise):
        worse = draw < self.pace
        self.slow = self.slow * np.where(worse, 1.05 + 0.1 * draw / np.maximum(self.pace, 1e-9), 1)
        night = ((t - self.at) % DAY < self.span) & (~self.weekly | (t // DAY % 7 == self.day))
        arrivals = self.demand * (0.6 + 0.4 * load) + self.backup * night + extra
        rho = arrivals * self.slow * (1 + 0.25 * np.maximum(full - 90, 0) / 10) * np.exp(0.08 * noise)
        self.backlog = np.clip(self.backlog + 14 * (rho - 1), 0, 4 * self.limit)
        calm = np.minimum(rho, 0.96)
        self.queue = calm / (1 - calm) * np.exp(0.2 * noise) + self.backlog
        busy = np.minimum(rho, 1.3)
        self.iowait = np.clip(46 * busy**1.6 / (1 + 0.3 * busy) + np.abs(noise), 0, 92)
        self.pressure = 0.92 * self.pressure + 0.08 * np.minimum(rho, 1.6)
        self.progress = np.where(self.pace > 0, np.maximum(self.pressure / 1.25, self.backlog / self.limit), 0)


class Host(Part):
    """Neighbours that go on and off; noisy spells; a failing host multiplies the contention."""

    HEALTHY = {"pace": 0, "stress": 0}

    def __init__(self, rng, fleet, kinds):
        super().__init__(rng, fleet)
        n = fleet.n
        self.kinds = kinds
        self.weight = rng.gamma(3, 1, (5, n))
        self.weight *= rng.uniform(2.5, 4, n) / self.weight.sum(0)
        self.on = rng.random((5, n)) < 0.15
        self.noisy, self.since = np.zeros(n, bool), np.zeros(n)
        self.level, self.leave = np.ones(n), np.ones(n)
        self.smooth = np.zeros(n)
        self.limit = rng.uniform(33, 40, n)

    def onset(self):
        return np.log(2) / (HOUR * self.rng.uniform(7, 10, self.n))

    def begin(self, mask):
        super().begin(mask)
        self.stress = np.where(mask, 0.15, self.stress)

    def step(self, t, demand, draws, noise):
        enter = ~self.noisy & (draws[0] < 0.1 / (7 * DAY))
        leave = self.noisy & (draws[0] < self.leave)
        if leave.any():
            self.kinds.add(leave, "noisy neighbours", self.since, t)
        self.since = np.where(enter, t, self.since)
        if enter.any():
            self.level = np.where(enter, self.rng.uniform(7, 12, len(enter)), self.level)
            self.leave = np.where(enter, 1 / (HOUR * 10 ** self.rng.uniform(0.3, 1.2, len(enter))), self.leave)
        self.noisy = (self.noisy | enter) & ~leave
        self.stress = np.minimum(self.stress * np.exp(self.pace * (0.6 + 0.8 * draws[1])), 60)
        wake = (0.02 + 0.12 * self.noisy) * (1 + np.minimum(self.stress, 12))
        self.on = np.where(self.on, draws[2:] > 0.1 / (1 + np.minimum(self.stress, 6)), draws[2:] < wake)
        share = (self.on * self.weight).sum(0)
        gain = np.where(self.noisy, self.level, 1) + 2.5 * self.stress
        self.steal = np.clip(gain * share * (0.35 + 0.65 * np.minimum(demand, 1)) * np.exp(0.15 * noise) + 0.1 * np.abs(noise), 0, 85)
        self.smooth = 0.97 * self.smooth + 0.03 * self.steal
        self.progress = np.where(self.pace > 0, self.smooth / self.limit, 0)


class Cpu(Part):
    """Cores, credits and unserved work; a fault is a process that runs away."""

    HEALTHY = {"pace": 0, "run": 0, "debt": 0}

    def __init__(self, rng, fleet, kinds):
        super().__init__(rng, fleet)
        n = fleet.n
        self.burstable = fleet.burstable
        burst = [BURSTABLE.get(x, (STEADY.get(x), 0, 1.0)) for x in fleet.type]
        self.vcpu, self.earn, self.floor = (np.array(x, float) for x in zip(*burst, strict=True))
        self.cap = 24 * self.earn
        lean = self.burstable & (rng.random(n) < 0.1)  # lives near the end of its credits, and copes
        self.use = np.where(self.burstable, self.floor * np.where(lean, rng.uniform(0.93, 1.03, n), rng.uniform(0.35, 0.8, n)), rng.uniform(0.1, 0.42, n))
        kinds.add(lean, "lean credits", fleet.born, fleet.steps)
        self.credits = np.where(fleet.age > 0, self.cap * rng.uniform(0.5, 1, n), 0)
        kinds.add(self.burstable & (fleet.age == 0), "launched without credits", fleet.born, fleet.born + DAY)
        self.limit = np.where(self.burstable, rng.uniform(4, 7, n), rng.uniform(1.5, 3, n))

    def onset(self):
        return np.where(self.burstable, 0.5, 1) / (HOUR * self.rng.uniform(30, 60, self.n))

    def step(self, load, steal, gc, noise):
        self.run = np.minimum(self.run + self.pace * np.abs(1 + noise), 1.6 * np.where(self.burstable, 0.5, 1))
        wanted = np.clip(self.use * load * (1 + 0.05 * noise) + gc / 100 + self.run, 0.005, 2.5)
        room = np.where(self.burstable & (self.credits <= 0.01), self.floor, 1 - steal / 100)
        used = np.minimum(wanted, room)
        self.debt = np.clip(self.debt + (wanted - used) / room / HOUR, 0, 40) * np.where(wanted < room, 0.9, 1)
        spent = self.vcpu * 5 * used * (used > 0)
        self.credits = np.clip(self.credits + self.earn / HOUR - spent, 0, self.cap)
        self.demand = wanted
        self.percent = np.clip(100 * used + 0.6 * np.abs(noise), 0.1, 100)
        self.progress = np.where(self.pace > 0, self.debt / self.limit, 0)


class Network(Part):
    """Bursts of packets against an allowance; a failing card's allowance shrinks until the connection table is full."""

    HEALTHY = {"pace": 0, "shrink": 1, "table": 0}

    def __init__(self, rng, fleet):
        super().__init__(rng, fleet)
        n = fleet.n
        self.room = rng.uniform(2.6, 4.2, n)
        self.width = rng.uniform(0.08, 0.22, n)
        self.scale = 10 ** rng.uniform(2.1, 2.35, n)
        self.limit = self.scale * rng.uniform(0.75, 0.95, n)

    def onset(self):
        return self.per_hour(18, 32)

    def step(self, load, bursts, noise):
        self.shrink = np.maximum(self.shrink * np.exp(-self.pace * (0.3 + 0.7 * np.minimum(load, 2))), 0.02)
        over = np.maximum(load * np.exp(self.width * bursts) - self.room * self.shrink, 0)
        self.drops = np.floor((self.scale * over + 30 * (1 - self.shrink)) * np.exp(0.3 * noise) + 1.2 * np.maximum(noise - 1.5, 0))
        self.table = 0.97 * self.table + 0.03 * self.drops
        self.progress = np.where(self.pace > 0, self.table / self.limit, 0)


class Checks(Part):
    """Status checks that flap: every flap makes another more likely for a while."""

    HEALTHY = {"pace": 0, "heat": 0, "wear": 0, "sum": 0}

    def __init__(self, rng, fleet):
        super().__init__(rng, fleet)
        n = fleet.n
        self.base = 10 ** rng.uniform(-2, -0.9, n) / DAY
        self.echo = rng.uniform(0.15, 0.5, n)
        self.fade = np.exp(-1 / (HOUR * rng.uniform(0.7, 2.5, n)))
        self.limit = rng.uniform(9, 12, n)

    def onset(self):
        return self.per_hour(24, 32)

    def step(self, draw):
        self.wear = np.minimum(self.wear + self.pace, 3)
        rate = self.base + self.heat + 0.03 * self.wear
        self.flap = draw < 1 - np.exp(-rate)
        branching = np.minimum(self.echo + 0.35 * self.wear, 1.05)
        self.heat = self.heat * self.fade + self.flap * branching * (1 - self.fade)
        self.sum = 0.985 * self.sum + self.flap
        self.progress = np.where(self.pace > 0, self.sum / self.limit, 0)


class Kernel(Part):
    """Stuck tasks that make more tasks stick."""

    HEALTHY = {"pace": 0, "stuck": 0}

    def onset(self):
        return self.per_hour(0.2, 0.9)

    def begin(self, mask):
        super().begin(mask)
        self.stuck = np.where(mask, 2, self.stuck)

    def step(self):
        if self.pace.any():
            self.stuck = np.minimum(self.stuck + self.rng.poisson(np.minimum(self.stuck * self.pace, 50)), 90)
        self.progress = self.stuck / 60
