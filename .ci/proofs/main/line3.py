"""Line 3: predictions keep the committed schema, and explanations add up to the probabilities."""

import json

import jsonschema
import referencing
import referencing.jsonschema

from proofs import judge, kit
from proofs.kit import Short, forewarn
from proofs.main import fleet

NUMBER = 3
TITLE = "the fields of a prediction, the committed schema, and explanations that add up"
SABOTAGE = ("adds", "one term of each explanation is changed by a thousandth")
INSTANCES, DAYS, SEED = 60, 10, 31
AS_OF = "2026-03-10T12:00:00Z"
TINY = 1e-9


def schemas():
    """Reads the committed schemas: {path: schema}."""
    found = {f: json.loads(f.read_text()) for f in sorted((kit.ROOT / "pipeline" / "schemas").rglob("*.json"))}
    if not found:
        raise Short("no schema is committed under schemas/")
    return found


def validator():
    """Makes a validator of one prediction from what is committed."""
    all_ = schemas()
    named = [f for f, s in all_.items() if s.get("title") == "Prediction"]
    if len(named) != 1:
        raise Short(f"{len(named)} committed schemas have the title Prediction, expected 1")
    resources = [(s.get("$id", f.name), referencing.Resource.from_contents(s, default_specification=referencing.jsonschema.DRAFT202012)) for f, s in all_.items()]
    schema = all_[named[0]]
    return jsonschema.validators.validator_for(schema)(schema, registry=referencing.Registry().with_resources(resources)), schema


def predictions(line):
    """Simulates a small fleet in trouble and analyses it; gives the history and the predictions."""
    place = line.fresh("fleet")
    made = fleet.simulate(place / "simulated", INSTANCES, DAYS, SEED, "--start", fleet.START, "--incident-rate", 8)
    fleet.import_fleet(made, place / "history")
    return place / "history", fleet.analyze(place / "history", AS_OF).json()["predictions"]


def prove(line):
    history, made = predictions(line)
    v, schema = validator()
    wrong = [(p["instance_id"], e.message) for p in made for e in v.iter_errors(p)]
    # Some instances fail for good before as_of.
    line.check("schema", f"predictions that the committed schema refuses, of {len(made)}", len(made) >= 0.8 * INSTANCES and not wrong, f"{len(wrong)} {wrong[:1] or ''}", f"0 of at least {INSTANCES * 4 // 5}")
    strict = not v.is_valid({k: x for k, x in made[0].items() if k != "confidence"}) and not v.is_valid(made[0] | {"confidence": "certain"})
    line.check("strict", "the schema refuses a prediction without confidence, and an unknown level", strict, "both refused" if strict else "not both", "both")
    missing = [f for f in judge.FIELDS if f not in schema.get("properties", {})]
    line.check("fields", "fields of the design that the schema describes", not missing, f"{len(judge.FIELDS) - len(missing)} of {len(judge.FIELDS)} {missing or ''}", "all")
    faults = [f for p in made for f in judge.prediction_faults(p)]
    line.check("faults", "faults in the predictions' fields", not faults, f"{len(faults)} {faults[:2] or ''}", "0")
    count = {}
    for p in made:
        count[p["confidence"]] = count.get(p["confidence"], 0) + 1
    line.check("levels", "levels that occur, so that the above is not about one alone", len(count) >= 3, ", ".join(f"{k} {n}" for k, n in sorted(count.items())), ">= 3")
    fresh = line.fresh("schemas")
    forewarn("schema", "--out", fresh).ok()
    new, old = kit.tree_digest(fresh), kit.tree_digest(kit.ROOT / "pipeline" / "schemas", ignore=(".md",))
    strip = lambda d: {k.split("/", 1)[1]: x for k, x in d.items()}
    line.check("current", "committed schemas are what `schema` generates", strip(new) == strip(old), f"{sum(strip(old).get(k) == x for k, x in strip(new).items())} of {len(new)} files", "all")
    adds_up(line, history, made, broken=False)


def adds_up(line, history, made, broken):
    """Explains every instance at risk and a few healthy ones: terms add up to the log-odds, and these give the probabilities."""
    risky = [p for p in made if p["confidence"] in ("low", "medium", "high")]
    chosen = risky + [p for p in made if p["confidence"] == "none"][:5]
    if not risky:
        raise Short("nothing is at risk in this fleet, so there is nothing to explain")
    worst_sum = worst_p = 0.0
    terms = set()
    for p in chosen:
        e = forewarn("rules", "explain", p["instance_id"], "--as-of", AS_OF, "--history", history, "--format", "json").json()
        if broken:
            judge.hazards(e)[0]["terms"][0]["log_odds"] += 1e-3
        s, q = judge.explanation_gap(e, p["probability"])
        worst_sum, worst_p = max(worst_sum, s), max(worst_p, q)
        terms |= {(t["kind"], t.get("rule")) for h in judge.hazards(e) for t in h["terms"] if t["log_odds"]}
    line.check("adds", f"largest gap between terms and log-odds in {3 * len(chosen)} hazards", worst_sum <= TINY, f"{worst_sum:.1e}", f"<= {TINY:.0e}")
    line.check("gives", "largest gap between the log-odds and the prediction's probabilities", worst_p <= TINY, f"{worst_p:.1e}", f"<= {TINY:.0e}")
    line.check("terms", "different terms that took part", len(terms) >= 4, len(terms), ">= 4")


def sabotage(line, broken):
    history, made = predictions(line)
    adds_up(line, history, made, broken)
