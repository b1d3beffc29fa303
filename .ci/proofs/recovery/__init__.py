"""Proves the recovery executor: healed once, safely, whatever happens to whoever heals."""

from proofs.recovery import line3, line5, unbuilt

# The release binary with every AWS adapter.
CARGO = ()
LINES = [*unbuilt.before(3), line3, *unbuilt.between(3, 5), line5, *unbuilt.after(5)]
