"""Proves the recovery executor: healed once, safely, whatever happens to whoever heals."""

from proofs.recovery import line1, line2, line3, line4, line5, line6, line7

# The tests' own build: what is proved here is what is done, and our own code is optimised in it.
FOLDER = "debug"
LINES = [line1, line2, line3, line4, line5, line6, line7]
