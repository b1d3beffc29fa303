"""Proves backtest and fit: predictions that beat what people use today, shown on history."""

from proofs.backtest import line1, line2, line3, line4, line5, line6, line7

LINES = [line1, line2, line3, line4, line5, line6, line7]
