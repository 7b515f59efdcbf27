"""Learning from teachers: the divergence against NumPy, the mix of classes, and what stays out of the student."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from dermascan_core.errors import TrainingError
from dermascan_core.model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from dermascan_core.training.distill import Teacher, distance, with_teacher
from dermascan_core.training.losses import ClassLoss
from dermascan_core.training.presets import PRESETS

CODES, FIELDS, SHARES = ("mel", "nv", "bcc"), ("sex",), np.array([0.2, 0.5, 0.3])
PRESET = replace(PRESETS["smoke"], teacher_weight=0.4, teacher_temperature=3.0)
STUDENT = {"codes": CODES, "sampling_shares": SHARES, "metadata_fields": FIELDS}


def network(*, side=8, seed=1, dtype=None):
    """A few weights in the shape of a dual branch."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((side, side, 3), name=IMAGE_INPUT)
    metadata = keras.Input((3,), name=METADATA_INPUT)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    joined = keras.layers.Dropout(0.5)(keras.layers.Concatenate()([pooled, metadata]))
    logits = keras.layers.Dense(3, name="logits", kernel_initializer="random_normal", dtype=dtype)(joined)
    return keras.Model([image, metadata], logits)


def teacher(**changes):
    values = {"model": network(seed=2), "codes": CODES, "sampling_shares": SHARES, "metadata_fields": FIELDS}
    return Teacher(**(values | changes))


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    inputs = {
        IMAGE_INPUT: rng.uniform(0, 255, (6, 8, 8, 3)).astype(np.float32),
        METADATA_INPUT: rng.normal(size=(6, 3)).astype(np.float32),
    }
    return inputs, np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]


def softmax(logits):
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def answer_of(model, inputs):
    return np.asarray(model([inputs[IMAGE_INPUT], inputs[METADATA_INPUT]], training=False))


def compiled(teachers, preset=PRESET, model=None):
    model = with_teacher(model or network(), teachers, preset, **STUDENT)
    model.compile(optimizer=keras.optimizers.SGD(0.5), loss=ClassLoss(), jit_compile=False)
    return model


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distance_equals_its_slow_definition(temperature):
    rng = np.random.default_rng(3)
    p, logits = rng.dirichlet(np.ones(4), 5), rng.normal(0, 2, (5, 4))

    expected = 0.0
    for row, z in zip(p, logits, strict=True):
        soft = row ** (1 / temperature) / (row ** (1 / temperature)).sum()
        own = np.exp(z / temperature) / np.exp(z / temperature).sum()
        expected += temperature**2 * sum(s * np.log(s / o) for s, o in zip(soft, own, strict=True)) / 5

    assert float(distance(p, logits, temperature=temperature)) == pytest.approx(expected, rel=1e-4)


def test_loss_joins_labels_and_the_mean_of_two_teachers(batch):
    inputs, targets = batch
    teachers = [teacher(model=network(seed=2)), teacher(model=network(seed=3))]
    model = compiled(teachers)

    found = model.test_on_batch(inputs, targets)

    mean = np.mean([softmax(answer_of(t.model, inputs)) for t in teachers], axis=0)
    logits = answer_of(model, inputs)
    own = float(ClassLoss()(targets, logits))
    expected = 0.6 * own + 0.4 * float(distance(mean, logits, temperature=3.0))
    assert float(np.ravel(found)[0]) == pytest.approx(expected, rel=1e-4)


def test_teacher_is_brought_to_the_students_mix_of_classes(batch):
    inputs, targets = batch
    theirs = np.array([0.6, 0.2, 0.2])
    one = teacher(sampling_shares=theirs)
    model = compiled([one], replace(PRESET, teacher_weight=1.0, teacher_temperature=1.0))

    found = model.test_on_batch(inputs, targets)

    p = softmax(answer_of(one.model, inputs)) / theirs * SHARES
    p /= p.sum(axis=1, keepdims=True)
    expected = float(distance(p, answer_of(model, inputs), temperature=1.0))
    assert float(np.ravel(found)[0]) == pytest.approx(expected, rel=1e-4)


def test_student_comes_to_answer_as_its_teacher_and_the_teacher_stays(batch):
    inputs, targets = batch
    one = teacher()
    before = [w.copy() for w in one.model.get_weights()]
    model = compiled([one], replace(PRESET, teacher_weight=1.0))
    gap = np.abs(softmax(answer_of(model, inputs)) - softmax(answer_of(one.model, inputs))).max()

    for _ in range(60):
        model.train_on_batch(inputs, targets)

    assert np.abs(softmax(answer_of(model, inputs)) - softmax(answer_of(one.model, inputs))).max() < gap / 3
    assert all(np.array_equal(a, b) for a, b in zip(before, one.model.get_weights(), strict=True))


def test_teacher_of_another_input_size_sees_the_photo_resized(batch):
    inputs, targets = batch
    model = compiled([teacher(model=network(side=16))])

    assert np.isfinite(model.train_on_batch(inputs, targets)).all()


def test_teacher_sees_the_augmented_batch_of_the_same_step(batch):
    inputs, targets = batch
    changed = {**inputs, IMAGE_INPUT: inputs[IMAGE_INPUT] * 0.5}
    only_teacher = replace(PRESET, teacher_weight=1.0)
    model = network()
    model.set_weights([w * 0 for w in model.get_weights()])  # a student that always says the same
    model = compiled([teacher()], only_teacher, model)

    one, other = (float(np.ravel(model.test_on_batch(x, targets))[0]) for x in (inputs, changed))

    assert one != pytest.approx(other, rel=1e-4)


def test_weight_zero_leaves_the_loss_as_it_was(batch):
    inputs, targets = batch
    model = compiled([teacher()], replace(PRESET, teacher_weight=0.0))

    found = float(np.ravel(model.test_on_batch(inputs, targets))[0])

    assert found == pytest.approx(float(ClassLoss()(targets, answer_of(model, inputs))), rel=1e-5)


def test_student_is_saved_without_its_teachers_and_goes_on_with_them(batch, tmp_path):
    inputs, targets = batch
    model = compiled([teacher()])
    model.train_on_batch(inputs, targets)
    model.save(tmp_path / "student.keras")

    again = keras.saving.load_model(tmp_path / "student.keras")
    again = with_teacher(again, [teacher()], PRESET, **STUDENT)

    assert len(model.weights) == len(again.weights) == 2
    assert type(again) is type(network())
    assert np.array_equal(answer_of(again, inputs), answer_of(model, inputs))
    assert float(np.ravel(again.test_on_batch(inputs, targets))[0]) == pytest.approx(
        float(np.ravel(model.test_on_batch(inputs, targets))[0]), rel=1e-6
    )


def test_student_with_a_mask_head_learns_classes_from_the_teacher(batch):
    inputs, targets = batch
    plain = network()
    mask = keras.layers.Conv2D(1, 1, name="mask")(plain.inputs[0])
    model = keras.Model(plain.inputs, [plain.output, mask])
    model = with_teacher(model, [teacher()], PRESET, **STUDENT)
    model.compile(optimizer="sgd", loss=[ClassLoss(), "mse"], loss_weights=[1.0, 0.1], jit_compile=False)

    assert np.isfinite(model.train_on_batch(inputs, (targets, np.zeros((6, 8, 8, 1), np.float32)))).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"codes": ("nv", "mel", "bcc")},
            "Expected a teacher with the student's classes in its order, mel, nv, bcc. Received nv, mel, bcc. "
            "Choose another teacher, or train both on the same data.",
        ),
        (
            {"metadata_fields": ("age_approx",)},
            "Expected a teacher with the student's metadata fields in its order, sex. Received age_approx. "
            "Choose another teacher, or train both on the same data.",
        ),
    ],
)
def test_teacher_that_speaks_of_other_things_is_refused(changes, message):
    with pytest.raises(TrainingError) as error:
        with_teacher(network(), [teacher(**changes)], PRESET, **STUDENT)

    assert str(error.value) == message


def test_no_teacher_is_refused():
    with pytest.raises(TrainingError) as error:
        with_teacher(network(), [], PRESET, **STUDENT)

    assert str(error.value) == ("Expected at least one teacher. Received none. Name a finished run, or train without.")
