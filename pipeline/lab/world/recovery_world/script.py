"""What a test has asked to go wrong: rules that calls meet, and states set at once.

A script is a JSON object, or a list of them, each with a `kind`. Fields that select (an instance, a type) may be left out: the rule
then meets every call. `times` says how many calls it meets; null is all of them. The newest rule that fits is the one met.
"""

EVER = None

# For each kind of rule: the fields that select, the fields that say what happens, and how many calls it meets if it does not say.
RULES = {
    "capacity": (("call", "type", "zone"), (), 1),
    "hung_stop": (("instance",), ("yields_to",), 1),
    "snapshot_error": (("volume",), (), 1),
    "dark": (("region",), (), EVER),
    "attach_error": (("volume", "instance"), ("code", "message"), 1),
    "attach_stuck": (("volume", "instance"), (), 1),
    "detach_busy": (("volume",), (), 1),
    "replace_root": (("instance",), ("outcome",), 1),
    "new_status": (("type", "zone"), ("checks", "ok_after_ms"), 1),
    "ssm": (("document", "instance"), ("outcome", "after_ms", "missing_polls", "stdout", "stderr"), EVER),
}
CHOICES = {
    ("capacity", "call"): ("RunInstances", "StartInstances"),
    ("hung_stop", "yields_to"): ("force", "skip_os_shutdown", "never"),
    ("replace_root", "outcome"): ("failed", "failed-detached"),
    ("ssm", "outcome"): ("Success", "Failed", "TimedOut", "offline", "unregistered"),
}


class BadScript(ValueError):
    """A script that cannot be followed; a test that misspells a field must not pass for want of the fault it asked for."""


class Script:
    """The rules in force, and the kinds of state that can be set, each with the function that sets it."""

    setters = {}

    def __init__(self):
        self.rules = []

    @classmethod
    def sets(cls, kind, *fields):
        """Registers a function as the one that sets a kind of state from these fields."""

        def register(function):
            cls.setters[kind] = (fields, function)
            return function

        return register

    def add(self, entry):
        """Takes one entry of a script, or raises `BadScript` and changes nothing."""
        if not isinstance(entry, dict):
            raise BadScript(f"an entry of a script is an object, not {entry!r}")
        entry = dict(entry)
        kind = entry.pop("kind", None)
        if kind == "clear":
            self.rules.clear()
        elif kind in RULES:
            self.add_rule(kind, entry)
        elif kind in self.setters:
            fields, setter = self.setters[kind]
            refuse_others(kind, entry, fields)
            setter(**entry)
        else:
            raise BadScript(f"there is no kind {kind!r}: {', '.join(sorted((*RULES, *self.setters, 'clear')))}")

    def add_rule(self, kind, entry):
        """Adds a rule, checked."""
        selects, says, times = RULES[kind]
        refuse_others(kind, entry, (*selects, *says, "times"))
        for field, value in entry.items():
            choices = CHOICES.get((kind, field))
            if choices and value not in choices:
                raise BadScript(f"{kind}: {field} is one of {', '.join(choices)}, not {value!r}")
        self.rules.insert(0, {"kind": kind, "times": times, **entry})

    def find(self, kind, **facts):
        """Gives the newest rule of a kind that fits the facts, or None; a rule that selects by what is not known does not fit."""
        selects = RULES[kind][0]
        for rule in self.rules:
            if rule["kind"] == kind and all(rule[field] == facts.get(field) for field in selects if field in rule):
                return rule
        return None

    def take(self, kind, **facts):
        """Gives what `find` gives, and counts it as met."""
        rule = self.find(kind, **facts)
        if rule and rule["times"] is not None:
            rule["times"] -= 1
            if rule["times"] <= 0:
                self.rules.remove(rule)
        return rule


def refuse_others(kind, entry, fields):
    """Raises for a field that the kind does not have."""
    unknown = set(entry) - set(fields)
    if unknown:
        raise BadScript(f"{kind} has no {', '.join(sorted(unknown))}: {', '.join(fields)}")
