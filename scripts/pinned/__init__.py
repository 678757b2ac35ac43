"""What scripts/pin.py runs and how the results become text."""
