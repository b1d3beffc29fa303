"""Every alert rule fires in its staged fault and is silent in an ordinary week: scraped from running programs, judged by promtool."""

import concurrent.futures
import contextlib
import http.server
import shutil
import subprocess
import threading
import time

from proofs import kit
from proofs.kit import Short, run
from proofs.live import world
from proofs.operate import promtool, scraped
from proofs.operate.scraped import Running

NUMBER = 6
TITLE = "every alert rule fires in its staged fault and is silent in an ordinary week"
SABOTAGE = ("fires.ForewarnQueueFailed", "the queue that is to fail answers")
START, DAYS = "2026-03-02T00:00:00Z", 9
DAY = 86_400_000
WEEK_SPEED = 1200
STEP_S = 60


class Watch(threading.Thread):
    """Scrapes a process once a minute of its clock, as Prometheus would."""

    def __init__(self, clock, step_s=STEP_S):
        super().__init__(daemon=True)
        self.clock, self.step_s, self.samples, self.over, self.running = clock, step_s, [], threading.Event(), None
        self.t0, self.taken = clock.now(), 0

    def run(self):
        while not self.over.is_set():
            due = self.t0 + len(self.samples) * self.step_s * 1000
            time.sleep(max(0, (due - self.clock.now()) / self.clock.speed / 1000))
            told_now = self.running.scrape() if self.running else None
            self.samples.append(told_now)
            self.taken += told_now is not None
            # Where a scrape took longer than a step, the steps between were not taken.
            while self.t0 + len(self.samples) * self.step_s * 1000 < self.clock.now() - self.step_s * 1000:
                self.samples.append(told_now)

    def end(self):
        self.over.set()
        self.join(60)
        return self.samples


class Bed:
    """The servers behind the ports; each scene has its own emulator, whose clock is the scene's."""

    def __init__(self, stack):
        self.moto = stack.enter_context(world.Moto("kinesis", "events", "sqs"))
        world.client("events", self.moto.url).create_event_bus(Name="fleet")
        world.client("kinesis", self.moto.url).create_stream(StreamName="fleet", ShardCount=1)


def clock(speed):
    return world.Clock(world.rfc(world.ms(START) + DAYS * DAY + 6 * 3_600_000), speed)


def scene(line, name, speed, minutes, stage):
    """Runs a scene for so many minutes of its clock; gives which alerts fired."""
    place = line.fresh(name)
    (place / "state").mkdir()
    at = clock(speed)
    with contextlib.ExitStack() as stack:
        drive = stage(place, at, stack)
        # What comes before it is ready is no part of the scene.
        if drive.running.until(drive.ready, 300, step=0.05) is None:
            raise Short(f"it does not get ready: {drive.running.said()}")
        watch = Watch(at)
        watch.running = drive.running
        watch.start()
        end = at.now() + minutes * 60_000
        while at.now() < end:
            drive.step(at, watch)
            time.sleep(min(0.5, max(0.02, (end - at.now()) / at.speed / 1000)))
        samples = watch.end()
    return promtool.firing(place, samples, watch.t0, STEP_S), drive.log(), samples, watch.taken


class Drive:
    """A staged process; the scene begins when what it tells makes it ready, and `step` is called now and then."""

    def __init__(self, running, step=lambda drive, at, watch: None, ready=lambda _: True):
        self.running, self.act, self.ready = running, step, ready

    def step(self, at, watch):
        self.act(self, at, watch)

    def log(self):
        return self.running.said(300)


def emulated(place, at, stack, rules=()):
    args = ["--world", "hash", "--instances", 8, "--days", DAYS, "--start", START, "--seed", 45]
    server = stack.enter_context(world.emulator(*args, env=at.env, log=place / "emulator.txt"))
    if not rules:
        return server.url
    proxy, _ = world.proxy(server.url, list(rules), place)
    return stack.enter_context(proxy).url


def spoiled(bed, place, stack, rules):
    (place / "moto").mkdir()
    proxy, _ = world.proxy(bed.moto.url, rules, place / "moto")
    return stack.enter_context(proxy).url


def started(place, stack, env, *args):
    return stack.enter_context(Running(place, "--state", place / "state", "--history", place / "history", *args, env=env))


def everything(action):
    return [{"operation": "*", "action": action}]


def queue(bed, name):
    return world.client("sqs", bed.moto.url).create_queue(QueueName=name)["QueueUrl"]


def cloudwatch_down(bed):
    def stage(place, at, stack):
        url = emulated(place, at, stack, everything({"http": 500}))
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_CLOUDWATCH=url, AWS_ENDPOINT_URL_EC2=url) | at.env
        return Drive(started(place, stack, env, "--only", "ingest,archive,analyze", "--select", "all"))

    return stage


def throttled(bed):
    def stage(place, at, stack):
        url = emulated(place, at, stack, [{"operation": "*", "every": 2, "action": "throttle"}])
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_CLOUDWATCH=url, AWS_ENDPOINT_URL_EC2=url) | at.env
        return Drive(started(place, stack, env, "--only", "ingest", "--select", "all"))

    return stage


def budget(bed):
    def stage(place, at, stack):
        url = emulated(place, at, stack)
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_CLOUDWATCH=url, AWS_ENDPOINT_URL_EC2=url) | at.env
        return Drive(started(place, stack, env, "--only", "ingest", "--select", "all", "--budget", 5))

    return stage


def queue_down(bed, broken=False):
    def stage(place, at, stack):
        url = spoiled(bed, place, stack, [] if broken else everything({"http": 500}))
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_SQS=url) | at.env
        return Drive(started(place, stack, env, "--only", "events", "--queue", queue(bed, "down")))

    return stage


def poison(bed):
    def stage(place, at, stack):
        url = queue(bed, "poison")

        def send(drive, at, watch):
            if len(watch.samples) > 5 and not hasattr(drive, "sent"):
                drive.sent = world.client("sqs", bed.moto.url).send_message(QueueUrl=url, MessageBody="{")

        return Drive(started(place, stack, world.aws(bed.moto) | at.env, "--only", "events", "--queue", url), send)

    return stage


def bus_down(bed):
    def stage(place, at, stack):
        shutil.copytree(scraped.due(START, DAYS), place, dirs_exist_ok=True)
        url = spoiled(bed, place, stack, everything({"http": 500}))
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_EVENTBRIDGE=url) | at.env
        return Drive(started(place, stack, env, "--only", "emit", "--eventbridge", "fleet"))

    return stage


def stream_down(bed):
    def stage(place, at, stack):
        url = spoiled(bed, place, stack, everything({"http": 500}))
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_KINESIS=url) | at.env
        return Drive(started(place, stack, env, "--only", "archive", "--stream", "kinesis:fleet"))

    return stage


def history_silent(bed):
    def stage(place, at, stack):
        url = spoiled(bed, place, stack, everything("silent"))
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_S3=url) | at.env
        running = Running(place, "--only", "archive", "--state", place / "state", "--history", "s3://fleet/history", env=env)
        return Drive(stack.enter_context(running))

    return stage


def killed(bed):
    def stage(place, at, stack):
        def kill(drive, at, watch):
            if len(watch.samples) > 5 and drive.running.child.poll() is None:
                drive.running.child.kill()
                drive.running.child.wait()

        return Drive(started(place, stack, world.aws(bed.moto) | at.env, "--only", "archive,emit"), kill)

    return stage


def restarted(bed):
    def stage(place, at, stack):
        env = world.aws(bed.moto) | at.env

        def again(drive, at, watch):
            # Each of them is scraped before it ends.
            if len(watch.samples) >= getattr(drive, "next", 2) and watch.samples[-1]:
                drive.next = len(watch.samples) + 2
                drive.running.end()
                watch.running = drive.running = started(place, stack, env, "--only", "archive,emit")

        return Drive(started(place, stack, env, "--only", "archive,emit"), again)

    return stage


def disk_full(bed):
    def stage(place, at, stack):
        disk = place / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True).returncode:
            raise Short("a small file system can't be mounted here")
        stack.callback(subprocess.run, ["umount", "-l", disk], capture_output=True)
        (disk / "filler").write_bytes(b"x" * (60 << 20))
        running = Running(place, "--only", "archive,emit,maintain", "--state", disk / "state", "--history", disk / "history", env=world.aws(bed.moto) | at.env)
        return Drive(stack.enter_context(running))

    return stage


# A scene: its stage, how fast its clock runs, for how many minutes of it, and which alerts are to fire in it.
SCENES = {
    "cloudwatch-down": (cloudwatch_down, 600, 400, ("NoSuccess", "PlaceFailed", "PlaceBehind", "CallsFail", "BreakerOpen")),
    "throttled": (throttled, 120, 150, ("Throttled",)),
    "budget": (budget, 120, 20, ("BudgetSpent",)),
    "queue-down": (queue_down, 60, 40, ("QueueFailed", "QueueOld")),
    "poison": (poison, 20, 15, ("DeadLetters",)),
    "bus-down": (bus_down, 60, 40, ("OutboxBehind",)),
    "stream-down": (stream_down, 120, 90, ("PartBehind", "PartFailing")),
    "history-silent": (history_silent, 30, 65, ("PartHung",)),
    "killed": (killed, 60, 20, ("Down",)),
    "restarted": (restarted, 20, 20, ("Restarting",)),
    "disk-full": (disk_full, 60, 30, ("DiskNearlyFull",)),
}


class QuickQueue(http.server.ThreadingHTTPServer):
    """A queue that is empty: its long polls end by a quick clock, which no real one does."""

    daemon_threads = True

    def __init__(self, speed):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                time.sleep(20 / speed)
                self.send_response(200)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


def ordinary(bed, days):
    """A week as weeks are: now and then a call is throttled or fails, and is made again."""

    def stage(place, at, stack):
        often = [{"operation": "*", "probability": 0.01, "action": "throttle"}, {"operation": "*", "probability": 0.01, "action": {"http": 500}}]
        args = ["--world", "hash", "--instances", 8, "--days", DAYS + days + 1, "--start", START, "--seed", 45]
        server = stack.enter_context(world.emulator(*args, env=at.env, log=place / "emulator.txt"))
        url = stack.enter_context(world.proxy(server.url, often, place)[0]).url
        shutil.copytree(scraped.due(START, DAYS), place, dirs_exist_ok=True)
        quick = QuickQueue(at.speed)
        stack.callback(quick.shutdown)
        env = world.aws(bed.moto, AWS_ENDPOINT_URL_CLOUDWATCH=url, AWS_ENDPOINT_URL_EC2=url, AWS_ENDPOINT_URL_SQS=quick.url) | at.env
        running = started(place, stack, env, "--select", "all", "--eventbridge", "fleet", "--queue", f"{quick.url}/123456789012/events")
        # The state is of yesterday: it catches up first, and says that it is behind until then.
        return Drive(running, ready=lambda t: (scraped.largest(t, "forewarn_lag_seconds", part="analyze") or DAY) < 7_200)

    return stage


def fires(line, name, outcome, wanted):
    fired, said, _, taken = outcome
    for alert in wanted:
        line.check(f"fires.Forewarn{alert}", f"Forewarn{alert} fires ({name}, {taken} scrapes)", f"Forewarn{alert}" in fired, ", ".join(sorted(fired)) or f"none: {said}", "fires")


def loads(line):
    r = run([promtool.promtool(), "check", "rules", promtool.RULES])
    line.check("loads", "Prometheus takes the rules", r.code == 0, (r.out + r.err).split("\n")[1].strip() if r.code == 0 else (r.out + r.err)[-200:], "SUCCESS")
    missing = {a.removeprefix("Forewarn") for a in promtool.alerts()} - {a for *_, wanted in SCENES.values() for a in wanted}
    line.check("all", "alerts without a staged fault", not missing, ", ".join(sorted(missing)) or "none", "none")


def prove(line):
    loads(line)
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(4) as pool:
        bed = Bed(stack)
        running = {name: pool.submit(scene, line, name, speed, minutes, make(bed)) for name, (make, speed, minutes, _) in SCENES.items()}
        for name, (*_, wanted) in SCENES.items():
            try:
                fires(line, name, running[name].result(), wanted)
            except Short as e:
                line.check(f"scene.{name}", f"the scene {name}", False, e)
        # Alone, for its clock runs fast: a pause of this machine is twenty minutes of it.
        fired, _, samples, taken = scene(line, "ordinary", WEEK_SPEED, 7 * 24 * 60, ordinary(bed, 7))
        line.check("silent", "alerts that fire in an ordinary week", not fired, ", ".join(sorted(fired)) or f"none in {len(samples):,} minutes", "none")
        # A scrape takes longer than a minute of this clock now and then: what was not taken repeats what was.
        line.check("week", "scrapes in the week, each of a minute of its own, and the work that was done", taken > 7_500 and work(samples), f"{taken:,}; {work(samples)}", "> 7,500 of 10,080")


def work(samples):
    """What was done in these scrapes, in words; nothing where any of it was not."""
    last = next(s for s in reversed(samples) if s)
    done = {n: last.get((f"forewarn_{n}", ()), 0) for n in ("samples_total", "archived_rows_total", "announced_total")}
    return ", ".join(f"{k.removesuffix('_total')} {v:,.0f}" for k, v in done.items()) if all(done.values()) else ""


def sabotage(line, broken):
    with contextlib.ExitStack() as stack:
        bed = Bed(stack)
        make, speed, minutes, wanted = SCENES["queue-down"]
        fires(line, "queue-down", scene(line, "queue-down", speed, minutes, make(bed, broken)), wanted)
