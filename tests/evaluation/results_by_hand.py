"""Results made by hand for the tests of what is measured from them."""

import numpy as np

from dermascan_core.domain import ImageType, Metadata, NextStep, Status
from dermascan_core.evaluation.results import PhotoResult
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.tables import LabelledPhoto
from dermascan_core.taxonomy import HAM_MALIGNANT, ham_code
from tests.fakes import CODES, fake_manifest

MANIFEST = fake_manifest(threshold=0.3)


def result(
    image_id,
    dx,
    probabilities,
    *,
    lesion_id="",
    patient_id="",
    metadata=None,
    step=NextStep.SEE_DOCTOR,
    image_type=ImageType.DERMOSCOPIC,
    confirmed_by="",
    is_malignant=None,
):
    """One result; ``probabilities`` maps class codes to shares, nevus takes the rest."""
    row = np.zeros(len(CODES))
    for code, share in probabilities.items():
        row[CODES.index(code)] = share
    row[CODES.index("nv")] += 1 - row.sum()
    photo = LabelledPhoto(
        image_id,
        dx,
        ham_code(dx) in HAM_MALIGNANT if is_malignant is None else is_malignant,
        metadata or Metadata(),
        lesion_id=lesion_id,
        patient_id=patient_id,
        confirmed_by=confirmed_by,
    )
    prediction = prediction_from_views(row[np.newaxis], MANIFEST)
    return PhotoResult(photo, prediction, Status.ANSWERED, None, step, image_type)


def random_results(seed, n, *, prefix="p", codes=CODES, lesions=None):
    """n results with random probabilities that lean towards the truth."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        dx = codes[rng.integers(len(codes))]
        p = rng.dirichlet(np.ones(len(CODES)) * 0.6 + 1.5 * (np.array(CODES) == dx))
        lesion = f"{prefix}L{i if lesions is None else i % lesions}"
        made.append(result(f"{prefix}{i}", dx, dict(zip(CODES, p, strict=True)), lesion_id=lesion))
    return made
