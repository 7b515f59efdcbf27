"""Image branches by name: any ``keras.applications`` network without its top, or one with attention, with its input scaling."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .transformer import add_blocks, compact_transformer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network of ``keras.applications``, or of ``transformer``.

    Attributes:
        class_name: Its function in ``keras.applications``; "" for ``transformer.compact_transformer``.
        scaling: ``tf`` ([-1, 1]), ``torch`` (ImageNet mean and deviation), ``caffe`` (BGR, mean removed), or
            ``none`` where the network scales [0, 255] itself.
        cut_layer: Last layer to keep; None keeps all.
        weights_cut: Last layer that a local weights file covers, where it reaches further than ``cut_layer``.
        n_attention_blocks: Transformer blocks on top, which start from random weights.
    """

    class_name: str
    scaling: str
    cut_layer: str | None = None
    weights_cut: str | None = None
    n_attention_blocks: int = 0


BACKBONES: dict[str, Backbone] = {
    "mobilenet_v2": Backbone("MobileNetV2", "tf"),
    "mobilenet_v2_attention": Backbone("MobileNetV2", "tf", n_attention_blocks=1),
    "compact_transformer": Backbone("", "tf"),
    "nasnet_mobile": Backbone("NASNetMobile", "tf"),
    "inception_v3": Backbone("InceptionV3", "tf"),
    "inception_v3_mixed8": Backbone("InceptionV3", "tf", "mixed8"),
    "inception_v3_mixed7": Backbone("InceptionV3", "tf", "mixed7", weights_cut="mixed8"),
    "xception": Backbone("Xception", "tf"),
    "inception_resnet_v2": Backbone("InceptionResNetV2", "tf"),
    "mobilenet": Backbone("MobileNet", "tf"),
    "mobilenet_v3_small": Backbone("MobileNetV3Small", "none"),
    "mobilenet_v3_large": Backbone("MobileNetV3Large", "none"),
    "resnet50": Backbone("ResNet50", "caffe"),
    "resnet101": Backbone("ResNet101", "caffe"),
    "resnet152": Backbone("ResNet152", "caffe"),
    "resnet50_v2": Backbone("ResNet50V2", "tf"),
    "resnet101_v2": Backbone("ResNet101V2", "tf"),
    "resnet152_v2": Backbone("ResNet152V2", "tf"),
    "vgg16": Backbone("VGG16", "caffe"),
    "vgg19": Backbone("VGG19", "caffe"),
    "densenet121": Backbone("DenseNet121", "torch"),
    "densenet169": Backbone("DenseNet169", "torch"),
    "densenet201": Backbone("DenseNet201", "torch"),
    "nasnet_large": Backbone("NASNetLarge", "tf"),
    **{f"efficientnet_b{i}": Backbone(f"EfficientNetB{i}", "none") for i in range(8)},
    **{f"efficientnet_v2_b{i}": Backbone(f"EfficientNetV2B{i}", "none") for i in range(4)},
    "efficientnet_v2_s": Backbone("EfficientNetV2S", "none"),
    "efficientnet_v2_m": Backbone("EfficientNetV2M", "none"),
    "efficientnet_v2_l": Backbone("EfficientNetV2L", "none"),
    "convnext_tiny": Backbone("ConvNeXtTiny", "none"),
    "convnext_small": Backbone("ConvNeXtSmall", "none"),
    "convnext_base": Backbone("ConvNeXtBase", "none"),
    "convnext_large": Backbone("ConvNeXtLarge", "none"),
    "convnext_xlarge": Backbone("ConvNeXtXLarge", "none"),
}

# Keras builds MobileNetV2 with momentum 0.999: after a few hundred steps its moving statistics still lag far behind
# the weights, and validation looks broken (balanced accuracy 0.22 was seen). 0.97 follows within about 100 steps.
BATCH_NORM_MOMENTUM = 0.97


def build_backbone(name: str, *, input_px: int, weights: str | Path | None) -> keras.Model:
    """Build an image branch without its classifier.

    Args:
        name: A key of ``BACKBONES``.
        input_px: Side of the square input.
        weights: A local ``.weights.h5`` file, ``"imagenet"`` (Keras downloads it), or None for random ones.

    Returns:
        A model from scaled images (n, input_px, input_px, 3) to feature maps (n, h, w, channels).

    Raises:
        ValueError: If the name is not known.
        WeightsError: If the weights cannot be read or fetched.
    """
    import keras

    if name not in BACKBONES:
        raise ValueError(f"Invalid value received for argument `name`. Expected {list(BACKBONES)}. Received: {name!r}")
    backbone = BACKBONES[name]
    options: dict[str, Any] = {"include_top": False, "input_shape": (input_px, input_px, 3)}
    if "MobileNetV3" in backbone.class_name:
        options["include_preprocessing"] = True
    try:
        initial = "imagenet" if weights == "imagenet" else None
        make = getattr(keras.applications, backbone.class_name) if backbone.class_name else compact_transformer
        network = make(weights=initial, **options)
        is_local = weights is not None and weights != "imagenet"
        for cut in dict.fromkeys((backbone.weights_cut, backbone.cut_layer) if is_local else (backbone.cut_layer,)):
            if cut is not None:
                network = keras.Model(network.input, network.get_layer(cut).output)
            if is_local and cut == (backbone.weights_cut or backbone.cut_layer):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Keras warns layer by layer before it raises
                    network.load_weights(str(weights))
    except Exception as error:
        # Keras tells of a download that failed by a bare Exception.
        if not isinstance(error, OSError | ValueError | KeyError) and not str(error).startswith("URL fetch failure"):
            raise
        # Keras lists every layer that does not fit; the first one is enough to act on.
        reason = re.sub(r"Example error message for object <(\w+) name=(\w+).*?>:", r"\2:", str(error))
        reason = " ".join(reason.partition("List of objects")[0].split()).rstrip(".")[:300]
        raise WeightsError(
            f"Expected starting weights for {name} at '{weights}'. They could not be read or fetched: {reason}. "
            "Give a local file (--set pretrained=FILE, or --pretrained where the command has it), 'imagenet' with an internet "
            "connection, or 'none'."
        ) from error
    if backbone.n_attention_blocks:
        network = keras.Model(network.input, add_blocks(network.output, backbone.n_attention_blocks))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    return network


def scale_input(name: str, image: Any) -> Any:
    """Bring pixels in [0, 255] to the range that the backbone was trained on, as layers of the network.

    Args:
        name: A key of ``BACKBONES``.
        image: Keras tensor (n, h, w, 3) in [0, 255].
    """
    import keras

    scaling = BACKBONES[name].scaling
    if scaling == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scaling")(image)
    if scaling == "torch":
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return keras.layers.Rescaling(
            [1 / (255 * d) for d in deviation],
            offset=[-m / d for m, d in zip(mean, deviation, strict=True)],
            name="scaling",
        )(image)
    if scaling == "caffe":
        # Their order is BGR; reversing the channels is a fixed 1x1 permutation.
        flipped = keras.ops.flip(image, axis=-1)
        return keras.layers.Rescaling(1.0, offset=[-103.939, -116.779, -123.68], name="scaling")(flipped)
    return image
