"""Prometheus itself judges the alert rules: its promtool evaluates them over what was scraped."""

import json
import pathlib
import re
import subprocess

from proofs import kit
from proofs.kit import Short, run

RULES = kit.ROOT / "infra/prometheus/forewarn.rules.yaml"
JOB = (("instance", "this"), ("job", "forewarn"))
# Metrics that hold a time of the clock: promtool's own time begins at 0.
TIMES = ("_last_success_seconds", "start_time_seconds")
PARTS = 8
ALERT = re.compile(r'alertname="(\w+)"')


def promtool():
    """Finds promtool, or takes it out of Debian's package of Prometheus; nothing is installed."""

    def fetch(folder):
        # What the machine knows of its packages may be old or nothing.
        for update in (False, True):
            if update:
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
            r = subprocess.run(["apt-get", "download", "-qq", "prometheus"], cwd=folder, capture_output=True, text=True)
            found = list(folder.glob("prometheus*.deb"))
            if r.returncode == 0 and found:
                subprocess.run(["dpkg-deb", "-x", found[0], folder / "x"], check=True)
                found[0].unlink()
                return
        raise Short(f"Debian's package prometheus can't be had: {r.stderr.strip()[-200:]}")

    return kit.cached("operate-prometheus", fetch) / "x/usr/bin/promtool"


def series(samples, t0):
    """Gives {series: values, one a step} of scrapes one a step, each a dictionary or none where nothing answered."""
    keys = dict.fromkeys(key for told in samples if told for key in told)
    found = {name_of("up", ()): ["1" if told is not None else "0" for told in samples]}
    for name, labels in keys:
        shift = t0 / 1000 if name.endswith(TIMES) else 0
        values = [(told or {}).get((name, labels)) for told in samples]
        found[name_of(name, labels)] = ["_" if v is None else repr(v - shift) for v in values]
    return found


def name_of(name, labels):
    return name + "{" + ",".join(f"{k}={json.dumps(v)}" for k, v in sorted((*labels, *JOB))) + "}"


def firing(place, samples, t0, step_s, rules=RULES):
    """Gives the names of the alerts that fired at any time while these scrapes were taken."""
    steps = len(samples) - 1
    # A part of the time at once: promtool refuses to load what one alert that fires for a week leaves.
    part = -(-steps // PARTS)
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{step_s}s",
        "tests": [{
            "interval": f"{step_s}s",
            "input_series": [{"series": name, "values": " ".join(values)} for name, values in series(samples, t0).items()],
            "promql_expr_test": [{
                "expr": f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{part * step_s + 1}s]))',
                "eval_time": f"{min(steps, n * part) * step_s}s",
                "exp_samples": [],
            } for n in range(1, PARTS + 1)],
        }],
    }
    # JSON is YAML.
    file = pathlib.Path(place) / "promtool.json"
    file.write_text(json.dumps(test))
    r = run([promtool(), "test", "rules", file])
    said = r.out + r.err
    if r.code == 0 and "SUCCESS" in said:
        return set()
    found = set(ALERT.findall(said))
    if not found:
        raise Short(f"promtool: {said[-400:]}")
    return found


def alerts():
    """The names of all alerts."""
    return re.findall(r"- alert: (\w+)", RULES.read_text())
