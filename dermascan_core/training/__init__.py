"""Turns labelled photos into trained weights: data, sampling, augmentation, fit, release."""
