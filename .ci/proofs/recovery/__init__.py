"""Proves the recovery executor: healed once, safely, whatever happens to whoever heals."""

from proofs.recovery import line1, line2, line3, line4, line5, line6, line7

# The release binary with every AWS adapter, as for `live`: dozens of executors run at once, whose calls have less than a second.
CARGO = ()
LINES = [line1, line2, line3, line4, line5, line6, line7]
