import json
from dataclasses import replace

import pytest

from dermascan_core.domain import ImageType, PhoneTest
from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import file_sha256, load_manifest, save_manifest
from tests.fakes import fake_manifest, phone_manifest


@pytest.fixture
def path(tmp_path):
    save_manifest(fake_manifest(), tmp_path / "fake.json")
    return tmp_path / "fake.json"


def _change(path, **values):
    data = json.loads(path.read_text())
    data.update(values)
    path.write_text(json.dumps(data))


def test_manifest_comes_back_as_it_was_written(path):
    assert load_manifest(path) == fake_manifest()


def test_without_a_calm_threshold_the_threshold_is_the_line(path):
    assert load_manifest(path).calm_line == 0.2
    _change(path, calm_threshold=0.05)
    assert load_manifest(path).calm_line == 0.05
    data = json.loads(path.read_text())
    del data["calm_threshold"]  # of before there was one
    path.write_text(json.dumps(data))
    assert load_manifest(path).calm_line == 0.2


def test_ham_shares_sum_the_classes_behind_each_code():
    shares = fake_manifest().ham_shares

    assert shares["akiec"] == pytest.approx(0.033, abs=1e-9)
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 9}, "Expected manifest format 1 in 'fake.json'. Received 9. Update the program."),
        ({"name": "other"}, "holds the name 'other', but the file is 'fake.json'"),
        ({"codes": ["mel", "nv"]}, "holds 2 codes, but [2, 8] shares"),
        ({"codes": ["x"] * 8}, "unknown class codes"),
        ({"temperature": 0}, "holds the temperature 0"),
        ({"threshold": 1.5}, "holds the threshold 1.5"),
        ({"calm_threshold": 0.21}, "holds the calm threshold 0.21, and 0.2 as threshold"),
        ({"calm_threshold": -0.1}, "holds the calm threshold -0.1"),
        ({"preprocess": {}}, "cannot be understood: 'input_px'"),
        ({"n_views": 0}, "holds 0 views"),
        ({"conformal": {"90": {}}}, "90 and 95 with every class are needed"),
    ],
)
def test_manifest_that_contradicts_itself_stops_loading(path, change, message):
    _change(path, **change)

    with pytest.raises(WeightsError) as error:
        load_manifest(path)
    assert message in str(error.value)


def test_missing_manifest_and_broken_json_are_said(tmp_path, path):
    with pytest.raises(WeightsError, match="It cannot be read"):
        load_manifest(tmp_path / "none.json")
    path.write_text("{")
    with pytest.raises(WeightsError, match="is not JSON"):
        load_manifest(path)


def test_json_that_is_no_object_is_said(path):
    path.write_text("[1]")

    with pytest.raises(WeightsError) as error:
        load_manifest(path)
    assert str(error.value) == "Expected manifest format 1 in 'fake.json'. Received list. Update the program."


def test_missing_field_is_named(path):
    data = json.loads(path.read_text())
    del data["temperature"]
    path.write_text(json.dumps(data))

    with pytest.raises(WeightsError, match=r"lacks temperature\. Restore it from the release"):
        load_manifest(path)


def test_file_sha256_of_known_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")

    assert file_sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def _clinical(**changes):
    manifest = fake_manifest()
    own = {
        "class_shares": [1 / 8] * 8,
        "sampling_shares": [1 / 8] * 8,
        "temperature": 2.0,
        "threshold": 0.4,
        "threshold_rule": "of phone photos",
        "conformal": {level: dict(limits) for level, limits in manifest.conformal.items()},
    }
    return own | changes


def test_photos_of_a_phone_are_judged_by_their_own_settings(path):
    _change(path, clinical=_clinical())
    manifest = load_manifest(path)

    clinical = manifest.as_for(ImageType.CLINICAL)

    assert (clinical.temperature, clinical.threshold, clinical.class_shares[0]) == (2.0, 0.4, 1 / 8)
    assert manifest.as_for(ImageType.DERMOSCOPIC) is manifest
    assert manifest.as_for(None) is manifest
    assert fake_manifest().as_for(ImageType.CLINICAL) == fake_manifest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0}, "holds the temperature 0"),
        ({"class_shares": [1.0]}, r"holds 8 codes, but \[1, 8\] shares"),
        ({"class_shares": [-1.0] * 8}, "holds shares outside 0 to 1"),
        ({"threshold": None}, "cannot be understood"),
        ({"conformal": []}, "cannot be understood"),
    ],
)
def test_clinical_settings_that_contradict_themselves_stop_loading(path, changes, message):
    _change(path, clinical=_clinical(**changes))

    with pytest.raises(WeightsError, match=message):
        load_manifest(path)


def test_clinical_settings_are_whole(path):
    own = _clinical()
    del own["conformal"]
    _change(path, clinical=own)

    with pytest.raises(WeightsError, match=r"lacks conformal of its clinical part"):
        load_manifest(path)


def test_phone_test_is_the_evaluation_with_most_phone_photos():
    manifest = phone_manifest(n_photos=400, n_melanomas=12, low=0.86)
    small = {"data": {"n_predicted": 60, "n_by_class": {"mel": 2}}, "summary": {"sensitivity_at_threshold": {}}}
    both = phone_manifest().metrics | {"test-phone": small}

    assert manifest.phone_test == PhoneTest(400, 12, 0.93, 0.86, 0.97, melanoma_low=0.86)
    assert replace(manifest, metrics=both).phone_test == manifest.phone_test


def test_model_that_learnt_from_no_phone_photo_or_was_not_measured_has_no_phone_test():
    measured = phone_manifest()

    assert fake_manifest().phone_test is None
    assert replace(measured, metrics={}).phone_test is None
    assert replace(measured, clinical=None).phone_test is None


def test_measures_of_phone_photos_that_cannot_be_read_stop_loading(path):
    _change(path, clinical=_clinical(), metrics={"test-phone": {"data": {"n_predicted": 60}}})

    with pytest.raises(WeightsError, match="cannot be understood: 'summary'"):
        load_manifest(path)
