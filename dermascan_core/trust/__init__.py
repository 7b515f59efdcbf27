"""How far an answer can be trusted: calibration and prediction sets."""
