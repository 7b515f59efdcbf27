"""Stress tests with a predictor that looks at colours only: what is counted, and against what."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import NextStep
from dermascan_core.errors import DatasetError
from dermascan_core.evaluation import stress_report
from dermascan_core.evaluation.damage import SMALL_CHANGES, STRESSES
from dermascan_core.evaluation.stress import StressedPhoto, all_damages, sample_photos, stress_photos
from dermascan_core.evaluation.stress_report import build_stress, describe_stress, run_stress
from dermascan_core.tables import LabelledPhoto
from tests.evaluation.results_by_hand import MANIFEST, result
from tests.fakes import FakePredictor, fake_photo, photo_bytes

MEL, NV = {"mel": 0.9}, {}


def _stressed(number, dx, clean, damaged=None, *, contrast=30.0, views=(), heat=0.5, share=0.25, **changed_steps):
    """A photo with one answer when clean and, by damage, another."""
    results = {}
    for name in all_damages():
        answer = (damaged or {}).get(name, clean)
        step = changed_steps.get(name.replace(".", "_"), NextStep.SEE_DOCTOR)
        results[name] = result(f"p{number}", dx, answer, lesion_id=f"L{number}", step=step)
    return StressedPhoto(results, tuple(views), contrast, heat, share)


def _build(stressed):
    return build_stress(stressed, MANIFEST, engine="fake", seed=0, n_resamples=50)


def _values(measures):
    return {name: estimate["value"] for name, estimate in measures.items()}


def test_what_is_kept_is_a_share_of_the_clean_accuracy():
    right = [_stressed(i, "mel", MEL) for i in range(3)] + [_stressed(i, "nv", NV) for i in range(3, 5)]
    lost = _stressed(5, "mel", MEL, {"blur": NV, "ink": NV})
    wrong_when_clean = [_stressed(i, "nv", MEL) for i in range(6, 10)]

    stress = _build([*right, lost, *wrong_when_clean])

    by_name = {row["name"]: _values(row["measures"]) for row in stress["stresses"]}
    assert stress["clean"]["accuracy"]["value"] == 0.6
    assert by_name["blur"]["accuracy"] == 0.5
    assert by_name["blur"]["accuracy_kept"] == pytest.approx(5 / 6, abs=1e-6)
    assert by_name["blur"]["melanoma_sensitivity_at_threshold"] == 0.75
    assert by_name["hair"]["accuracy_kept"] == 1.0
    assert stress["kept"]["mean_accuracy_kept"]["value"] == pytest.approx((11 + 2 * 5 / 6) / 13, abs=1e-6)
    assert stress["kept"]["worst_accuracy_kept"]["name"] == "blur"


def test_balanced_accuracy_kept_counts_each_class_alike():
    stressed = [_stressed(i, "nv", NV) for i in range(8)]
    stressed += [_stressed(i, "mel", MEL, {"blur": NV} if i == 8 else None) for i in range(8, 10)]

    (blur,) = [row for row in _build(stressed)["stresses"] if row["name"] == "blur"]

    assert blur["measures"]["balanced_accuracy_kept"]["value"] == pytest.approx(0.75)
    assert blur["measures"]["accuracy_kept"]["value"] == pytest.approx(0.9)


def test_intervals_are_paired_so_that_photos_lost_either_way_do_not_widen_them():
    always_half = [_stressed(i, "nv", NV if i % 2 else MEL) for i in range(40)]

    (blur,) = [row for row in _build(always_half)["stresses"] if row["name"] == "blur"]

    # Unpaired, the share of two halves would wander by a third; the same photos are right and wrong both times.
    # Photo by photo alike in every resample: paired, or the interval would be wide. No width claims nothing.
    assert blur["measures"]["accuracy_kept"] == {"value": 1.0, "low": None, "high": None}
    assert blur["measures"]["accuracy"]["low"] < 0.5


def test_changed_and_calmer_steps_are_counted_apart():
    stressed = [
        _stressed(0, "nv", NV, blur=NextStep.ROUTINE_CHECK, zoom_0_9=NextStep.URGENT_2_WEEKS),
        _stressed(1, "nv", NV, blur=NextStep.URGENT_2_WEEKS),
        *(_stressed(i, "nv", NV) for i in range(2, 4)),
    ]

    stress = _build(stressed)

    blur = _values(next(row["measures"] for row in stress["stresses"] if row["name"] == "blur"))
    assert (blur["next_step_changed"], blur["next_step_calmer"]) == (0.5, 0.25)
    assert stress["next_step_changed"]["worst"]["name"] == "zoom_0.9"
    assert stress["next_step_changed"]["worst"]["value"] == 0.25
    assert stress["next_step_changed"]["mean"]["value"] == pytest.approx(0.25 / len(SMALL_CHANGES), abs=1e-6)


def test_single_views_are_compared_with_the_upright_one_and_with_each_other():
    doctor, urgent = NextStep.SEE_DOCTOR, NextStep.URGENT_2_WEEKS
    stressed = [
        _stressed(0, "nv", NV, views=[doctor] * 8),
        _stressed(1, "nv", NV, views=[doctor] * 7 + [urgent]),
    ]

    views = _values(_build(stressed)["single_views"])

    assert views["changed_from_upright"] == pytest.approx(1 / 14, abs=1e-6)
    assert views["changed_from_averaged"] == pytest.approx(1 / 16, abs=1e-6)
    assert views["two_views_differ"] == pytest.approx(7 / 28 / 2, abs=1e-6)
    assert views["any_view_differs"] == 0.5


def test_without_single_views_nothing_is_said_of_them():
    stress = _build([_stressed(0, "nv", NV), _stressed(1, "mel", MEL)])

    assert stress["single_views"] is None
    assert not any("single views" in line for line in describe_stress(stress))


def test_low_pigment_melanomas_are_those_of_the_palest_tenth_or_too_few():
    pale = [_stressed(i, "mel", NV if i else MEL, contrast=3.0) for i in range(5)]
    others = [_stressed(i, "nv" if i % 2 else "mel", NV if i % 2 else MEL, contrast=20 + i) for i in range(5, 50)]

    enough, too_few = _build([*pale, *others])["low_pigment"], _build([*pale[:4], *others])["low_pigment"]

    assert (enough["n"], enough["too_few"]) == (5, False)
    assert enough["clean"]["sensitivity_at_threshold"]["value"] == pytest.approx(0.2)
    assert enough["clean"]["sensitivity_of_other_melanomas"]["value"] == 1.0
    assert set(enough["stresses"]) == {damage.name for damage in STRESSES}
    assert (too_few["n"], too_few["too_few"], too_few["clean"]) == (4, True, None)
    assert stress_report.MIN_MELANOMAS == 5


def test_heat_inside_the_lesion_is_told_beside_what_a_blind_look_would_have():
    stressed = [_stressed(0, "nv", NV, heat=0.6, share=0.2), _stressed(1, "nv", NV, heat=0.1, share=0.2)]
    stressed.append(_stressed(2, "nv", NV, heat=float("nan"), share=float("nan")))

    heat = _values(_build(stressed)["heat_map"])

    assert heat == {
        "heat_in_lesion": pytest.approx(0.35),
        "lesion_share": pytest.approx(0.2),
        "mostly_outside": pytest.approx(0.5),
    }


def test_labels_without_a_class_have_the_cancer_measures_alone():
    photo = _stressed(0, "nv", NV)
    bare = replace(photo.results["clean"].photo, dx="", is_malignant=True)
    only_target = replace(photo, results={k: replace(r, photo=bare) for k, r in photo.results.items()})

    stress = _build([only_target, _stressed(1, "nv", NV)])

    assert "accuracy" not in stress["clean"]
    assert stress["kept"]["worst_accuracy_kept"] is None
    assert describe_stress(stress)


@pytest.fixture
def folder(tmp_path):
    """Three photos and a broken one: (photos, files)."""
    photos, files = [], {}
    for number, (dx, colour) in enumerate([("mel", (40, 25, 20)), ("nv", (120, 70, 50)), ("nv", (150, 100, 80))]):
        path = tmp_path / f"ISIC_{number}.png"
        path.write_bytes(photo_bytes(fake_photo(width=300, height=225, lesion=colour), "PNG"))
        photos.append(LabelledPhoto(f"ISIC_{number}", dx, dx == "mel", lesion_id=f"L{number}"))
        files[f"ISIC_{number}"] = path
    broken = tmp_path / "ISIC_9.png"
    broken.write_bytes(b"broken")
    return [*photos, LabelledPhoto("ISIC_9", "nv", False)], files | {"ISIC_9": broken}


def test_whole_pipeline_is_stressed_and_written(folder, tmp_path):
    seen = []

    stress = run_stress(
        FakePredictor(), *folder, out=tmp_path / "out", on_progress=lambda done, total: seen.append((done, total))
    )

    assert json.loads((tmp_path / "out" / "stress.json").read_text()) == stress
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *("accuracy-kept.png", "melanoma-sensitivity.png", "next-step-changed.png", "stress.json"),
    ]
    assert (stress["data"]["n"], stress["data"]["n_melanoma"], stress["data"]["detail_px"]) == (3, 1, 150)
    assert stress["stresses"][1]["measures"]["accuracy"]["value"] is not None
    assert seen[-1] == (4, 4)


def test_damage_is_done_before_the_lesion_is_looked_for(folder):
    photos, files = folder

    stressed = stress_photos(FakePredictor(), [photos[0], photos[2]], files, seed=0)

    # A colour-blind crop of the clean photo, damaged afterwards, would keep the ruler out of a zoomed square.
    dark = stressed[0].results
    assert dark["darker"].prediction.ham_probabilities[4] > dark["clean"].prediction.ham_probabilities[4]
    assert dark["lighter"].prediction.ham_probabilities[4] < dark["clean"].prediction.ham_probabilities[4]
    assert 0 < stressed[0].heat_in_lesion <= 1
    assert stressed[0].contrast > stressed[1].contrast


def test_stress_comes_out_again(folder):
    photos, files = folder

    first, again = (stress_photos(FakePredictor(), photos[:1], files, seed=0)[0] for _ in range(2))

    for name, one in first.results.items():
        assert one.prediction.p_malignant == again.results[name].prediction.p_malignant


def test_folder_without_photos_is_refused(folder, tmp_path):
    photos, _ = folder

    with pytest.raises(DatasetError, match=r"^Expected photos for the 4 rows of the labels table\. None of them"):
        run_stress(FakePredictor(), photos, {}, out=tmp_path)


def test_sample_keeps_every_diagnosis_in_its_share():
    photos = [LabelledPhoto(f"a{i}", "nv", False) for i in range(80)]
    photos += [LabelledPhoto(f"b{i}", "mel", True) for i in range(19)] + [LabelledPhoto("c", "df", False)]

    chosen = sample_photos(photos, limit=20, seed=0)

    counts = {dx: sum(p.dx == dx for p in chosen) for dx in ("nv", "mel", "df")}
    assert counts == {"nv": 16, "mel": 4, "df": 1}
    assert chosen == sample_photos(photos, limit=20, seed=0)
    assert chosen != sample_photos(photos, limit=20, seed=1)
    assert sample_photos(photos, limit=0, seed=0) == photos
    assert [photos.index(p) for p in chosen] == sorted(photos.index(p) for p in chosen)


def test_single_views_of_a_real_engine_come_from_the_same_network():
    from dermascan_core.model.predictor import EnginePredictor
    from tests.fakes import fake_manifest

    class Engine:
        name, heads, takes_any_batch = "stub", (), False

    predictor = EnginePredictor(fake_manifest(), Engine())

    assert predictor.with_views(1).manifest == replace(predictor.manifest, n_views=1)
    assert np.array_equal(predictor.with_views(1).manifest.codes, predictor.manifest.codes)
