"""What a smaller network loses, counted by hand, and the page made of it."""

import json
from dataclasses import replace

import pytest

from dermascan_core.domain import Status
from dermascan_core.evaluation.compression import measure_loss
from dermascan_core.evaluation.compression_page import describe_compression, render_page
from tests.contract.tree import ROOT
from tests.evaluation.results_by_hand import result

REFERENCE = [
    result("a", "mel", {"mel": 0.8}),
    result("b", "mel", {"mel": 0.6}),
    result("c", "nv", {"mel": 0.1}),
    result("d", "nv", {"mel": 0.2}),
]
# One melanoma falls below one nevus: of four pairs, three are in order.
WORSE = [
    result("a", "mel", {"mel": 0.8}),
    result("b", "mel", {"mel": 0.15}),
    result("c", "nv", {"mel": 0.1}),
    result("d", "nv", {"mel": 0.2}),
]


def test_loss_is_reference_less_variant():
    measured = measure_loss(REFERENCE, WORSE, n_resamples=50)

    assert measured["quality"]["malignant_auc"] == pytest.approx(0.75)
    assert measured["loss"]["malignant_auc"]["value"] == pytest.approx(0.25)
    assert 0 <= measured["loss"]["malignant_auc"]["low"] <= 0.25 <= measured["loss"]["malignant_auc"]["high"]
    assert measured["agreement"]["max_probability_difference"] == pytest.approx(0.45)


def test_same_answers_lose_nothing():
    measured = measure_loss(REFERENCE, REFERENCE, n_resamples=20)

    assert measured["loss"]["malignant_auc"]["value"] == 0
    assert measured["agreement"]["n_next_steps_differing"] == 0


def test_other_photos_are_refused():
    with pytest.raises(ValueError, match="Expected the same photos in the same order"):
        measure_loss(REFERENCE, WORSE[:3])


def _measured(*names, with_odd_operator=False):
    rows = [
        {
            "name": name,
            "what": f"what {name} is",
            "size_bytes": 10_000_000 // place,
            "zipped_bytes": 9_000_000 // place,
            "ms_a_photo": 40.0 * place,
            "operators": {"CONV_2D": 2, **({"DEQUANTIZE": 3} if with_odd_operator else {})},
            **measure_loss(REFERENCE, REFERENCE if place == 1 else WORSE, n_resamples=20),
        }
        for place, name in enumerate(names, start=1)
    ]
    data = {
        "of": "fold 0, which validated the model",
        "n_photos": 4,
        "n_malignant": 2,
        "n_in_fold": 8,
        "n_calibration": 128,
        "n_views": 8,
        "large_kernel": 32,
    }
    return {"model": {"name": "small", "version": "1", "sha256": "f" * 64}, "data": data, "rows": rows}


def test_page_and_terminal_name_every_variant_with_its_figures():
    measured = _measured("float32", "float16", "int8, nearest", "int8", "integer")

    page, lines = render_page(measured), describe_compression(measured)

    assert "| float16 | what float16 is | 5.0 | 4.5 | 80 |" in page
    assert "| int8 | 0.750 (+0.250: " in page
    assert len(lines) == 6
    assert lines[1].startswith("float32            10.0 MB, zipped 9.0 MB, 40 ms; macro AUC")


def test_refused_photos_are_counted():
    refused = [replace(one, status=Status.REFUSED) for one in WORSE[:1]] + WORSE[1:]

    assert measure_loss(REFERENCE, refused, n_resamples=10)["n_refused"] == 1


@pytest.mark.parametrize(
    ("with_odd_operator", "told"),
    [
        (False, "Its operators: CONV_2D (2). All are on the published list"),
        (
            True,
            "Not on the published list of what an Edge TPU's compiler accepts: DEQUANTIZE; these and all that follows",
        ),
    ],
)
def test_page_says_what_an_edge_tpu_would_not_run(with_odd_operator, told):
    page = render_page(_measured("float32", "integer", with_odd_operator=with_odd_operator))

    assert told in page
    assert "No Edge TPU was tried." in page


def test_page_of_a_model_without_int8_says_nothing_of_it():
    page = render_page(_measured("float32", "pruned 30%"))

    assert "**int8**" not in page
    assert "A variant that moves a next step never answers unasked" in page


def test_page_that_ships_says_what_its_figures_say():
    figures = json.loads(
        (ROOT / "weights/dermascan.evaluation/compression/compression.json").read_text(encoding="utf-8")
    )

    assert (ROOT / "docs/compression.md").read_text(encoding="utf-8") == render_page(figures)
    assert figures["data"]["of"].startswith("fold ")
