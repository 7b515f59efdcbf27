import re
from pathlib import Path

import numpy as np

from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import file_sha256
from dermascan_core.services import doctor
from dermascan_core.storage.places import read_places
from tests.fakes import FakePredictor, write_fake_weights
from tests.services.test_similar_cases import write_index

ROOT = Path(__file__).resolve().parents[2]


def _write_weights(folder, *, sha256=None):
    folder.mkdir(exist_ok=True)
    write_fake_weights(folder, **({"sha256": sha256} if sha256 else {}))
    return folder


def test_sound_installation_passes_every_check(tmp_path):
    (tmp_path / "requirements.txt").write_text(f"numpy=={np.__version__}  # pinned\n")

    checks = list(
        doctor.check_installation(
            weights_dir=_write_weights(tmp_path / "weights"),
            data_dir=tmp_path / "data",
            requirements=tmp_path / "requirements.txt",
            places=read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")}),
            load=lambda model, engine: FakePredictor(),
        )
    )

    assert [(c.name, c.is_well) for c in checks] == [
        ("Python", True),
        ("packages", True),
        ("weights fake", True),
        ("disk", True),
        ("engine fake", True),
    ]
    assert "probabilities add up to 1.0000" in checks[-1].found
    assert not (tmp_path / "data").exists()  # looking leaves nothing behind
    assert not (tmp_path / "records").exists()


def test_unsupported_python_is_told_which_to_install():
    check = doctor.check_python((3, 13))

    assert not check.is_well
    assert check.found.startswith("3.13 on ")
    assert check.advice == "Install Python 3.11 or 3.12 and make the environment again with: make run"


def test_package_of_another_version_is_named_with_both(tmp_path):
    pins = tmp_path / "requirements.txt"
    pins.write_text("numpy==1.0.0\nno-such-package==2.0 ; platform_system == 'Linux'\n")

    check = doctor.check_packages(pins)

    assert not check.is_well
    assert check.found == f"numpy {np.__version__} (expected 1.0.0); no-such-package missing (expected 2.0)"


def test_pins_of_this_project_are_understood():
    check = doctor.check_packages(ROOT / "requirements.txt")

    assert check.is_well, check.found
    assert re.fullmatch(r"\d+ as pinned", check.found)


def test_altered_weights_are_named_with_both_hashes(tmp_path):
    (check,) = doctor.check_weights(_write_weights(tmp_path, sha256="0" * 64))

    found = file_sha256(tmp_path / "fake.keras")
    assert not check.is_well
    assert check.found == (
        f"The weights 'fake.keras' differ from their manifest: expected sha256 {'0' * 64}, found {found}. "
        "Restore both from the same release."
    )


def test_evaluation_of_other_weights_is_named(tmp_path):
    _write_weights(tmp_path)
    path = tmp_path / "fake.evaluation" / "test" / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": 1, "model": {"sha256": "beef"}}')

    weights, evaluation = doctor.check_weights(tmp_path)

    assert weights.is_well
    assert (evaluation.name, evaluation.is_well) == ("evaluation fake, test", False)
    assert evaluation.found.startswith("Expected the evaluation 'test' of 'fake' to be of its weights, sha256 ")
    assert "It is of beef." in evaluation.found


def test_evaluation_of_these_weights_is_well(tmp_path):
    _write_weights(tmp_path)
    path = tmp_path / "fake.evaluation" / "test" / "metrics.json"
    path.parent.mkdir(parents=True)
    sha256 = file_sha256(path.parents[2] / "fake.keras")
    path.write_text(f'{{"schema": 1, "model": {{"sha256": "{sha256}"}}, "data": {{"n_predicted": 12}}}}')

    _, evaluation = doctor.check_weights(tmp_path)

    assert (evaluation.is_well, evaluation.found) == (True, "of these weights, 12 photos")


def test_empty_weights_folder_is_told_to_be_restored(tmp_path):
    (check,) = doctor.check_weights(tmp_path)

    assert (check.is_well, check.found) == (False, f"no manifest in '{tmp_path}'")
    assert check.advice.startswith("Restore the folder weights/")


def test_disk_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)

    check = doctor.check_disk(tmp_path / "data")

    assert (check.is_well, check.found) == (False, f"'{tmp_path}' cannot be written (Read-only file system)")


def test_full_disk_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1_000_000}))

    check = doctor.check_disk(tmp_path)

    assert not check.is_well
    assert check.advice == "Free some space: at least 0.5 GB."


def test_engine_that_does_not_load_gives_its_reason():
    def load(model, engine):
        raise WeightsError("The weights are missing.")

    check = doctor.check_engine("dermascan", "keras", load)

    assert (check.is_well, check.found) == (False, "The weights are missing.")


def test_engine_whose_answer_is_no_probability_is_caught():
    check = doctor.check_engine("fake", "fake", lambda model, engine: _Broken())

    assert not check.is_well
    assert check.advice == "The network's answer is no probability: restore weights/ and the pinned packages."


class _Broken(FakePredictor):
    def _probabilities(self, square, metadata):
        return np.full(8, np.nan)


def test_index_of_similar_photos_is_checked_against_the_weights(tmp_path):
    folder = _write_weights(tmp_path / "weights")
    write_index(folder, sha256=file_sha256(folder / "fake.keras"))

    well = doctor.check_weights(folder)[-1]
    write_index(folder, sha256="f" * 64)
    wrong = doctor.check_weights(folder)[-1]

    assert (well.name, well.is_well, well.found) == ("similar photos fake", True, "of these weights, 4 labelled photos")
    assert (wrong.name, wrong.is_well) == ("similar photos fake", False)
    assert f"It is of {'f' * 64}." in wrong.found
