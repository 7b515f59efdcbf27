"""The manifest beside each weights file: what the numbers mean, what they were measured on, and which file they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..domain import ImageType, PhoneTest
from ..errors import WeightsError
from ..imaging.preprocess import PreprocessConfig
from ..taxonomy import CLASS_BY_CODE, HAM_CODES, ham_code

FORMAT = 1
# What turns logits into an answer. These stand inside the weights file too, and must agree with the manifest.
DECISION_FIELDS = (
    "codes",
    "preprocess",
    "metadata_fields",
    "class_shares",
    "sampling_shares",
    "temperature",
    "threshold",
    "conformal",
    "n_views",
    "clinical",
)
LATER_DECISION_FIELDS = ("calm_threshold",)  # not in the files of releases from before it was sealed
# What a model that was trained on photos without a dermatoscope too decides differently for them.
CLINICAL_FIELDS = ("class_shares", "sampling_shares", "temperature", "threshold", "threshold_rule", "conformal")
_OPTIONAL = ("data", "training", "metrics", "engines", "clinical", "calm_threshold")
# Where a model was measured on phone photos that its networks had not seen; the one with most photos counts.
PHONE_EVALUATIONS = ("cross-validation-phone", "test-phone")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything needed to use a weights file, and to check that it is the right one.

    Attributes:
        name: Model name; the weights are ``<name>.keras`` beside the manifest.
        version: Release version of the weights.
        backbone: Key of ``backbones.BACKBONES``.
        codes: Class codes in the order of the network's logits.
        preprocess: The one preprocessing.
        metadata_fields: Fields with a path into the network, in column order.
        class_shares: Share of each code in the training archive; probabilities are at this mix.
        sampling_shares: Share of each code among the training draws; divided out of the probabilities.
        temperature: Divides the logits; fitted on the validation fold.
        threshold: Operating threshold on ``p_malignant``.
        threshold_rule: How the threshold was chosen, in words.
        conformal: Level ("90", "95") -> HAM10000 code -> least probability to enter the prediction set.
        n_views: Flips and quarter turns averaged.
        data: Name, source, licence, split hash, counts and validation fold of the training data.
        training: Recipe and course of the run.
        metrics: Evaluation name -> measures with intervals, as ``evaluate`` wrote them.
        licence: Terms of the weights.
        sha256: Of the weights file.
        engines: Name of an exported engine -> its files with their SHA-256, and how far it agrees with Keras.
        calm_threshold: Below it alone an answer may calm, see ``calm_line``. Sealed in the weights file from the next release
            on; in those of before, no value of it can calm more than ``threshold`` does.
        clinical: ``CLINICAL_FIELDS`` for photos of a phone or camera, where the model learnt from such; else None.
    """

    name: str
    version: str
    backbone: str
    codes: tuple[str, ...]
    preprocess: PreprocessConfig
    metadata_fields: tuple[str, ...]
    class_shares: tuple[float, ...]
    sampling_shares: tuple[float, ...]
    temperature: float
    threshold: float
    threshold_rule: str
    conformal: Mapping[str, Mapping[str, float]]
    n_views: int
    licence: str
    sha256: str
    data: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    engines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    clinical: Mapping[str, Any] | None = None
    calm_threshold: float | None = None

    @property
    def calm_line(self) -> float:
        """The share of cancer or pre-cancer that an answer must stay below to calm; the threshold where none was fitted."""
        return self.threshold if self.calm_threshold is None else self.calm_threshold

    def as_for(self, image_type: ImageType | None) -> Manifest:
        """Return what holds for photos of this type: other shares, temperature, threshold and sets for clinical ones.

        A model that learnt from dermoscopic photos alone answers every type alike.
        """
        if image_type is not ImageType.CLINICAL or self.clinical is None:
            return self
        own = {name: self.clinical[name] for name in CLINICAL_FIELDS}
        shares = {name: tuple(own[name]) for name in ("class_shares", "sampling_shares")}
        return replace(self, **(own | shares), clinical=None, calm_threshold=self.clinical.get("calm_threshold"))

    @property
    def ham_shares(self) -> dict[str, float]:
        """HAM10000 code -> its share in the training archive."""
        shares = dict.fromkeys(HAM_CODES, 0.0)
        for code, share in zip(self.codes, self.class_shares, strict=True):
            shares[ham_code(code)] += share
        return shares

    @property
    def phone_test(self) -> PhoneTest | None:
        """What was measured of the model on phone photos; None where it did not learn from any, or was not measured."""
        found = [self.metrics[name] for name in PHONE_EVALUATIONS if name in self.metrics]
        if self.clinical is None or not found:
            return None
        largest = max(found, key=lambda one: one["data"]["n_predicted"])
        data, sensitivity = largest["data"], largest["summary"]["sensitivity_at_threshold"]
        of_melanoma = largest["summary"].get("melanoma_sensitivity_at_threshold") or {}
        return PhoneTest(
            data["n_predicted"],
            data["n_by_class"]["mel"],
            sensitivity=sensitivity["value"],
            low=sensitivity["low"],
            high=sensitivity["high"],
            melanoma_low=of_melanoma.get("low"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as written to disk."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {"format": FORMAT, **values, "preprocess": self.preprocess.to_dict()}


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        WeightsError: If it is missing, not JSON, lacks a field, or contradicts itself; names the values.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"Expected a manifest at '{path}'. It cannot be read. Restore the weights folder from the release."
        ) from error
    except ValueError as error:
        raise WeightsError(f"The manifest '{path.name}' is not JSON: {error}. Restore it from the release.") from error
    found = data.get("format") if isinstance(data, dict) else type(data).__name__
    if found != FORMAT:
        raise WeightsError(f"Expected manifest format {FORMAT} in '{path.name}'. Received {found}. Update the program.")
    names = {name for name in Manifest.__slots__ if name not in _OPTIONAL}
    if missing := sorted(names - set(data)):
        raise WeightsError(f"The manifest '{path.name}' lacks {', '.join(missing)}. Restore it from the release.")
    try:
        manifest = Manifest(
            **{name: data[name] for name in Manifest.__slots__ if name in data}
            | {name: tuple(data[name]) for name in ("codes", "metadata_fields", "class_shares", "sampling_shares")}
            | {"preprocess": PreprocessConfig.from_dict(data["preprocess"])}
        )
        _check(manifest, path)
        if manifest.clinical is not None:
            if missing := sorted(set(CLINICAL_FIELDS) - set(manifest.clinical)):
                raise WeightsError(
                    f"The manifest '{path.name}' lacks {', '.join(missing)} of its clinical part. "
                    "Restore it from the release."
                )
            _check(manifest.as_for(ImageType.CLINICAL), path)
            _ = manifest.phone_test  # found out here rather than beside a person's photo
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"The manifest '{path.name}' cannot be understood: {error}. Restore it from the release."
        ) from error
    return manifest


def _check(manifest: Manifest, path: Path) -> None:
    sizes = {len(manifest.codes), len(manifest.class_shares), len(manifest.sampling_shares)}
    problems = [
        (len(sizes) > 1, f"{len(manifest.codes)} codes, but {sorted(sizes)} shares"),
        (
            not all(0 <= share <= 1 for share in (*manifest.class_shares, *manifest.sampling_shares)),
            "shares outside 0 to 1",
        ),
        (not set(manifest.codes) <= set(CLASS_BY_CODE), f"unknown class codes in {list(manifest.codes)}"),
        (manifest.name != path.stem, f"the name '{manifest.name}', but the file is '{path.name}'"),
        (not manifest.temperature > 0, f"the temperature {manifest.temperature}"),
        (not 0 <= manifest.threshold <= 1, f"the threshold {manifest.threshold}"),
        (
            not 0 <= manifest.calm_line <= manifest.threshold,
            f"the calm threshold {manifest.calm_threshold}, and {manifest.threshold} as threshold",
        ),
        (not 1 <= manifest.n_views <= 8, f"{manifest.n_views} views"),
        (
            any(set(manifest.conformal.get(level, ())) != set(HAM_CODES) for level in ("90", "95")),
            f"prediction sets for {', '.join(manifest.conformal) or 'no level'}; 90 and 95 with every class are needed",
        ),
    ]
    for is_wrong, what in problems:
        if is_wrong:
            raise WeightsError(f"The manifest '{path.name}' holds {what}. Restore it from the release.")


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(manifest.to_dict(), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
