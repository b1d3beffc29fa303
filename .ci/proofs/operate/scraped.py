"""A running forewarn, and what it tells Prometheus of itself."""

import re
import time
import urllib.error
import urllib.request

from proofs import kit
from proofs.kit import Short
from proofs.live import world

SAMPLE = re.compile(r'^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """Gives {(name, ((label, value), …)): value} of an exposition."""
    if not text.endswith("# EOF\n"):
        raise Short(f"an exposition without an end: {text[-80:]!r}")
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        m = SAMPLE.match(line)
        if not m:
            raise Short(f"no sample: {line!r}")
        labels = tuple(sorted((k, v.replace('\\"', '"').replace("\\\\", "\\")) for k, v in LABEL.findall(m["labels"] or "")))
        found[m["name"], labels] = float(m["value"])
    return found


def largest(told, name, **labels):
    """Gives the largest value of the series of a name that have these labels; none where there is none."""
    wanted = set(labels.items())
    values = [v for (n, ls), v in told.items() if n == name and wanted <= set(ls)]
    return max(values, default=None)


class Running:
    """`forewarn run` in the background, with its metrics; it is killed with the block it is used in."""

    def __init__(self, place, *args, env):
        self.listen, self.log = f"127.0.0.1:{world.free_port()}", place / "run.txt"
        self.began = time.monotonic()
        self.child = world.background("run", *args, "--metrics-listen", self.listen, env=world.KEYS | env, log=self.log)

    def scrape(self):
        """What it tells now; none where it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.listen}/metrics", timeout=10) as r:
                return parse(r.read().decode())
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def until(self, holds, seconds, step=1.0):
        """Waits until `holds(told)`; gives how many seconds after the start that was, or none."""
        while time.monotonic() - self.began < seconds:
            if self.child.poll() is not None:
                raise Short(f"it ended by itself with {self.child.returncode}: {self.said()}")
            told = self.scrape()
            if told is not None and holds(told):
                return time.monotonic() - self.began
            time.sleep(step)
        return None

    def end(self, seconds=30):
        """Asks it to end; gives how many seconds that took."""
        begun = time.monotonic()
        world.end(self.child, seconds)
        return time.monotonic() - begun

    def said(self, most=500):
        return self.log.read_text(errors="replace")[-most:] if self.log.exists() else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


def due(start, days):
    """Gives a state, made once, in which there is something to announce on EventBridge: the bus is new before predictions are made."""

    def make(folder):
        raw = fleet(start, days=days)
        where = ["--history", folder / "history", "--state", folder / "state"]
        at = world.ms(start) + (days - 2) * 86_400_000
        analyze = lambda a, b: kit.forewarn("analyze", "--due", "--no-deliver", "--every", "24h", "--from", world.rfc(a), "--to", world.rfc(b), *where).ok()
        kit.forewarn("import", "--history", folder / "history", raw / "metrics.parquet", "--instances", raw / "instances.parquet").ok()
        with world.Moto("events") as moto:
            world.client("events", moto.url).create_event_bus(Name="fleet")
            analyze(at - 86_400_000, at)
            kit.forewarn("emit", "--state", folder / "state", "--eventbridge", "fleet", env=world.aws(moto)).ok()
        analyze(at, at + 2 * 86_400_000)

    return kit.cached(f"operate-due-{start[:10]}-{days}", make)


def fleet(start, instances=30, days=9):
    """A simulated fleet with failures ahead, made once."""
    make = lambda folder: kit.forewarn("simulate", "--out", folder / "raw", "--instances", instances, "--days", days, "--seed", 51, "--incident-rate", 20, "--start", start).ok()
    return kit.cached(f"operate-fleet-{start[:10]}-{instances}-{days}", make) / "raw"
