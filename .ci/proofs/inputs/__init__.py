"""Proves inputs: what people feed it gives the right answer, and what is hostile a clear error."""

from proofs.inputs import line1, line2, line5

# The binary with every AWS adapter, as it is installed.
CARGO = ()
LINES = [line1, line2, line5]
