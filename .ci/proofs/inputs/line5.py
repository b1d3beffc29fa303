"""Line 5: hostile files end in a clear error, memory bounded, the history untouched."""

import gzip
import re
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from proofs import kit
from proofs.kit import forewarn

NUMBER = 5
TITLE = "hostile files: a clear error, memory bounded, the history untouched"
SABOTAGE = ("bomb", "the bomb is a file of metrics that is packed as usual")
HEADER, ROW = "instance_id,metric,ts,value\n", "i-a,CPUUtilization,2026-01-01T00:00:00Z,1\n"
PEAK, WALL = 256, 60


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def bomb(path, megabytes, begin=b""):
    """Packs so many MiB of the same bytes into few."""
    with gzip.open(path, "wb", compresslevel=9) as f:
        f.write(begin)
        for _ in range(megabytes):
            f.write((ROW.encode() * 25_000)[:1 << 20])
    return path


def wide_parquet(path, columns):
    names = ["instance_id", "metric", "ts", "value", *(f"c{i}" for i in range(columns))]
    values = [pa.array(["i-a"]), pa.array(["CPUUtilization"]), pa.array([1_767_225_600]), pa.array([1.0])] + [pa.array([0], pa.int8())] * columns
    pq.write_table(pa.table(dict(zip(names, values))), path)
    return path


def cut(path, whole):
    return write(path, whole[:-20])


def noise(path, head=b""):
    return write(path, head + np.random.default_rng(16).integers(0, 256, 300_000, dtype=np.uint8).tobytes())


def cases(place):
    """Gives {key: (what it is, what is imported, what the error says)}."""
    long_id = "i-" + "a" * 100_000_000
    packed = gzip.compress((HEADER + ROW * 1000).encode())
    return {
        "bomb": ("a gzip bomb of 1 GiB", bomb(place / "bomb.csv.gz", 1024, HEADER.encode()), r"unpack to more than"),
        "nested-bomb": ("a bomb in gzip in gzip in gzip in gzip", write(place / "nested.csv.gz", gzip.compress(gzip.compress(gzip.compress(packed)))), r"packed more than"),
        "zeros": ("a bomb of zeros", write(place / "zeros.gz", gzip.compress(bytes(400 << 20))), r"unpack to more than|nothing in it|CSV"),
        "empty-archive": ("an empty archive", write(place / "empty.csv.gz", gzip.compress(b"")), r"nothing in it"),
        "empty": ("an empty file", write(place / "empty.csv", b""), r"is empty"),
        "cut": ("an archive that ends in the middle", cut(place / "cut.csv.gz", packed), r"cut\.csv\.gz: .*(deflate|unexpected end|corrupt)"),
        "columns": ("a million columns", write(place / "columns.csv", HEADER.rstrip() + "," + ",".join(f"c{i}" for i in range(1_000_000)) + "\n"), r"line 1 has more than"),
        "parquet-columns": ("a hundred thousand columns of Parquet", wide_parquet(place / "wide.parquet", 100_000), r"columns"),
        "line": ("a CSV line of 100 MB", write(place / "line.csv", f"{HEADER}{long_id},CPUUtilization,2026-01-01T00:00:00Z,1\n"), r"line 2 has more than"),
        "quote": ("a quote that nobody closes", write(place / "quote.csv", HEADER + 'i-a,"CPU' + ROW * 400_000), r"quote\.csv:2|line 2"),
        "deep": ("JSON 10,000 deep", write(place / "deep.json", '{"Datapoints":' * 10_000 + "1" + "}" * 10_000), r"JSON"),
        "deep-list": ("a list 10,000 deep", write(place / "list.json", '{"Datapoints":' + "[" * 10_000 + "]" * 10_000 + "}"), r"recursion limit|JSON"),
        "dots": ("a Hive path with ..", write(place / "hive" / "instance_id=..%2F..%2Fetc" / "f.csv", "metric,ts,value\nCPUUtilization,2026-01-01T00:00:00Z,1\n").parents[1], r"leads out of it"),
        "footer": ("a Parquet footer longer than its file", write(place / "footer.parquet", b"PAR1" + b"\xff" * 1000 + struct.pack("<I", 0x7FFFFFFF) + b"PAR1"), r"not a readable Parquet"),
        "noise": ("noise that calls itself Parquet", noise(place / "noise.parquet", b"PAR1"), r"not a readable Parquet|Parquet"),
        "noise-csv": ("noise that calls itself CSV", noise(place / "noise.csv"), r"CSV|UTF|column"),
        "id": ("an id of ten thousand characters", write(place / "id.csv", f"{HEADER}{'i' * 10_000},CPUUtilization,2026-01-01T00:00:00Z,1\n"), r"longer than|characters"),
        "numbers": ("numbers that are none", write(place / "numbers.csv", HEADER + ROW + "i-a,CPUUtilization,2026-01-01T00:00:01Z,1e999\n"), r"numbers\.csv:3"),
    }


def history(line):
    place = line.fresh("work")
    good = write(place / "good.csv", HEADER + "".join(f"i-{i},CPUUtilization,{1_767_225_600 + 300 * k},{k % 9}\n" for i in range(5) for k in range(300)))
    forewarn("import", "--history", place / "h", good).ok()
    return place


def refused(line, place, key, what, file, words):
    before = kit.tree_digest(place / "h")
    r = forewarn("import", "--history", place / "h", file, env={"TMPDIR": place}, timeout=600)
    same = kit.tree_digest(place / "h") == before
    left = [p.name for p in place.iterdir() if p.name.startswith("forewarn-")]
    says = r.code == 2 and re.search(words, r.err) and len(r.err) < 1000 and "panicked" not in r.err
    figure = f"exit {r.code}, {r.peak:.0f} MiB, {r.wall:.1f} s, history {'as before' if same else 'CHANGED'}{f', left {left}' if left else ''}: {r.err.strip()[:140]}"
    line.check(key, what, says and same and not left and r.peak <= PEAK and r.wall <= WALL, figure, f"exit 2 in words, <= {PEAK} MiB, <= {WALL} s, untouched")


def prove(line):
    place = history(line)
    for key, (what, file, words) in cases(line.fresh("files")).items():
        refused(line, place, key, what, file, words)


def sabotage(line, broken):
    place, files = history(line), line.fresh("files")
    file = bomb(files / "bomb.csv.gz", 1024, HEADER.encode()) if not broken else write(files / "bomb.csv.gz", gzip.compress((HEADER + ROW).encode()))
    refused(line, place, "bomb", "a gzip bomb of 1 GiB", file, r"unpack to more than")
