"""The words of the product as data: metadata, answers, quality, prediction, screening, next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from .metadata import AGE_RANGE_YEARS as AGE_RANGE_YEARS
from .metadata import HISTORY_FIELDS as HISTORY_FIELDS
from .metadata import SIZE_RANGE_MM as SIZE_RANGE_MM
from .metadata import SYMPTOM_FIELDS as SYMPTOM_FIELDS
from .metadata import ImageType as ImageType
from .metadata import Metadata as Metadata
from .metadata import metadata_from_row as metadata_from_row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Status(StrEnum):
    """What became of one photo."""

    ANSWERED = "answered"
    UNSURE = "unsure"
    REFUSED = "refused"


class NextStep(StrEnum):
    """What to do next. Declared in order of urgency, most urgent first."""

    EMERGENCY = "emergency"
    URGENT_2_WEEKS = "urgent_2_weeks"
    SEE_DOCTOR = "see_doctor"
    ROUTINE_CHECK = "routine_check"
    WATCH = "watch"
    NOT_ASSESSED = "not_assessed"

    @property
    def urgency(self) -> int:
        """5 for emergency down to 0 for not_assessed."""
        return len(NextStep) - 1 - list(NextStep).index(self)


def most_urgent(*steps: NextStep) -> NextStep:
    """Return the most urgent of the steps.

    >>> most_urgent(NextStep.WATCH, NextStep.SEE_DOCTOR)
    <NextStep.SEE_DOCTOR: 'see_doctor'>
    """
    return max(steps, key=lambda step: step.urgency)


@dataclass(frozen=True, slots=True)
class Answers:
    """The person's own answers, which overrule any model. None means "prefer not to say".

    Attributes:
        unstoppable_bleeding: Bleeding that does not stop with ten minutes of pressure.
        very_unwell: Fever, fast spreading redness, or feeling very ill with it.
        changing: The lesion changed in size, shape or colour.
        bleeding: It bleeds, oozes or crusts.
        new: It is new and growing, at any age over 18.
        painful: It hurts or itches.
        under_nail: It lies under or beside a nail.
        on_mucosa: It lies inside the mouth, nose, eyelid or genitals.
        worried: The person is worried about it.
        asymmetric, irregular_border, several_colours: What can be seen of it, as the ABCDE list names it.
        large_diameter: It is 7 mm wide or more.
        evolving: It is changing lately.
        inflamed: It is red or swollen.
    """

    unstoppable_bleeding: bool | None = None
    very_unwell: bool | None = None
    changing: bool | None = None
    bleeding: bool | None = None
    new: bool | None = None
    painful: bool | None = None
    under_nail: bool | None = None
    on_mucosa: bool | None = None
    worried: bool | None = None
    asymmetric: bool | None = None
    irregular_border: bool | None = None
    several_colours: bool | None = None
    large_diameter: bool | None = None
    evolving: bool | None = None
    inflamed: bool | None = None


# The signs that a photo shows too; asking for them is offered, and leaving them open keeps nothing out of reach.
OPTIONAL_ANSWERS = ("asymmetric", "irregular_border", "several_colours", "large_diameter", "evolving", "inflamed")
ANSWER_FIELDS = tuple(field.name for field in fields(Answers))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is so: a stable code and one sentence that a person can act on."""

    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class CropBox:
    """A square in photo pixels: left, top and side, all in px; may be set by hand."""

    left_px: int
    top_px: int
    side_px: int
    source: str = "centre"  # "lesion", "centre" or "hand"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Whether a photo can be judged, measured before any class is computed.

    Attributes:
        measures: Name -> value (sharpness, mean_luminance, clipped_share, short_side_px, lesion_share, ...).
        failures: Reasons to refuse, worst first; empty when the photo can be judged.
        warnings: Reasons for care that do not refuse.
    """

    measures: Mapping[str, float]
    failures: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether nothing speaks against showing a class."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's numbers for one photo.

    Attributes:
        codes: Class codes of the model, in its order.
        probabilities: Array of shape (n_classes,); calibrated, at the archive's class mix; sums to 1.
        ham_probabilities: Array of shape (7,) in ``HAM_CODES`` order, by summing.
        predicted: The HAM10000 code shown first (argmax of p over the class's share in the archive).
        p_malignant: Share of cancer or pre-cancer (akiec + bcc + mel), in [0, 1].
        set_90: HAM10000 codes of the 90 % prediction set; never empty.
        set_95: The same at 95 %.
        views_agreeing: How many of the averaged views alone would show ``predicted`` first.
        n_views: How many views were averaged.
        is_above_threshold: Whether ``p_malignant`` reaches the shipped operating threshold.
        is_above_calm_line: Whether it reaches the line below which alone an answer may calm; True where nobody knows.
        disagreement: How far views and members of an ensemble differ: mutual information in nats, from 0.
    """

    codes: tuple[str, ...]
    probabilities: npt.NDArray[np.floating]
    ham_probabilities: npt.NDArray[np.floating]
    predicted: str
    p_malignant: float
    set_90: tuple[str, ...]
    set_95: tuple[str, ...]
    views_agreeing: int
    n_views: int
    is_above_threshold: bool
    is_above_calm_line: bool = True
    disagreement: float = 0.0

    @property
    def is_unsure(self) -> bool:
        """Whether the photo's own flips and rotations disagree, or the 90 % set names four or more classes."""
        return self.views_agreeing * 8 < self.n_views * 5 or len(self.set_90) >= 4


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Whether small changes of one photo (turned, nearer, darker ...) change what the model says of it.

    Attributes:
        changes: Words of each small change that was tried, in order.
        other_class: Of these, those after which another class was shown first.
        other_advice: Of these, those after which the model asked for a doctor where it had not, or no longer did.
        limit: More changed answers than this make the answer unsure.
    """

    changes: tuple[str, ...]
    other_class: tuple[str, ...]
    other_advice: tuple[str, ...]
    limit: int

    @property
    def n_changed(self) -> int:
        """How many small changes changed the class shown first, whether the model asks for a doctor, or both."""
        return len({*self.other_class, *self.other_advice})

    @property
    def is_unsure(self) -> bool:
        """Whether the answer changed more often than the limit allows."""
        return self.n_changed > self.limit


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A labelled photo of the archive that the network finds like the one looked at.

    Attributes:
        image_id, lesion_id: Its names in the archive.
        dx: Its diagnosis, a HAM10000 code.
        similarity: Cosine of the two photos' vectors, in [-1, 1].
    """

    image_id: str
    lesion_id: str
    dx: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ArtefactCheck:
    """What lies over the skin in the square, and what the model answers with it painted over.

    Attributes:
        shares: Name of ``imaging.artefacts.ARTEFACTS`` -> share of the square that it covers, in [0, 1].
        flagged: Names of those that cover enough to look twice.
        prediction: With the flagged ones painted over; None where nothing was flagged.
        square: The uint8 RGB square painted over; None where nothing was flagged.
    """

    shares: Mapping[str, float]
    flagged: tuple[str, ...]
    prediction: Prediction | None = None
    square: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class PhotoScreening:
    """What was found in one photo.

    Attributes:
        name: File name as given; untrusted text.
        status: answered, unsure or refused.
        reason: Why it was refused or is unsure, or (in a batch) what of its metadata was not used; else None.
        quality: The quality report; None when the photo could not be decoded.
        crop: The square that the network saw; None when refused before cropping.
        prediction: With the metadata given; None when refused.
        prediction_without_metadata: With everything unknown; None when refused.
        next_step: For this photo and the person's answers together.
        heat_maps: Class code of the model -> array (h, w) in [0, 1] over the crop; empty unless asked for.
        square: The uint8 RGB square that the network saw; None when refused.
        elapsed_ms: Time spent on this photo.
        similar: Labelled photos of the archive like this one, the nearest first; empty when refused, or none ship.
        repeatability: Whether small changes of the photo change the answer; None when refused, or not asked for.
        artefacts: What lies over the skin, and the answer without it; None when refused, or not asked for.
        heat_maps_plus_plus: As ``heat_maps``, by Grad-CAM++.
        metadata_effects: Field of the metadata that the model was told -> how much higher it makes the share of cancer or
            pre-cancer than the same answer without it, in [-1, 1]; empty unless heat maps were asked for.
        gate_scores: Name of ``trust.gate.GateScores`` -> how far the photo was from what the network knows, and the limits
            that held; empty where it did not come so far, or the model has no gate.
        image_type: How this photo was taken; None where only the screening says it.
        threshold: Of ``p_malignant``, as it held for photos of this type; None where only the screening says it.
    """

    name: str
    status: Status
    reason: Reason | None
    quality: QualityReport | None
    crop: CropBox | None
    prediction: Prediction | None
    prediction_without_metadata: Prediction | None
    next_step: NextStep
    heat_maps: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)
    square: npt.NDArray[np.uint8] | None = None
    elapsed_ms: float = 0.0
    similar: tuple[Neighbour, ...] = ()
    repeatability: Repeatability | None = None
    artefacts: ArtefactCheck | None = None
    heat_maps_plus_plus: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)
    metadata_effects: Mapping[str, float] = field(default_factory=dict)
    gate_scores: Mapping[str, float] = field(default_factory=dict)
    image_type: ImageType | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class CalmRate:
    """How often the model's calm answers were wrong in its test: shares in [0, 1].

    Attributes:
        share: Cancer or pre-cancer among test photos below the threshold.
        low, high: Its 95 % interval; None where undefined.
        prevalence: Cancer or pre-cancer among all test photos.
    """

    share: float
    low: float | None
    high: float | None
    prevalence: float


@dataclass(frozen=True, slots=True)
class PhoneTest:
    """What was measured of a model on photos of a phone or camera, each answered by a network that did not see it.

    Attributes:
        n_photos, n_melanomas: How many there were.
        sensitivity: Share of the cancers and pre-cancers at or above the line, in [0, 1]; None without any.
        low, high: Its 95 % interval; None where undefined.
        melanoma_low: Lower end of the same interval for the melanomas alone; None where undefined.
    """

    n_photos: int
    n_melanomas: int
    sensitivity: float | None
    low: float | None
    high: float | None
    melanoma_low: float | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """The record of one lesion: its photos, what the person said, and what to do next.

    Attributes:
        photos: One entry a photo, in upload order.
        metadata, answers: What was asked and answered.
        image_type: How the photos were taken; of both kinds, clinical, of which less is known. ``type_of`` tells each photo's.
        next_step: The most urgent over photos and answers.
        step_reasons: Why this step, one sentence each, most important first.
        disagreement: A sentence when several photos differ; None otherwise.
        model, model_sha256, engine, app_version: What answered.
        screened_at: ISO 8601 time with zone.
        calm_rate: How often the model's calm answers were wrong in its shipped test; None where none ships.
        phone_test: What was measured of the model on phone photos; None where it did not learn from any.
        threshold: Of ``p_malignant``, as it held for photos of this type; None where unknown.
    """

    photos: tuple[PhotoScreening, ...]
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    next_step: NextStep
    step_reasons: tuple[str, ...]
    disagreement: str | None
    model: str
    model_sha256: str
    engine: str
    app_version: str
    screened_at: str
    calm_rate: CalmRate | None = None
    phone_test: PhoneTest | None = None
    threshold: float | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether its photos were taken in more than one way."""
        return len({self.type_of(photo) for photo in self.photos}) > 1

    def type_of(self, photo: PhotoScreening) -> ImageType:
        """How one of its photos was taken."""
        return photo.image_type or self.image_type

    def by_type(self) -> tuple[Screening, ...]:
        """Return one record a type of photo, with its photos and its threshold; the record itself where there is one type.

        The next step, its reasons and the answers stay those of the whole lesion.
        """
        if not self.is_mixed:
            return (self,)
        groups: dict[ImageType, list[PhotoScreening]] = {}
        for photo in self.photos:
            groups.setdefault(self.type_of(photo), []).append(photo)
        return tuple(replace(self.as_of(photos[0]), photos=tuple(photos)) for photos in groups.values())

    def as_of(self, photo: PhotoScreening) -> Screening:
        """Return the record, all photos in it, as what stands beside one of them must read it: with that photo's type."""
        return replace(self, image_type=self.type_of(photo), threshold=photo.threshold) if self.is_mixed else self
