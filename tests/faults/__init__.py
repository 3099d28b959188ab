"""What goes wrong on purpose: ``python -m tests.faults --times N`` prints what came of it."""
