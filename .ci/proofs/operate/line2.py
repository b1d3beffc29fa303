"""Several states on one history, killed everywhere and raced against readers: the history is the truth, and what was pruned stays gone."""

import collections
import json
import shutil
import threading

from proofs import judge, kit
from proofs.kit import Short, forewarn
from proofs.live import world
from proofs.operate.places import Bucket, Folder

NUMBER = 2
TITLE = "two states, a wiped and a restored one; compact, prune and archive killed at every point and raced against readers, local and S3"
SABOTAGE = ("local.states", "a file of the second state is taken away, as if the first had replaced it")
START, DAYS, INSTANCES = "2026-03-02T00:00:00Z", 6, 12
DAY = 86_400_000


def day(n):
    return world.rfc(world.ms(START) + n * DAY)


class Scene:
    """A history that several states write to, with what is still in their streams."""

    def __init__(self, store, place, emulated, ids):
        self.store, self.place, self.ids = store, place, ids
        self.env = store.env | emulated

    def run(self, *args, **more):
        return forewarn(*args, env=self.env | more, timeout=300)

    def ingest(self, state, first, last):
        """Puts some days into the stream of a state."""
        self.run("ingest", "--once", "--from", day(first), "--to", day(last), "--select", "all", "--ids", self.ids, "--no-archive",
                 "--history", self.store.at("unused"), "--state", self.place / state).ok()

    def archive(self, history, state):
        return ["archive", "--history", self.store.at(history), "--state", self.place / state]

    def states(self):
        """A state, a second one, the first one wiped and begun anew, and the first one as it was a day ago."""
        self.ingest("first", 0, 2)
        self.run(*self.archive("h", "first")).ok()
        shutil.copytree(self.place / "first", self.place / "backup")
        self.ingest("first", 2, 3)
        self.run(*self.archive("h", "first")).ok()
        # The second one pulls a day that the first one has, too.
        self.ingest("second", 2, 4)
        self.run(*self.archive("h", "second")).ok()
        shutil.rmtree(self.place / "first")
        self.ingest("first", 4, 5)
        self.run(*self.archive("h", "first")).ok()
        self.ingest("backup", 5, 6)
        self.run(*self.archive("h", "backup")).ok()


def compacted(scene, history):
    """Merges what is left, once every grace is over, and gives where DuckDB reads the history."""
    later = world.Clock(day(DAYS + 2), 1)
    scene.run("history", "compact", "--grace", "0s", "--history", scene.store.at(history), **later.env).ok()
    return scene.store.fetch(history)


def truthful(line, scene, key, history, truth, since=0, least=1):
    where = f"ts >= to_timestamp({(world.ms(START) + since * DAY) // 1000})"
    fetched = compacted(scene, history)
    fine = world.check_truth(line, key, fetched, truth, where=where, least=least)
    early = [n for n in scene.store.names(history) if n.startswith("metrics/") and n.split("/")[1] < f"date={day(since)[:10]}"]
    return fine and not early


def points_of(scene, args, history):
    """Runs a command undisturbed on a copy; gives the points that it passed, each with how often."""
    trace = scene.place / "trace"
    trace.unlink(missing_ok=True)
    scene.run(*args, FOREWARN_CRASH_TRACE=trace).ok()
    return collections.Counter(trace.read_text().split()) if trace.exists() else collections.Counter()


def killed(line, scene, key, args, prepare, truth, since):
    """Kills a command at every point that it passes; a second run completes it, and the history is the truth."""
    prepare("undisturbed")
    passed = points_of(scene, args("undisturbed"), "undisturbed")
    # Each point at its first passing, its second, and its last.
    aimed = [(p, n) for p, times in sorted(passed.items()) for n in sorted({1, 2, times}) if n <= times]
    bad = []
    for point, nth in aimed:
        prepare("killed")
        r = scene.run(*args("killed"), FOREWARN_CRASH_AT=f"{point}:{nth}")
        where = f"{point}:{nth}"
        if r.code >= 0:
            bad.append(f"{where} not reached")
            continue
        left = scene.run("history", "stats", "--history", scene.store.at("killed"))
        again = scene.run(*args("killed"))
        if left.code or again.code:
            bad.append(f"{where}: exit {left.code}, {again.code}: {(left.err + again.err).strip()[-200:]}")
            continue
        rows, lost, doubled, strange, wrong = world.against_truth(compacted(scene, "killed"), truth, where=f"ts >= to_timestamp({(world.ms(START) + since * DAY) // 1000})")
        early = judge.db().execute(f"SELECT count(*) FROM {judge.metrics(scene.store.fetch('killed'))} WHERE ts < to_timestamp({(world.ms(START) + since * DAY) // 1000})").fetchone()[0]
        if lost or doubled or strange or wrong or early or not rows:
            bad.append(f"{where}: {lost} lost, {doubled} doubled, {strange} strange, {wrong} wrong, {early} back again")
    for b in bad:
        line.note(b)
    line.note(f"{key}: killed at {', '.join(f'{p}:{n}' for p, n in aimed)}")
    line.check(key, "kills after which the history is read, a second run completes the work, and the history is the truth", aimed and not bad, f"{len(aimed) - len(bad)} of {len(aimed)}", "all")


class Readers:
    """Asks the same question again and again while others write; the answer never changes, or to what it is in the end."""

    def __init__(self, scene, history, as_of, then=None):
        self.scene = scene
        ask = lambda h: ["analyze", "--history", scene.store.at(h), "--as-of", as_of, "--all", "--format", "json"]
        self.args = ask(history)
        self.want = [scene.run(*ask(h)).ok().out for h in (history, then) if h]
        self.answers, self.bad, self.done = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(2)]

    def ask(self):
        while not self.done.is_set():
            r = self.scene.run(*self.args)
            self.answers += 1
            if r.code:
                self.bad.append(f"exit {r.code}: {r.err.strip()[-200:]}")
            elif r.out not in self.want:
                self.bad.append(difference(self.want[0], r.out))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for t in self.threads:
            t.join()


def difference(want, got):
    a, b = (json.loads(x)["predictions"] for x in (want, got))
    return f"{len(a)} and {len(b)} predictions; " + "; ".join(str(y)[:150] for x, y in zip(a, b) if x != y)[:300]


def raced(line, scene, key, truth):
    """Two states archive at once, small files are merged and old days pruned, while readers ask."""
    scene.store.copy("h", "raced")
    scene.ingest("late", 3, 6)
    scene.ingest("later", 3, 6)
    at = scene.store.at("raced")
    with Readers(scene, "raced", day(4)) as readers:
        for grace in ("1h", "0s"):
            together([lambda s=s: again(scene, scene.archive("raced", s)) for s in ("late", "later")] + [lambda: again(scene, ["history", "compact", "--grace", grace, "--history", at])])
    prune = lambda h: ["history", "prune", "--older-than", day(1), "--history", scene.store.at(h)]
    scene.store.copy("raced", "pruned")
    scene.run(*prune("pruned")).ok()
    with Readers(scene, "raced", day(4), then="pruned") as later:
        for _ in range(2):
            together([lambda: again(scene, ["history", "compact", "--grace", "0s", "--history", at]), lambda: again(scene, prune("raced"))])
    bad, answers = readers.bad + later.bad, readers.answers + later.answers
    for b in sorted(set(bad))[:5]:
        line.note(f"{key}: a reader: {b}")
    line.check(f"{key}.readers", "answers of readers meanwhile that were as before, or as after the pruning", answers > 4 and not bad, f"{answers - len(bad)} of {answers}", "all")
    truthful(line, scene, f"{key}.raced", "raced", truth, since=1)


def together(works):
    failed = []

    def guarded(work):
        try:
            work()
        except Exception as e:  # noqa: BLE001 - it is raised in the thread that waits
            failed.append(e)

    threads = [threading.Thread(target=guarded, args=(w,)) for w in works]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise Short(f"{failed[0]}")


def again(scene, args):
    """Runs a command, again where another process writes at that moment."""
    for _ in range(200):
        r = scene.run(*args)
        if r.code == 0 or "another process is writing" not in r.err:
            return r.ok()
    raise Short(f"never free: {args}")


def refused(line, scene, key):
    """Something else lies where a file is to go: it is refused in words, and stays."""
    scene.ingest("refusing", 0, 1)
    shutil.copytree(scene.place / "refusing", scene.place / "refusing-again")
    scene.run(*scene.archive("refused", "refusing")).ok()
    name = next(n for n in scene.store.names("refused") if n.startswith("metrics/"))
    scene.store.write("refused", name, b"something else")
    r = scene.run(*scene.archive("refused", "refusing-again"))
    stays = scene.store.read("refused", name) == b"something else"
    told = "is there already with other content, and is not replaced" in r.err and name.split("/")[-1] in r.err
    line.check(key, "a file that would be replaced by other bytes", r.code == 1 and told and stays, f"exit {r.code}: {r.err.strip()[-160:]}", "refused in words, stays")


def prove_in(line, store, place, emulated, truth, ids):
    scene, key = Scene(store, place, emulated, ids), store.name
    scene.states()
    store.copy("h", "counted")
    truthful(line, scene, f"{key}.states", "counted", truth)

    def with_pending(history):
        store.copy("h", history)
        pending()

    def pending():
        shutil.rmtree(place / "pending", ignore_errors=True)
        shutil.copytree(place / "kept", place / "pending")

    scene.ingest("kept", 0, 6)
    killed(line, scene, f"{key}.archive", lambda h: scene.archive(h, "pending"), with_pending, truth, 0)
    killed(line, scene, f"{key}.compact", lambda h: ["history", "compact", "--grace", "0s", "--history", store.at(h)], lambda h: store.copy("h", h), truth, 0)

    def merged_with_grace(history):
        # Replaced files still lie there, and what they were merged into has been replaced again.
        store.copy("h", history)
        scene.run("history", "compact", "--grace", "1h", "--history", store.at(history)).ok()
        pending()
        scene.run(*scene.archive(history, "pending")).ok()
        scene.run("history", "compact", "--grace", "1h", "--history", store.at(history)).ok()

    killed(line, scene, f"{key}.prune", lambda h: ["history", "prune", "--older-than", day(3), "--history", store.at(h)], merged_with_grace, truth, 3)
    raced(line, scene, key, truth)
    refused(line, scene, f"{key}.refused")


def fleet(line):
    place = line.fresh("fleet")
    args = ["--world", "hash", "--instances", INSTANCES, "--days", DAYS, "--start", START, "--seed", 91]
    truth = place / "truth.parquet"
    forewarn("simulate", "--truth", truth, *args).ok()
    return args, truth, world.volumes_of(truth, place)


def prove(line):
    args, truth, ids = fleet(line)
    clock = world.just_after(START, DAYS)
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server, world.Moto("s3") as moto:
        emulated = world.aws(server) | clock.env
        place = line.fresh("local")
        prove_in(line, Folder(place, {}), place, emulated, truth, ids)
        place = line.fresh("s3")
        endpoints = {"AWS_ENDPOINT_URL_S3": moto.url}
        prove_in(line, Bucket(place, endpoints, world.client("s3", moto.url)), place, emulated, truth, ids)


def sabotage(line, broken):
    args, truth, ids = fleet(line)
    clock = world.just_after(START, DAYS)
    with world.emulator(*args, env=clock.env, log=line.work / "emulator.txt") as server:
        place = line.fresh("local")
        scene = Scene(Folder(place, {}), place, world.aws(server) | clock.env, ids)
        scene.states()
        if broken:
            name = next(n for n in scene.store.names("h") if n.startswith(f"metrics/date={day(4)[:10]}"))
            (place / "h" / name).unlink()
        truthful(line, scene, "local.states", "h", truth)


__all__ = ["NUMBER", "SABOTAGE", "TITLE", "kit", "prove", "sabotage"]
