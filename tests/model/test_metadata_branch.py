import dataclasses

import numpy as np
import pytest

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.model.metadata_branch import FIELD_WIDTHS, MetadataEncoder
from dermascan_core.taxonomy import REGIONS, SITES


def test_unknown_is_its_own_answer_and_not_a_value():
    encoder = MetadataEncoder(("age_approx", "sex"))

    encoded = encoder.encode([Metadata(), Metadata(age_approx=50)])

    assert encoded.tolist() == [[0, 0, 0, 0, 1], [0, 1, 0, 0, 1]]


def test_site_carries_its_region_so_that_a_coarse_answer_shares_columns():
    encoder = MetadataEncoder(("anatom_site",))

    scalp, head = encoder.encode([Metadata(anatom_site="scalp"), Metadata(anatom_site="head/neck")])

    region = slice(0, len(REGIONS) + 1)
    assert scalp[region].tolist() == head[region].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert scalp[len(REGIONS) + 1 :].argmax() == SITES.index("scalp")


def test_site_that_no_training_photo_shows_counts_as_unknown():
    encoder = MetadataEncoder(("anatom_site",))

    nail, unknown = encoder.encode([Metadata(anatom_site="nail"), Metadata()])

    assert nail.tolist() == unknown.tolist()


@pytest.mark.parametrize("name", [n for n in FIELD_WIDTHS if n not in ("age_approx", "sex", "anatom_site")])
def test_field_without_training_data_has_no_column(name):
    encoder = MetadataEncoder(("age_approx", "sex", "anatom_site"))
    values = {"clin_size_long_diam_mm": 12.0, "image_type": ImageType.CLINICAL}
    known = dataclasses.replace(Metadata(), **{name: values.get(name, True)})

    assert np.array_equal(encoder.encode([known]), encoder.encode([Metadata()]))
    of_a_phone = [dataclasses.replace(known, image_type=ImageType.CLINICAL)]
    assert not np.array_equal(
        MetadataEncoder((name,)).encode(of_a_phone), MetadataEncoder((name,)).encode([Metadata()])
    )


def test_encoder_refuses_a_field_it_does_not_know():
    with pytest.raises(ValueError) as error:
        MetadataEncoder(("age_approx", "biopsed"))

    assert str(error.value) == (
        "Invalid value received for argument `fields`. Expected some of ['age_approx', 'sex', 'anatom_site', "
        "'clin_size_long_diam_mm', 'personal_hx_skin_cancer', 'family_hx_skin_cancer', 'high_sun_exposure', "
        "'immunosuppressed', 'image_type', 'itch', 'grew', 'hurt', 'changed', 'bleed', 'elevation']. "
        "Received: ['biopsed']"
    )


def test_width_is_the_number_of_columns():
    encoder = MetadataEncoder(tuple(FIELD_WIDTHS))

    assert encoder.encode([Metadata(age_approx=30, high_sun_exposure=False)]).shape == (1, encoder.width)


def test_image_type_is_three_columns():
    encoded = MetadataEncoder(("image_type",)).encode([Metadata(image_type=t) for t in (*ImageType, None)])

    assert encoded.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("image_type", [ImageType.DERMOSCOPIC, None])
def test_what_the_person_noticed_is_heard_beside_phone_photos_alone(image_type):
    """No archive of dermoscopy records it, so a network has never learnt what it means there."""
    encoder = MetadataEncoder(("itch", "bleed"))

    told = encoder.encode([Metadata(image_type=image_type, itch=True, bleed=False)])

    assert told.tolist() == encoder.encode([Metadata()]).tolist()
