"""Knowledge distillation: a network learns the mean answer of finished ones beside the labels.

Consistent and patient (Beyer et al. 2022): teachers see the very square that the student sees, augmented and mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ..errors import TrainingError
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT, classifier
from .presets import Preset


@dataclass(frozen=True, slots=True)
class Teacher:
    """A finished network and the mix of classes that it answers for.

    Attributes:
        model: Of ``dual_branch.build_dual_branch`` or ``serving_model``; of any input size.
        codes: Its classes, in the order of its logits.
        sampling_shares: Shares of the classes that its loss saw, (n_classes,).
        metadata_fields: Its metadata columns.
    """

    model: keras.Model
    codes: tuple[str, ...]
    sampling_shares: npt.NDArray[np.floating]
    metadata_fields: tuple[str, ...]


def with_teacher(
    model: keras.Model,
    teachers: Sequence[Teacher],
    preset: Preset,
    *,
    codes: Sequence[str],
    sampling_shares: npt.NDArray[np.floating],
    metadata_fields: Sequence[str],
) -> keras.Model:
    """Let a network learn from teachers: its loss becomes (1 - w) loss + w T^2 KL(teachers || student).

    Both sides of the divergence are softened by the temperature T; the teachers' answer is the mean of their
    probabilities, each first brought from its own mix of classes to the student's. Teachers are frozen, and are neither
    saved with the network nor counted among its weights: only its loss knows them. So a network that was loaded again
    needs its teachers again.

    Args:
        model: The student, to be compiled as usual, before or after.
        teachers: At least one.
        preset: Its ``teacher_weight`` and ``teacher_temperature`` count.
        codes, sampling_shares, metadata_fields: The student's, as in ``Teacher``.

    Returns:
        The same model.

    Raises:
        TrainingError: If there is no teacher, or one knows other classes or metadata than the student.

    Reference: Beyer et al. (2022), https://arxiv.org/abs/2106.05237; the factor T^2: Hinton et al. (2015),
    https://arxiv.org/abs/1503.02531; the change of mix: Menon et al. (2021), https://arxiv.org/abs/2007.07314
    """
    if not teachers:
        raise TrainingError("Expected at least one teacher. Received none. Name a finished run, or train without.")
    for teacher in teachers:
        _refuse_other(teacher, codes, metadata_fields)
    answers = [_answering(teacher, np.asarray(sampling_shares, np.float64)) for teacher in teachers]
    student_loss, weight, temperature = model.compute_loss, preset.teacher_weight, preset.teacher_temperature

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        own = student_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        logits = y_pred[0] if isinstance(y_pred, (list, tuple)) else y_pred  # beside a mask
        mean = sum(answer(x) for answer in answers) / len(answers)
        return (1 - weight) * own + weight * distance(mean, logits, temperature=temperature)

    # Set on this one object: a class of its own would be written into every file that the network is saved to.
    model.compute_loss = compute_loss
    return model


def distance(teacher_probabilities: Any, student_logits: Any, *, temperature: float) -> Any:
    """Return T^2 KL(teacher || student) at a temperature, the mean over photos.

    Args:
        teacher_probabilities: Array (n, n_classes), rows summing to 1.
        student_logits: Array of the same shape.
        temperature: Above 0; 1 leaves both sides as they are.
    """
    log_teacher = ops.log(ops.maximum(ops.cast(teacher_probabilities, "float32"), 1e-12))
    log_teacher = ops.log_softmax(log_teacher / temperature, axis=-1)
    log_student = ops.log_softmax(ops.cast(student_logits, "float32") / temperature, axis=-1)
    return temperature**2 * ops.mean(ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), axis=-1))


def _refuse_other(teacher: Teacher, codes: Sequence[str], metadata_fields: Sequence[str]) -> None:
    for what, theirs, ours in (
        ("classes", teacher.codes, codes),
        ("metadata fields", teacher.metadata_fields, metadata_fields),
    ):
        if tuple(theirs) != tuple(ours):
            raise TrainingError(
                f"Expected a teacher with the student's {what} in its order, {', '.join(ours)}. "
                f"Received {', '.join(theirs)}. Choose another teacher, or train both on the same data."
            )


def _answering(teacher: Teacher, sampling_shares: npt.NDArray[np.float64]) -> Any:
    """Return a function from a batch's inputs to the teacher's probabilities at the student's mix."""
    network = classifier(teacher.model)
    network.trainable = False
    own_px = network.inputs[0].shape[1]
    shift = np.log(np.maximum(sampling_shares, 1e-12)) - np.log(np.maximum(teacher.sampling_shares, 1e-12))

    def answer(x: Any) -> Any:
        image = x[IMAGE_INPUT]
        if image.shape[1] != own_px:
            image = ops.image.resize(image, (own_px, own_px), interpolation="bilinear", data_format="channels_last")
        logits = network([image, x[METADATA_INPUT]], training=False)
        return ops.stop_gradient(ops.softmax(ops.cast(logits, "float32") + shift.astype(np.float32), axis=-1))

    return answer
