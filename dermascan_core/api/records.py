"""What the answers hold, for OpenAPI: the records that ``reports.export`` writes, field by field.

Answers are written by ``reports.export`` alone; these classes describe them, and a test holds both to each other.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Described(BaseModel):
    """A record without surprises: a field that is not described here is a mistake."""

    model_config = ConfigDict(extra="forbid")


class ReasonRecord(Described):
    """A stable code, and a sentence for a person."""

    code: str
    sentence: str


class QualityRecord(Described):
    """Whether a photo can be judged."""

    measures: dict[str, float | None]
    failures: list[ReasonRecord]
    warnings: list[ReasonRecord]


class CropRecord(Described):
    """The square that the network saw, in px of the upright photo."""

    left_px: int
    top_px: int
    side_px: int
    source: str


class PredictionRecord(Described):
    """The model's numbers: shares among archive photos like this one, not a person's chance of cancer."""

    probabilities: dict[str, float]
    ham_probabilities: dict[str, float]
    predicted: str
    p_malignant: float = Field(
        description="Cancer or pre-cancer: melanoma, basal and squamous cell carcinoma, actinic keratosis."
    )
    is_above_threshold: bool
    is_above_calm_line: bool = Field(description="Whether the share is too large for the answer to calm.")
    set_90: list[str]
    set_95: list[str]
    views_agreeing: int
    n_views: int
    is_unsure: bool


class RepeatabilityRecord(Described):
    """Whether small changes of the photo change its answer."""

    changes: list[str]
    other_class: list[str]
    other_advice: list[str]
    limit: int
    n_changed: int


class SimilarRecord(Described):
    """A labelled photo of the archive like this one."""

    image_id: str
    lesion_id: str
    dx: str
    similarity: float


class PhotoRecord(Described):
    """What was found in one photo."""

    name: str
    image_type: str
    threshold: float | None = Field(description="As above, for photos of this type.")
    status: str = Field(description="answered, unsure or refused. A refused photo has no class.")
    reason: ReasonRecord | None
    next_step: str
    quality: QualityRecord | None
    gate_scores: dict[str, float] = Field(
        description="How unlike what the network learnt from; empty when not reached."
    )
    crop: CropRecord | None
    prediction: PredictionRecord | None
    prediction_without_metadata: PredictionRecord | None
    prediction_without_artefacts: PredictionRecord | None = Field(
        description="With hair, ink and the like painted over; null where nothing lay over the skin. The more urgent counts."
    )
    repeatability: RepeatabilityRecord | None
    similar_photos: list[SimilarRecord]
    elapsed_ms: float
    calm_rate_text: str | None
    heat_maps: dict[str, list[list[float]]] | None = Field(
        None, description="With explain=true: class -> Grad-CAM, 0 to 1."
    )
    heat_maps_mean: str | None = None
    metadata_effects: dict[str, float] | None = Field(
        None, description="With explain=true: how much higher each field makes p_malignant."
    )


class ScreeningRecord(Described):
    """One lesion: what was asked, answered and advised, with its limits."""

    schema_version: str
    disclaimer: str
    screened_at: str
    app_version: str
    model: str
    model_sha256: str
    engine: str
    threshold: float | None = Field(description="Of p_malignant: a doctor is advised from here on.")
    image_type: str
    metadata: dict[str, Any]
    answers: dict[str, bool | None]
    next_step: str = Field(
        description="emergency, urgent_2_weeks, see_doctor, routine_check, watch or not_assessed; the most urgent first."
    )
    next_step_title: str
    next_step_text: str
    how_soon: str
    step_reasons: list[str]
    report: list[str]
    disagreement: str | None
    fusion: str | None = Field(description="Of photos taken in two ways; null here, where all are of one type.")
    not_checked: list[str]
    probabilities_mean: str
    tested_on: str
    calm_rate: dict[str, float | None] | None
    photos: list[PhotoRecord]


class FailedPart(BaseModel):
    """A part of a study that was not used: the attributes of a STOW-RS failure, and why in words."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    part: int = Field(description="Place in the body, from 1.")
    content_type: str
    failure_reason: dict[str, Any] = Field(
        alias="00081197", description="Failure Reason (PS3.18, 6.6.1.3).", examples=[{"vr": "US", "Value": [290]}]
    )
    sentence: str


class StudyRecord(BaseModel):
    """What became of the instances of one lesion: screened, or failed."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    screening: ScreeningRecord
    failed: list[FailedPart] = Field(alias="00081198", description="Failed SOP Sequence; empty where all were used.")


class JobRecord(Described):
    """A batch."""

    id: str
    state: str = Field(description="waiting, running, done or failed.")
    n_photos: int
    n_done: int
    eta_s: float | None = Field(description="Seconds until it is done; null where nothing was measured yet.")
    created_at: str
    finished_at: str | None
    keep_until: str | None = Field(description="When it is removed by itself; null while it is not done.")
    statuses: dict[str, int] = Field(description="How many photos were answered, unsure, refused; empty until done.")
    next_steps: dict[str, int]
    notes: list[str] = Field(description="What of the metadata was not used, and the like; known when done.")
    error: str | None
    results: str = Field(description="Where the lines are once it is done.")


class ModelRecord(Described):
    """A model that ships, in brief."""

    name: str
    version: str
    classes: list[str]
    backbone: str
    input_px: int
    n_views: int
    metadata_fields: list[str]
    sha256: str
    licence: str
    measured: list[str]
    is_answering: bool
    engine: str | None = Field(description="What runs it; null for one that does not answer here.")


class HealthRecord(Described):
    """Whether the server is alive."""

    status: str
    app_version: str


class ReadyRecord(Described):
    """Whether the server can answer."""

    status: str
    model: str
    model_sha256: str
    engine: str
    n_waiting: int
    withheld: Literal["none", "calm", "all"]
