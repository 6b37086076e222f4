"""How units share the work, and what each of them is active for.

``active`` is always ``(T, K)`` bool, the steps of all sequences one after another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Balance:
    """How evenly the steps are shared between the units.

    Attributes:
        entropy: of the units' parts in all activity, relative to log K: 1 is even, 0 is one unit alone.
        variation: coefficient of variation of the shares (standard deviation over mean): 0 is even.
    """

    entropy: float
    variation: float


@dataclass(frozen=True)
class Information:
    """What knowing whether a unit is active tells about a label, in bits.

    Attributes:
        bits: of each unit, ``(K,)``.
        chance: the mean with labels shuffled, ``(K,)``: what so few steps give where there is nothing to be told.
        chance_high: the 95th percentile with labels shuffled, ``(K,)``.
        label_entropy: of the labels alone: what a unit can tell at most.
    """

    bits: np.ndarray
    chance: np.ndarray
    chance_high: np.ndarray
    label_entropy: float


@dataclass(frozen=True)
class Overlap:
    """Which units serve two data sets; a unit serves one if it is active at no fewer than an even share of its steps.

    Attributes:
        jaccard: units that serve both over units that serve either.
        weighted: sum of the smaller over sum of the larger of each unit's two shares, which needs no threshold.
        both: units that serve both.
        only_first: units that serve the first alone.
        only_second: units that serve the second alone.
    """

    jaccard: float
    weighted: float
    both: list[int]
    only_first: list[int]
    only_second: list[int]


def active_share(active: np.ndarray) -> np.ndarray:
    """The share of steps at which each unit is active, ``(K,)``.

    Raises:
        ValueError: if ``active`` is not ``(T, K)`` bool with at least one step.
    """
    return _checked(active).mean(axis=0)


def load_balance(active: np.ndarray) -> Balance:
    """How evenly the units of ``active`` share the steps; a single unit is even.

    Raises:
        ValueError: as :func:`active_share`, or if no unit is active at any step.
    """
    shares = active_share(active)
    if not shares.any():
        raise ValueError(f"no unit is active at any of {len(active)} steps")
    even = math.log2(len(shares))
    return Balance(
        entropy=float(_entropy(shares / shares.sum()) / even) if even else 1.0,
        variation=float(shares.std() / shares.mean()),
    )


def share_by_label(active: np.ndarray, labels: np.ndarray, num_labels: int) -> np.ndarray:
    """The share of the steps of each label at which each unit is active, ``(num_labels, K)``; NaN without such steps.

    Raises:
        ValueError: as :func:`active_share`, or for labels that do not fit.
    """
    steps = _one_hot(labels, _checked(active), num_labels)
    with np.errstate(invalid="ignore"):
        return steps.T @ active.astype(float) / steps.sum(axis=0)[:, None]


def mutual_information(
    active: np.ndarray, labels: np.ndarray, *, permutations: int = 200, seed: int = 0
) -> Information:
    """The mutual information between the activity of each unit and a label of the step.

    Estimated from counts, which is never below 0 and above 0 by chance; hence the shuffled labels beside it. Shuffling
    treats steps as independent: where label and activity both change slowly, chance is higher than it says.

    Args:
        active: ``(T, K)`` bool.
        labels: ``(T,)`` integers from 0.
        permutations: how often the labels are shuffled.
        seed: of the shuffling.

    Raises:
        ValueError: as :func:`active_share`, for labels that do not fit, or less than one permutation.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    steps = _one_hot(labels, _checked(active), None)
    random = np.random.default_rng(seed)
    weights = active.astype(float)
    shuffled = np.stack([_information(weights, random.permutation(steps)) for _ in range(permutations)])
    return Information(
        bits=_information(weights, steps),
        chance=shuffled.mean(axis=0),
        chance_high=np.quantile(shuffled, 0.95, axis=0),
        label_entropy=float(_entropy(steps.mean(axis=0))),
    )


def overlap(first: np.ndarray, second: np.ndarray) -> Overlap:
    """How far the same units of a layer serve two data sets; both ``(T, K)``, of any numbers of steps.

    Raises:
        ValueError: as :func:`load_balance`, or if the numbers of units differ.
    """
    shares = [active_share(active) for active in (first, second)]
    if len(shares[0]) != len(shares[1]):
        raise ValueError(f"both must have as many units, got {len(shares[0])} and {len(shares[1])}")
    for active, share in zip((first, second), shares, strict=True):
        if not share.any():
            raise ValueError(f"no unit is active at any of {len(active)} steps")
    # Shares that are all equal in truth may differ in their last bits from their mean.
    serves = [share >= share.mean() * (1 - 1e-9) for share in shares]
    both, either = serves[0] & serves[1], serves[0] | serves[1]
    return Overlap(
        jaccard=float(both.sum() / either.sum()),
        weighted=float(np.minimum(*shares).sum() / np.maximum(*shares).sum()),
        both=np.flatnonzero(both).tolist(),
        only_first=np.flatnonzero(serves[0] & ~serves[1]).tolist(),
        only_second=np.flatnonzero(serves[1] & ~serves[0]).tolist(),
    )


def _information(active: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """Bits ``(K,)`` from activity ``(T, K)`` and labels ``(T, C)``, both 0 or 1."""
    joint = np.stack([active.T @ one_hot, (1 - active).T @ one_hot]) / len(active)  # (2, K, C)
    entropies = _entropy(joint.sum(axis=2), axis=0) + _entropy(joint.sum(axis=0)) - _entropy(joint, axis=(0, 2))
    return np.maximum(entropies, 0)  # rounding


def _entropy(probabilities: np.ndarray, axis: int | tuple[int, ...] = -1) -> np.ndarray:
    """In bits, over ``axis``; 0 log 0 = 0."""
    logs = np.log2(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities, dtype=float))
    return -(probabilities * logs).sum(axis=axis)


def _one_hot(labels: np.ndarray, active: np.ndarray, num_labels: int | None) -> np.ndarray:
    """Labels as ``(T, C)`` of 0 and 1; ValueError where they do not fit ``active``."""
    labels = np.asarray(labels)
    if labels.shape != active.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be {len(active)} integers, got {labels.dtype} of shape {labels.shape}")
    count = int(labels.max()) + 1 if num_labels is None else num_labels
    if labels.min() < 0 or labels.max() >= count:
        raise ValueError(f"labels must be in [0, {count - 1}], got {labels.min()} to {labels.max()}")
    return np.eye(count)[labels]


def _checked(active: np.ndarray) -> np.ndarray:
    if active.ndim != 2 or active.dtype != bool or not active.size:
        raise ValueError(
            f"active must be (T, K) bool with at least one step, got {active.dtype} of shape {active.shape}"
        )
    return active
