"""How good a model is: metrics with intervals, operating points, error analysis."""
