import json

import pytest

from dermascan_core.errors import WeightsError
from dermascan_core.services.performance import available_evaluations, load_evaluation


def _write(folder, which, content):
    path = folder / "dermascan.evaluation" / which / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)


def test_evaluations_are_listed_with_the_main_ones_first(tmp_path):
    for which in ("outside", "test-no-metadata", "test"):
        _write(tmp_path, which, "{}")

    assert available_evaluations("dermascan", weights_dir=tmp_path) == ("test", "test-no-metadata", "outside")


def test_evaluation_is_what_evaluate_wrote(tmp_path):
    _write(tmp_path, "test", json.dumps({"schema": 1, "summary": {}}))

    assert load_evaluation("dermascan", "test", weights_dir=tmp_path) == {"schema": 1, "summary": {}}


@pytest.mark.parametrize(
    ("name", "which"), [("dermascan", "train"), ("../dermascan", "test"), ("dermascan", "../test")]
)
def test_missing_evaluation_names_those_there_are(tmp_path, name, which):
    _write(tmp_path / "weights", "test", '{"schema": 1}')

    with pytest.raises(WeightsError) as error:
        load_evaluation(name, which, weights_dir=tmp_path / "weights")

    there = "none" if name == "../dermascan" else "test"
    assert str(error.value) == (
        f"Expected an evaluation '{which}' of the model '{name}'. There are: {there}. "
        "Restore the weights folder from the release, or make one with: python -m dermascan_core evaluate --help"
    )


def test_damaged_evaluation_says_what_to_do(tmp_path):
    _write(tmp_path, "test", '{"schema": ')

    with pytest.raises(WeightsError, match="The evaluation 'test' of 'dermascan' cannot be read: Expecting value"):
        load_evaluation("dermascan", "test", weights_dir=tmp_path)


def test_evaluation_of_another_schema_is_refused(tmp_path):
    _write(tmp_path, "test", '{"schema": 7}')

    with pytest.raises(WeightsError) as error:
        load_evaluation("dermascan", "test", weights_dir=tmp_path)

    assert str(error.value) == (
        "Expected schema 1 in the evaluation 'test' of 'dermascan'. Received 7. Evaluate again with this version."
    )
