"""Building the index of similar labelled photos: what is in it, what is chosen where, and what is written."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError
from dermascan_core.services import models
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.case_index import (
    Looked,
    build_cases,
    choose_settings,
    make_index,
    make_queries,
    principal_components,
)
from dermascan_core.training.data import load_dataset
from dermascan_core.trust.cases import cases_file, load_cases
from tests.fakes import FakePredictor, fake_manifest

SHA = "c" * 64


class ColourfulPredictor(FakePredictor):
    """Its embedding is what a network could see: colours of the middle and of the edge."""

    def _one(self, square, metadata, explain):
        output = super()._one(square, metadata, explain)
        middle = square[60:100, 60:100].mean(axis=(0, 1))
        return replace(output, embedding=np.concatenate([middle, square[:20].mean(axis=(0, 1))]))


def make_predictor(**data):
    known = {"validation_fold": 0, "name": "Archive", "source": "Somebody", "licence": "CC0"} | data
    return ColourfulPredictor(manifest=fake_manifest(sha256=SHA, data=known))


@pytest.fixture(scope="module")
def built(generated_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    dataset = load_dataset(generated_dataset)
    predictor = make_predictor(split_sha256=dataset.split_sha256)
    index, record = build_cases(predictor, dataset, weights_dir=folder, measure_test=True)
    return index, record, folder, dataset


def test_index_holds_the_training_split_and_no_test_photo(built):
    index, record, _, dataset = built

    assert set(index.ids.tolist()) == {p.image_id for p in dataset.part(split="train")}
    assert record["index"]["n_photos"] == len(index) == len(set(index.ids.tolist()))
    assert record["index"]["n_by_class"] == {"bcc": 8, "bkl": 8, "mel": 8, "nv": 16}
    assert set(index.image_types.tolist()) == {"dermoscopic"}
    assert (index.source, index.attribution, index.licence) == ("Archive", "Somebody", "CC0")


def test_what_is_written_is_what_was_built(built):
    index, record, folder, _ = built

    stored = load_cases(cases_file(folder, "fake"), model_sha256=SHA)
    assert np.array_equal(stored.vectors, index.vectors)
    assert (stored.k, stored.measured) == (index.k, index.measured)
    assert json.loads((folder / "fake.evaluation" / "similar-cases" / "retrieval.json").read_text()) == record


def test_choice_is_the_best_row_of_the_validation_fold_and_test_is_measured_with_it(built):
    index, record, _, dataset = built

    choice = record["choice"]
    assert choice["n"] == len([p for p in dataset.part(split="train") if p.fold == "0"])
    assert choose_settings(choice["rows"]) == (index.components.shape[1], index.k)
    assert record["measured_on"] == "test"
    assert record["types"]["dermoscopic"]["n"] == len(dataset.part(split="test"))
    assert record["is_the_models_split"] is True


def test_without_test_the_validation_fold_is_measured_and_said(generated_dataset, tmp_path):
    dataset = load_dataset(generated_dataset)

    _, record = build_cases(make_predictor(), dataset, weights_dir=tmp_path)

    assert record["measured_on"] == "validation fold"
    assert record["types"]["dermoscopic"]["n"] == record["choice"]["n"]
    assert record["is_the_models_split"] is False


def test_building_twice_writes_the_same_bytes(generated_dataset, tmp_path):
    dataset = load_dataset(generated_dataset)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        build_cases(make_predictor(), dataset, weights_dir=tmp_path / name)

    assert (tmp_path / "a" / "fake.cases.npz").read_bytes() == (tmp_path / "b" / "fake.cases.npz").read_bytes()


def test_manifest_without_a_validation_fold_is_refused(generated_dataset, tmp_path):
    predictor = FakePredictor(manifest=fake_manifest())

    with pytest.raises(DatasetError) as error:
        build_cases(predictor, load_dataset(generated_dataset), weights_dir=tmp_path)

    assert str(error.value) == "Expected the manifest of 'fake' to name its validation fold. Release it again."


def _looked(photos, embeddings):
    square = np.full((1, 160, 160, 3), 90, np.uint8)
    output = FakePredictor().predict(square, [photos[0].metadata])[0]
    return Looked(photos, [replace(output, embedding=row) for row in embeddings])


def _photos(*rows):
    return [
        LabelledPhoto(image_id, "nv", False, lesion_id=lesion, patient_id=patient) for image_id, lesion, patient in rows
    ]


def test_own_lesion_is_never_found_though_it_is_nearest():
    photos = _photos(("a1", "A", ""), ("a2", "A", ""), ("b", "B", ""), ("c", "C", ""))
    embeddings = np.array([[1.0, 0, 0], [1.0, 0.01, 0], [0, 1.0, 0], [0, 0, 1.0]])
    index = make_index(embeddings, photos, model="fake", model_sha256=SHA, n_dimensions=3)

    queries = make_queries(index, _looked(photos[:2], embeddings[:2]))

    assert [{one.lesion_id for one in query.neighbours} for query in queries] == [{"B", "C"}, {"B", "C"}]


def test_own_patient_s_other_lesions_are_never_found():
    photos = _photos(("a", "A", "P"), ("b", "B", "P"), ("c", "C", "Q"), ("d", "D", ""))
    embeddings = np.array([[1.0, 0, 0], [1.0, 0.01, 0], [0, 1.0, 0], [0, 0, 1.0]])
    index = make_index(embeddings, photos, model="fake", model_sha256=SHA, n_dimensions=3)

    queries = make_queries(index, _looked(photos[:2], embeddings[:2]))

    assert [{one.lesion_id for one in query.neighbours} for query in queries] == [{"C", "D"}, {"C", "D"}]


def test_phone_photos_are_searched_among_phone_photos_alone():
    photos = _photos(("a", "A", ""), ("b", "B", ""), ("c", "C", ""), ("d", "D", ""))
    photos = [replace(p, metadata=replace(p.metadata, image_type=ImageType.CLINICAL)) for p in photos[:2]] + photos[2:]
    embeddings = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [1, 0.1, 0], [0, 0, 1.0]])
    index = make_index(embeddings, photos, model="fake", model_sha256=SHA, n_dimensions=3)

    phone, dermatoscope = make_queries(index, _looked([photos[0], photos[2]], embeddings[[0, 2]]))

    assert [one.image_id for one in phone.neighbours] == ["b"]
    assert [one.image_id for one in dermatoscope.neighbours] == ["d"]


def test_components_are_scikit_learn_s():
    embeddings = np.random.default_rng(0).normal(size=(100, 8)) * np.arange(1, 9)

    mean, components = principal_components(embeddings, 3)

    library = PCA(n_components=3, svd_solver="full").fit(embeddings)
    assert mean == pytest.approx(library.mean_, abs=1e-5)
    assert np.abs((library.components_ * components.T).sum(axis=1)) == pytest.approx(np.ones(3), abs=1e-3)
    assert (components[np.abs(components).argmax(axis=0), np.arange(3)] > 0).all()


def test_command_builds_and_says_what_it_reached(generated_dataset, tmp_path, monkeypatch):
    predictor = make_predictor()
    monkeypatch.setattr(models, "load_predictor", lambda name, engine, weights_dir: predictor)

    result = CliRunner().invoke(
        cli.app, ["cases", "build", "fake", "--data", str(generated_dataset), "--weights-dir", str(tmp_path), "--test"]
    )

    assert result.exit_code == 0, result.output
    assert (tmp_path / "fake.cases.npz").is_file()
    assert "fake: 40 photos of 30 lesions, 6 dimensions" in result.output
    assert "On 8 dermoscopic photos (test):" in result.output
    assert "nearest photo has the right label: " in result.output
    assert "Warning: the model was trained with another split" in result.output
