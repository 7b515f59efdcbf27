"""The index of labelled photos: its search against two other writings, and what happens to a file that is not right."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from dermascan_core.domain import ImageType, Neighbour
from dermascan_core.errors import OutputError, WeightsError
from dermascan_core.taxonomy import HAM_CODES
from dermascan_core.trust.cases import CaseIndex, label_mix, load_cases, save_cases, unit_length
from tests.reference import nearest_by_trying

SHA = "a" * 64
RESTORE = "Restore it from the release, or make it again with: python -m dermascan_core cases build --help"


def make_cases(n=60, d=12, p=5, *, seed=0, n_lesions=None, **changes):
    """A random index; photo i is of lesion i % n_lesions."""
    rng = np.random.default_rng(seed)
    kinds = np.array([kind.value for kind in ImageType])
    values = {
        "model": "fake",
        "model_sha256": SHA,
        "ids": np.array([f"ISIC_{i}" for i in range(n)]),
        "lesion_ids": np.array([f"HAM_{i % (n_lesions or n)}" for i in range(n)]),
        "dx": np.array(HAM_CODES)[rng.integers(7, size=n)],
        "image_types": kinds[(np.arange(n) % 3 == 2).astype(int)],
        "mean": rng.normal(size=d).astype(np.float32),
        "components": np.linalg.qr(rng.normal(size=(d, p)))[0].astype(np.float16),
        "vectors": unit_length(rng.normal(size=(n, p))).astype(np.float16),
        "k": 4,
        "source": "Archive",
        "attribution": "Somebody",
        "licence": "CC0",
        "measured": {"choice": {"rows": [{"k": 4}]}},
    }
    return CaseIndex(**(values | changes))


def test_search_equals_a_slow_second_writing_that_knows_lesions_and_types():
    index = make_cases(n=80, n_lesions=30)
    rng = np.random.default_rng(1)

    for image_type in (None, *ImageType):
        for embedding in rng.normal(size=(10, 12)):
            found = index.search(embedding, 7, image_type=image_type, without_lesions={"HAM_3", "HAM_4"})

            photos = [
                (str(i), str(lesion), str(kind), list(map(float, vector)))
                for i, lesion, kind, vector in zip(
                    index.ids, index.lesion_ids, index.image_types, index.vectors, strict=True
                )
                if image_type is None or kind == image_type.value
            ]
            point = [float(x) for x in (embedding - index.mean) @ index.components.astype(float)]
            expected = nearest_by_trying(point, photos, 7, without={"HAM_3", "HAM_4"})
            assert [one.image_id for one in found] == [image_id for image_id, _ in expected]
            assert [one.similarity for one in found] == pytest.approx([s for _, s in expected], abs=1e-5)


def test_search_equals_scikit_learn_where_every_photo_is_its_own_lesion():
    index = make_cases(n=200)
    embeddings = np.random.default_rng(2).normal(size=(20, 12))
    library = NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(index.vectors.astype(np.float64))

    distances, places = library.kneighbors(index.project(embeddings))

    for embedding, distance, place in zip(embeddings, distances, places, strict=True):
        found = index.search(embedding, 6)
        assert [one.similarity for one in found] == pytest.approx((1 - distance).tolist(), abs=1e-5)
        assert {one.image_id for one in found} <= {f"ISIC_{i}" for i in place}


def test_each_lesion_is_found_once_by_its_nearest_photo():
    index = make_cases(n=60, n_lesions=6)
    embedding = np.random.default_rng(3).normal(size=12)

    found = index.search(embedding, 20)

    assert len(found) == 6
    assert len({one.lesion_id for one in found}) == 6
    similarity = unit_length(index.vectors) @ index.project(embedding)
    for one in found:
        assert one.similarity == pytest.approx(similarity[index.lesion_ids == one.lesion_id].max(), abs=1e-6)


def test_search_gives_as_many_as_the_index_says():
    assert len(make_cases().search(np.ones(12))) == 4


def test_photo_in_the_index_finds_itself_with_similarity_one():
    embeddings = np.random.default_rng(4).normal(size=(30, 12)).astype(np.float32)
    index = make_cases(n=30)
    index = replace(index, vectors=index.project(embeddings).astype(np.float16))

    found = index.search(embeddings[7], 1)

    assert found[0].image_id == "ISIC_7"
    assert found[0].similarity == pytest.approx(1, abs=1e-3)
    assert found[0].similarity <= 1


def test_projection_has_length_one_and_the_mean_itself_stays_at_zero():
    index = make_cases()

    points = index.project(np.stack([index.mean, index.mean + 1]))

    assert np.linalg.norm(points, axis=1) == pytest.approx([0, 1], abs=1e-6)


def test_embedding_of_another_network_is_a_mistake():
    with pytest.raises(ValueError, match=r"Expected embeddings of length 12\. Received: \(3,\)"):
        make_cases().search(np.ones(3))


def test_fewer_dimensions_keep_the_strongest_and_length_one():
    index = make_cases().with_dimensions(2)

    assert index.components.shape == (12, 2)
    assert np.linalg.norm(index.vectors.astype(np.float32), axis=1) == pytest.approx(np.ones(60), abs=1e-3)
    with pytest.raises(ValueError, match=r"Expected 1 to 5 dimensions\. Received: 6"):
        make_cases().with_dimensions(6)


@pytest.mark.parametrize(
    "changes", [{"ids": np.array(["a"])}, {"k": 0}, {"mean": np.zeros(3, np.float32)}, {"vectors": np.zeros(60)}]
)
def test_index_that_disagrees_with_itself_is_a_mistake(changes):
    with pytest.raises(ValueError, match="Expected an index whose shapes agree"):
        make_cases(**changes)


def test_label_mix_of_no_neighbours_is_zero_everywhere():
    assert label_mix([]) == dict.fromkeys(HAM_CODES, 0.0)


def test_label_mix_counts_what_can_be_counted_on_the_cards():
    mix = label_mix([Neighbour(str(i), str(i), dx, 0.5) for i, dx in enumerate(["nv", "nv", "mel", "bcc"])])

    assert {code: share for code, share in mix.items() if share} == {"nv": 0.5, "mel": 0.25, "bcc": 0.25}


def test_saved_index_comes_back_the_same(tmp_path):
    index = make_cases()
    path = tmp_path / "fake.cases.npz"

    save_cases(index, path)
    again = load_cases(path, model_sha256=SHA)

    for name in CaseIndex.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(index, name)), name
        assert getattr(getattr(again, name), "dtype", None) == getattr(getattr(index, name), "dtype", None)
    assert [p.name for p in tmp_path.iterdir()] == ["fake.cases.npz"]


def test_saving_twice_writes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_cases(make_cases(), tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_full_disk_is_told_and_leaves_the_old_index(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="Free some space, or choose another folder"):
        save_cases(make_cases(), tmp_path / "file" / "x.cases.npz")


def test_missing_index_is_one_sentence(tmp_path):
    with pytest.raises(WeightsError) as error:
        load_cases(tmp_path / "fake.cases.npz", model_sha256=SHA)

    assert str(error.value) == f"Expected an index of labelled photos at 'fake.cases.npz'. There is none. {RESTORE}"


def test_index_of_other_weights_names_both(tmp_path):
    save_cases(make_cases(), tmp_path / "fake.cases.npz")

    with pytest.raises(WeightsError) as error:
        load_cases(tmp_path / "fake.cases.npz", model_sha256="b" * 64)

    assert str(error.value) == (
        f"Expected 'fake.cases.npz' to be of the weights with sha256 {'b' * 64}. It is of {SHA}. {RESTORE}"
    )


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9, 0.999])
def test_truncated_index_is_told(share, tmp_path):
    path = tmp_path / "fake.cases.npz"
    save_cases(make_cases(), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with pytest.raises(WeightsError, match=r"The index of labelled photos 'fake\.cases\.npz' cannot be read"):
        load_cases(path, model_sha256=SHA)


def test_every_flipped_byte_is_told_or_harmless(tmp_path):
    path = tmp_path / "fake.cases.npz"
    save_cases(make_cases(n=5, d=3, p=2), path)
    whole = path.read_bytes()

    for place in range(0, len(whole), 37):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = load_cases(path, model_sha256=SHA)
        except WeightsError:
            continue
        assert found.ids.tolist() == [f"ISIC_{i}" for i in range(5)]


def test_array_is_missing_or_of_another_format(tmp_path):
    path = tmp_path / "fake.cases.npz"
    save_cases(make_cases(), path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(tmp_path / "x.npz", "w") as other:
        for name in archive.namelist():
            if name != "vectors.npy":
                other.writestr(name, archive.read(name))
    with pytest.raises(WeightsError, match=re.escape("cannot be read: 'vectors is not a file in the archive'")):
        load_cases(tmp_path / "x.npz", model_sha256=SHA)

    np.savez(tmp_path / "y.npz", about=np.array('{"format": 9}'))
    with pytest.raises(WeightsError, match="format 9 instead of 1"):
        load_cases(tmp_path / "y.npz", model_sha256=SHA)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "x.npz", about=np.array([{"format": 1}], dtype=object))

    with pytest.raises(WeightsError, match="cannot be read"):
        load_cases(tmp_path / "x.npz", model_sha256=SHA)
