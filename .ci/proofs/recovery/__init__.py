"""Proves the recovery executor: healed once, safely, whatever happens to whoever heals."""

from proofs.recovery import line3, line5, unbuilt

# Nothing of it needs AWS yet.
CARGO = ("--no-default-features",)
LINES = [*unbuilt.before(3), line3, *unbuilt.between(3, 5), line5, *unbuilt.after(5)]
