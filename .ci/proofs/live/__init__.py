"""Proves the live pipeline: from CloudWatch and EC2 events to announced predictions, with nothing lost or doubled."""

from proofs.live import line1, line2, line3, line4, line5, line6, line7, line8, line9

# The release binary with every AWS adapter.
CARGO = ()
LINES = [line1, line2, line3, line4, line5, line6, line7, line8, line9]
