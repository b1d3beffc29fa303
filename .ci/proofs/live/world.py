"""The world that the live pipeline is proved in: the emulator, moto, the fault proxy, a quick clock, and who judges."""

import collections
import datetime
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request

from proofs import judge, kit
from proofs.kit import Short

UTC = datetime.timezone.utc
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
KEY_COLUMNS = "account, region, instance_id, namespace, metric, stat, device, period_s, ts"


def ms(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def rfc(millis):
    return datetime.datetime.fromtimestamp(millis / 1000, UTC).isoformat().replace("+00:00", "Z")


class Clock:
    """A time that runs `speed` times as fast as the real one, shared by all processes that are given `env`."""

    def __init__(self, at, speed):
        self.t0, self.r0, self.speed = ms(at), int(time.time() * 1000), speed
        self.env = {"FOREWARN_CLOCK": f"{self.t0},{self.r0},{speed}"}

    def now(self):
        return self.t0 + (time.time() * 1000 - self.r0) * self.speed

    def wait_until(self, at, limit=900):
        left = (at - self.now()) / self.speed / 1000
        if left > limit:
            raise Short(f"{rfc(at)} is {left:.0f} s away")
        time.sleep(max(0, left))


class Server:
    """A child process that says where it listens; it ends with the block it is used in."""

    def __init__(self, args, env=None, says="http://", log=None, stdin=subprocess.DEVNULL):
        self.args = [str(a) for a in args]
        self.log = open(log or os.devnull, "ab")
        self.child = subprocess.Popen(self.args, env=kit.CLEAN | KEYS | {k: str(v) for k, v in (env or {}).items()}, stdin=stdin, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.child.stdout.readline()
        if says not in line or not line.strip():
            self.stop()
            raise Short(f"`{' '.join(self.args[:4])} …` did not say where it listens, but {line!r}")
        self.url = says + (line.split(says, 1)[1] if says else line).split()[0]

    def stop(self, how=signal.SIGTERM):
        if self.child.stdin:
            self.child.stdin.close()
        if self.child.poll() is None:
            self.child.send_signal(how)
            try:
                self.child.wait(60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.log.close()
        return self.child.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def just_after(start, days):
    """A clock that stands six hours after a range, so that its late points have come, and runs as the real one: CloudWatch forgets what has been silent for two weeks."""
    return Clock(rfc(ms(start) + days * 86_400_000 + 6 * 3_600_000), 1)


def volumes_of(truth, place):
    """Writes the id file that somebody would have who kept note of volumes: a line for each instance that had one."""
    path = place / "ids.txt"
    rows = judge.db().execute(f"SELECT DISTINCT instance_id, device[8:] FROM read_parquet('{truth}') WHERE device LIKE 'volume=%' ORDER BY ALL").fetchall()
    path.write_text("".join(f"{i} {v}\n" for i, v in rows))
    return path


def emulator(*args, env=None, log=None):
    """Serves CloudWatch and EC2 of a simulated fleet."""
    return Server([kit.binary(), "simulate", "--serve", "127.0.0.1:0", *args], env=env, log=log)


def set_clock(url, ms):
    """Sets the clock of an emulator, from which it goes on."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/_emulator/clock", str(ms).encode(), method="PUT"), timeout=30).close()


def stats(server):
    with urllib.request.urlopen(f"{server.url}/_emulator/stats", timeout=30) as r:
        return json.load(r)


class Moto(Server):
    """Much of AWS, as the tests use it too: Kinesis is mended where moto does not reshard as AWS does."""

    def __init__(self, *services):
        super().__init__([kit.PYTHON, kit.ROOT / "pipeline/lab/world/serve_moto.py", *services], says="", stdin=subprocess.PIPE)
        self.url = f"http://127.0.0.1:{int(self.url)}"


def moto():
    return Moto("kinesis", "events", "sqs", "ec2", "sts")


def proxy(to, rules, place, seed=1):
    """Puts the fault proxy before a server; gives it and the file in which it writes down each fault."""
    script, log = place / "faults.json", place / "faults.jsonl"
    script.write_text(json.dumps({"seed": seed, "rules": rules}))
    log.unlink(missing_ok=True)
    return Server([kit.binary(), "fault-proxy", "--listen", "127.0.0.1:0", "--to", to, "--script", script, "--fault-log", log]), log


def injected(log):
    """Counts the faults that the proxy wrote down, by kind."""
    kind = lambda action: action if isinstance(action, str) else next(iter(action))
    return collections.Counter(kind(json.loads(x)["action"]) for x in log.read_text().splitlines())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def metrics(listen, *about):
    """What a running forewarn says of itself, of the metrics whose names contain one of these words."""
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=30) as r:
        lines = [x for x in r.read().decode().splitlines() if not x.startswith("#") and "bucket" not in x]
    return "; ".join(x for x in lines if any(a in x.split("{")[0].split(" ")[0] for a in about))


def aws(server, **more):
    """The environment that points the SDKs at a server."""
    return KEYS | {"AWS_ENDPOINT_URL": server if isinstance(server, str) else server.url} | more


def client(service, url):
    import boto3

    return boto3.client(service, endpoint_url=url, region_name=KEYS["AWS_REGION"], aws_access_key_id="test", aws_secret_access_key="test")


def background(*args, env=None, log):
    """Starts the binary in the background; its standard error goes to a file."""
    out = open(log, "ab")
    return subprocess.Popen([str(kit.binary()), *map(str, args)], env=kit.CLEAN | {k: str(v) for k, v in (env or {}).items()}, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def end(child, seconds=120):
    """Asks a process to end, and gives its exit code."""
    child.send_signal(signal.SIGTERM)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise Short(f"a process did not end within {seconds} s of SIGTERM")


def against_truth(history, truth, where="true"):
    """Compares a history with the truth, row by row: (rows of truth, lost, more than once, not in the truth, other value)."""
    db = judge.db()
    key = [k.strip() for k in KEY_COLUMNS.split(",")]
    names = ", ".join(key)
    db.execute(f"CREATE VIEW h0 AS SELECT {names}, value FROM {judge.metrics(history)} WHERE {where}")
    db.execute(f"CREATE VIEW t AS SELECT {names}, value FROM read_parquet('{truth}') WHERE {where}")
    one = lambda sql: db.execute(sql).fetchone()[0]
    rows = one("SELECT count(*) FROM t")
    # coalesce makes a hash join of it: null devices are equal here.
    keyed = ", ".join(f"coalesce({k}, '') AS {k}" if k == "device" else k for k in key)
    db.execute(f"CREATE VIEW hk AS SELECT {keyed}, value FROM h0")
    db.execute(f"CREATE VIEW tk AS SELECT {keyed}, value FROM t")
    lost = one(f"SELECT count(*) FROM tk ANTI JOIN hk USING ({names})")
    doubled = one(f"SELECT count(*) FROM h0") - one(f"SELECT count(*) FROM (SELECT DISTINCT {keyed} FROM h0)")
    strange = one(f"SELECT count(*) FROM hk ANTI JOIN tk USING ({names})")
    wrong = one(f"SELECT count(*) FROM hk JOIN tk USING ({names}) WHERE hk.value IS DISTINCT FROM tk.value")
    return rows, lost, doubled, strange, wrong


def check_truth(line, key, history, truth, where="true", least=1):
    rows, lost, doubled, strange, wrong = against_truth(history, truth, where)
    fine = rows >= least and lost == doubled == strange == wrong == 0
    return line.check(key, "after compact the history is the truth file, judged by DuckDB", fine, f"{rows:,} rows; {lost} lost, {doubled} doubled, {strange} not in the truth, {wrong} wrong", "none")


def bus_ids(path):
    return [a["id"] for a in judge.json_lines(path)] if path.exists() else []
