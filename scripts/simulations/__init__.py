"""Studies with a known truth, judged by the product's own functions; run by scripts/calibration.py."""
