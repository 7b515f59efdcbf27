"""Several networks as one: the same photo and answers go to each, and their probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .dual_branch import IMAGE_INPUT, METADATA_INPUT, serving_model

if TYPE_CHECKING:
    import keras

OUTPUTS_A_MEMBER = 3  # logits, embedding, feature_map


def join_members(members: Sequence[keras.Model], *, input_px: int) -> keras.Model:
    """Return one network whose outputs are (logits, embedding, feature_map) of every member, one after the other.

    A single member whose input is ``input_px`` is returned as its serving model, without a layer around it.

    Args:
        members: Networks of ``dual_branch.build_dual_branch`` with the same metadata columns and classes.
        input_px: Side of the common square; a member with another input sees it resized (bilinear).

    Reference: Mean of probabilities as in Tschandl et al. (2019) and the ledger's 001.9.
    """
    import keras
    from keras import layers

    if len(members) == 1 and members[0].inputs[0].shape[1] == input_px:
        return serving_model(members[0])
    image = keras.Input((input_px, input_px, 3), name=IMAGE_INPUT)
    metadata = keras.Input(members[0].inputs[1].shape[1:], name=METADATA_INPUT)
    outputs: list[keras.KerasTensor] = []
    for index, member in enumerate(members):
        own_px = member.inputs[0].shape[1]
        seen = image
        if own_px != input_px:
            seen = layers.Resizing(own_px, own_px, interpolation="bilinear", name=f"resize_{index}")(image)
        part = serving_model(member)
        part.name = f"member_{index}"
        outputs += part([seen, metadata])
    return keras.Model([image, metadata], outputs, name="dermascan_ensemble")


def members_of(model: keras.Model) -> list[keras.Model]:
    """Return the members of a serving network, in order; of a single one, itself."""
    n_members = len(model.outputs) // OUTPUTS_A_MEMBER
    return [model] if n_members == 1 else [model.get_layer(f"member_{index}") for index in range(n_members)]
