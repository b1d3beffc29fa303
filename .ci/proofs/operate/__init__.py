"""Proves operation: nothing replaced, nothing resurrected, nothing that hangs or lies, for a year."""

import os

from proofs.operate import line1, line2, line3, line4, line5, line6

# The binary with every AWS adapter: the release build, or PROOF_FOLDER=debug where only what is done matters.
CARGO = ()
FOLDER = os.environ.get("PROOF_FOLDER", "release")
LINES = [line1, line2, line3, line4, line5, line6]
