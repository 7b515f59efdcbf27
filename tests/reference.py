"""Slow second writings of the mathematics, straight from the definitions: the oracles of the tests."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence


def auc_by_pairs(y_true: Sequence[int], y_score: Sequence[float]) -> float:
    """Count the pairs (positive, negative) that are in the right order; a tie counts half."""
    positives = [s for t, s in zip(y_true, y_score, strict=True) if t]
    negatives = [s for t, s in zip(y_true, y_score, strict=True) if not t]
    if not positives or not negatives:
        return math.nan
    wins = sum((p > n) + 0.5 * (p == n) for p, n in itertools.product(positives, negatives))
    return wins / (len(positives) * len(negatives))


def specificity_at_sensitivity_by_trying(y_true: Sequence[int], y_score: Sequence[float], sensitivity: float) -> float:
    """Try every score as the threshold; keep the best specificity among those that are sensitive enough."""
    n_positive, n_negative = sum(y_true), len(y_true) - sum(y_true)
    if not n_positive or not n_negative:
        return math.nan
    best = 0.0
    for threshold in set(y_score):
        hits = sum(1 for t, s in zip(y_true, y_score, strict=True) if t and s >= threshold)
        alarms = sum(1 for t, s in zip(y_true, y_score, strict=True) if not t and s >= threshold)
        if hits / n_positive >= sensitivity:
            best = max(best, 1 - alarms / n_negative)
    return best


def average_precision_by_steps(y_true: Sequence[int], y_score: Sequence[float]) -> float:
    """Sum precision times the recall gained, threshold by threshold, from the article's definition."""
    n_positive = sum(y_true)
    if not n_positive:
        return math.nan
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(y_score), reverse=True):
        said = [t for t, s in zip(y_true, y_score, strict=True) if s >= threshold]
        recall = sum(said) / n_positive
        total += sum(said) / len(said) * (recall - recall_before)
        recall_before = recall
    return total


def calibration_error_by_bins(y_true: Sequence[int], y_prob: Sequence[Sequence[float]], n_bins: int) -> float:
    """Walk through the bins (low, high] and add up |accuracy - confidence| times the share of photos in the bin."""
    tops = [(max(row), max(range(len(row)), key=row.__getitem__) == t) for t, row in zip(y_true, y_prob, strict=True)]
    total = 0.0
    for i in range(n_bins):
        inside = [(c, ok) for c, ok in tops if i / n_bins < c <= (i + 1) / n_bins or (i == 0 and c == 0)]
        if inside:
            confidence = sum(c for c, _ in inside) / len(inside)
            accuracy = sum(ok for _, ok in inside) / len(inside)
            total += len(inside) / len(tops) * abs(confidence - accuracy)
    return total


def repeat(values: Sequence, times: Sequence[int]) -> list:
    """Write a weighted sample out in full: each value as often as it was drawn."""
    return [value for value, n in zip(values, times, strict=True) for _ in range(n)]


def nearest_by_trying(
    point: Sequence[float], photos: Sequence[tuple[str, str, str, Sequence[float]]], k: int, *, without: set[str]
) -> list[tuple[str, float]]:
    """Return (photo, cosine) of the k nearest lesions, by asking every photo (name, lesion, kind, vector) in turn."""

    def cosine(a: Sequence[float], b: Sequence[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    best: dict[str, tuple[str, float]] = {}
    for name, lesion, _, vector in photos:
        found = cosine(point, vector)
        if lesion not in without and (lesion not in best or found > best[lesion][1]):
            best[lesion] = (name, found)
    return sorted(best.values(), key=lambda one: -one[1])[:k]


def skin_colour_by_sorting(pixels: Sequence[Sequence[int]]) -> list[float]:
    """Return the median of each channel over the pixels that are as light as the one at two fifths, or lighter."""
    lightness = sorted(pixel[0] for pixel in pixels)
    darkest = lightness[math.ceil(2 * (len(pixels) - 1) / 5)]
    light = [pixel for pixel in pixels if pixel[0] >= darkest]
    return [statistics.median(channel) for channel in zip(*light, strict=True)]


def kappa_by_counting(first: Sequence[str], second: Sequence[str]) -> float:
    """Count how often two readers agree, and how often they would if each threw its own answers at random."""
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    by_chance = sum(a == b for a, b in itertools.product(first, second)) / n**2
    return math.nan if by_chance == 1 else (observed - by_chance) / (1 - by_chance)
