"""Proves the main job: from a folder of metrics to predictions a person can act on."""

from proofs.main import line1, line2, line3, line4, line5, line6, line7

LINES = [line1, line2, line3, line4, line5, line6, line7]
