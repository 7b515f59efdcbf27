"""What referring by the model does at a clinic's own prevalence and its own weighing of harms.

The harm ratio says how many unneeded referrals weigh as much as one missed cancer. Net benefit is the cancers found less
the unneeded referrals, each of these divided by the harm ratio. Referring everybody and nobody are always compared.

Reference: Vickers and Elkin (2006), Decision curve analysis, Medical Decision Making 26, 565-574.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .intervals import N_RESAMPLES, SEED, Estimate
from .referrals import Draws, Referrals, above, at_prevalence, estimate, malignant_share, rates_of

PER = 1000
MAX_HARM_RATIO = 1000.0
POLICIES = {
    "all": "Refer everybody",
    "none": "Refer nobody",
    "own_line": "Model, its own line",
    "moved_line": "Model, line moved to your weighing",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What one way to refer does to a thousand people.

    Attributes:
        code: One of ``POLICIES``.
        line: Share of cancer or pre-cancer from which is referred, as the model says it; NaN for everybody and nobody.
        sensitivity, specificity: Of the referrals; shares in [0, 1].
        ppv: Share of cancers among the referred; NaN where nobody is.
        npv: Share without cancer among those not referred; NaN where everybody is.
        n_referred, n_missed, n_unneeded: Referrals, missed cancers and unneeded referrals of 1,000.
        net_benefit: Cancers found of 1,000, less the unneeded referrals divided by the harm ratio.
    """

    code: str
    line: float
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    n_referred: Estimate
    n_missed: Estimate
    n_unneeded: Estimate
    net_benefit: Estimate


def compare_policies(
    referrals: Referrals,
    *,
    prevalence: float,
    harm_ratio: float,
    threshold: float | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> list[Policy]:
    """Return what each way to refer does at a prevalence and a harm ratio.

    Args:
        referrals: The measured answers. They are taken as right at the file's own share of cancers.
        prevalence: Share of cancer or pre-cancer among the clinic's lesions, in (0, 1).
        harm_ratio: How many unneeded referrals weigh as much as one missed cancer, 1 to 1,000.
        threshold: The model's own line; None leaves it out.
        n_resamples, seed: Of the intervals.

    Raises:
        ValueError: If the prevalence or the harm ratio is outside its range.
    """
    _check(prevalence, [harm_ratio])
    lines = {"own_line": threshold, "moved_line": line_for(referrals, prevalence=prevalence, harm_ratio=harm_ratio)}
    known = {code: line for code, line in lines.items() if line is not None}
    found, unneeded = rates_of(referrals, above(referrals, list(known.values())), n_resamples=n_resamples, seed=seed)
    return [
        _policy("all", math.nan, np.ones(1), np.ones(1), prevalence, harm_ratio),
        _policy("none", math.nan, np.zeros(1), np.zeros(1), prevalence, harm_ratio),
        *(
            _policy(code, line, found[:, k], unneeded[:, k], prevalence, harm_ratio)
            for k, (code, line) in enumerate(known.items())
        ),
    ]


def decision_curve(
    referrals: Referrals,
    *,
    prevalence: float,
    harm_ratios: Sequence[float],
    threshold: float | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> dict[str, list[Estimate]]:
    """Return the net benefit of each way to refer over harm ratios, of 1,000 people.

    Args:
        referrals, prevalence, threshold, n_resamples, seed: As in ``compare_policies``.
        harm_ratios: Where it is computed, each 1 to 1,000.

    Returns:
        Code of ``POLICIES`` -> one estimate a harm ratio; ``own_line`` only with a threshold.

    Raises:
        ValueError: If the prevalence or a harm ratio is outside its range.
    """
    _check(prevalence, harm_ratios)
    moved = [line_for(referrals, prevalence=prevalence, harm_ratio=ratio) for ratio in harm_ratios]
    lines = [*moved, *([] if threshold is None else [threshold])]
    found, unneeded = rates_of(referrals, above(referrals, lines), n_resamples=n_resamples, seed=seed)
    ones, zeros = np.ones(1), np.zeros(1)
    curves = {
        "all": [estimate(_net_benefit(ones, ones, prevalence, ratio)) for ratio in harm_ratios],
        "none": [estimate(_net_benefit(zeros, zeros, prevalence, ratio)) for ratio in harm_ratios],
        "moved_line": [
            estimate(_net_benefit(found[:, k], unneeded[:, k], prevalence, ratio))
            for k, ratio in enumerate(harm_ratios)
        ],
    }
    if threshold is not None:
        own = found[:, -1], unneeded[:, -1]
        curves["own_line"] = [estimate(_net_benefit(*own, prevalence, ratio)) for ratio in harm_ratios]
    return curves


def line_for(referrals: Referrals, *, prevalence: float, harm_ratio: float) -> float:
    """Return the share from which referring is worth it, as the model says it: 1 / (1 + harm ratio) at the prevalence."""
    worth_it = 1 / (1 + harm_ratio)
    return float(at_prevalence(worth_it, measured=prevalence, prevalence=referrals.prevalence))


def harm_ratio_of(referrals: Referrals, threshold: float, *, prevalence: float) -> float:
    """Return the harm ratio that a line stands for at a prevalence; infinite for a line of 0."""
    p = float(at_prevalence(threshold, measured=referrals.prevalence, prevalence=prevalence))
    return (1 - p) / p if p > 0 else math.inf


def _check(prevalence: float, harm_ratios: Sequence[float]) -> None:
    if not 0 < prevalence < 1:
        raise ValueError(f"Expected a prevalence above 0 and below 1. Received {prevalence:g}.")
    for ratio in harm_ratios:
        if not 1 <= ratio <= MAX_HARM_RATIO:
            raise ValueError(f"Expected a harm ratio from 1 to {MAX_HARM_RATIO:,.0f}. Received {ratio:g}.")


def _net_benefit(found: Draws, unneeded: Draws, prevalence: float, harm_ratio: float) -> Draws:
    return PER * (prevalence * found - (1 - prevalence) * unneeded / harm_ratio)


def _policy(code: str, line: float, found: Draws, unneeded: Draws, prevalence: float, harm_ratio: float) -> Policy:
    """Both draws alike: the share referred among cancers, and among all others."""
    return Policy(
        code=code,
        line=line,
        sensitivity=estimate(found),
        specificity=estimate(1 - unneeded),
        ppv=estimate(malignant_share(found, unneeded, prevalence)),
        npv=estimate(1 - malignant_share(1 - found, 1 - unneeded, prevalence)),
        n_referred=estimate(PER * (prevalence * found + (1 - prevalence) * unneeded)),
        n_missed=estimate(PER * prevalence * (1 - found)),
        n_unneeded=estimate(PER * (1 - prevalence) * unneeded),
        net_benefit=estimate(_net_benefit(found, unneeded, prevalence, harm_ratio)),
    )


MEASURES = {
    "net_benefit": "net benefit",
    "n_referred": "referred",
    "n_missed": "missed",
    "n_unneeded": "unneeded",
    "ppv": "PPV",
    "npv": "NPV",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
_SHARES = ("ppv", "npv", "sensitivity", "specificity")


def policy_rows(policies: Sequence[Policy]) -> list[dict[str, str]]:
    """Return one row a way to refer, as text: counts of 1,000, shares in percent, each with its interval."""
    return [
        {"way to refer": POLICIES[policy.code], **{label: _cell(policy, name) for name, label in MEASURES.items()}}
        for policy in policies
    ]


def _cell(policy: Policy, name: str) -> str:
    one: Estimate = getattr(policy, name)
    scale, unit = (100, " %") if name in _SHARES else (1, "")
    if math.isnan(one.value):
        return "-"
    # As many figures as the interval allows.
    digits = 0 if name in ("n_referred", "n_unneeded") else 1

    def text(value: float) -> str:
        return f"{value * scale:,.{digits}f}"

    value = f"{text(one.value)}{unit}"
    return value if math.isnan(one.low) else f"{value} ({text(one.low)} to {text(one.high)})"


def describe_decisions(
    policies: Sequence[Policy], referrals: Referrals, *, prevalence: float, harm_ratio: float
) -> list[str]:
    """Return the lines that the command prints."""
    lines = [
        f"Measured on {len(referrals.groups)} photos of {len(set(referrals.groups))} lesions, "
        f"{int(referrals.is_malignant.sum())} of the photos cancer or pre-cancer ({referrals.prevalence:.1%}).",
        f"Of 1,000 lesions at a prevalence of {prevalence:.2%}, where one missed cancer weighs as much as "
        f"{harm_ratio:g} unneeded referrals:",
    ]
    for policy, row in zip(policies, policy_rows(policies), strict=True):
        line = "" if math.isnan(policy.line) else f" (from p_malignant {policy.line:.4f})"
        lines.append(f"  {row['way to refer']}{line}")
        lines.append("    " + "; ".join(f"{label} {row[label]}" for label in MEASURES.values()))
    return lines


def best_policies(policies: Sequence[Policy]) -> tuple[str, ...]:
    """Return the codes of the ways to refer whose net benefit may be the highest: the best, and all it may be chance to.

    Each way whose interval reaches the best one's counts, the best first.
    """
    ordered = sorted(policies, key=lambda policy: -policy.net_benefit.value)
    lowest = _bound(ordered[0].net_benefit, "low")
    return tuple(p.code for p in ordered if p is ordered[0] or _bound(p.net_benefit, "high") >= lowest)


def _bound(one: Estimate, side: str) -> float:
    bound: float = getattr(one, side)
    return one.value if math.isnan(bound) else bound
