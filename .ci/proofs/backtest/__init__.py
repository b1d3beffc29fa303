"""What the proof of backtest and fit runs on: fleets of another world."""
