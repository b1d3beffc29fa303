"""Proves operation: nothing replaced, nothing resurrected, nothing that hangs or lies, for a year."""

from proofs.operate import line1, line2, line3, line4, line6

# The release binary with every AWS adapter.
CARGO = ()
LINES = [line1, line2, line3, line4, line6]
