"""Masks of lesions beside their photos: found as archives name them, kept as ``masks/IMAGE_ID.png``."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import DatasetError
from ..evaluation.files import write_file
from ..imaging.decode import CODEC_ERRORS, FORMATS, MAX_PIXELS
from ..tables import photo_key

_ENDINGS = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff", ".gif")
# What archives put behind the photo's name: ISIC and HAM10000, PH2, and what people do themselves.
_ADDED = re.compile(r"_(segmentation|lesion|mask)$")
_TURNS_BY_A_QUARTER = range(5, 9)  # values of EXIF's orientation


def find_masks(folder: Path) -> dict[str, Path]:
    """Return photo key -> mask, of every picture in a folder and below it, named as its photo or with an ending behind.

    Raises:
        DatasetError: If there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError(f"Expected a folder of masks at '{folder}'. There is none. Check --masks.")
    named = {
        photo_key(path.name): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    }
    return {_ADDED.sub("", name): path for name, path in named.items()} | named


def find_mask(photo: Path) -> Path | None:
    """Return a photo's mask in ``masks/`` beside the ``images/`` that it lies in, or None."""
    folder = photo.parent.parent / "masks"
    paths = (folder / f"{photo.stem}{added}.png" for added in ("", "_segmentation", "_Segmentation"))
    return next((path for path in paths if path.is_file()), None)


def write_mask(source: Path, target: Path, *, photo: Path) -> None:
    """Write a mask as a PNG of 0 outside and 255 inside the lesion; one that is there is kept.

    Where the photo is a smaller view of the archive's own, the mask becomes one of the same size: a pixel is inside where
    half of it is, or more.

    Args:
        source: The archive's mask; inside is what is brighter than half of its brightest.
        target: The file to write.
        photo: Its photo, as it lies in the data set.

    Raises:
        DatasetError: If the mask cannot be read, has more than 50 megapixels, or another shape than its photo.
        OutputError: If it cannot be written.
    """
    if target.is_file():
        return
    inside = _read_mask(source)
    height, width = inside.shape
    if size := _upright_size(photo):
        # Either of the two may have been made smaller, and its sides rounded.
        if abs(height * size[0] - width * size[1]) > max(*size, width, height):
            raise DatasetError(
                f"Expected the mask '{source.name}' in its photo's shape, {size[0]}x{size[1]} px. "
                f"Received {width}x{height} px. Replace it, or take it out."
            )
        if size[0] < width:
            shares = Image.fromarray(inside).resize(size, Image.Resampling.BOX)
            inside = np.where(np.asarray(shares) > 127, 255, 0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(inside).save(buffer, "PNG", optimize=True)
    write_file(target, buffer.getvalue())


def _read_mask(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            values = np.asarray(image.convert("L")) if width * height <= MAX_PIXELS else None
    except CODEC_ERRORS as error:
        raise DatasetError(f"The mask '{path.name}' cannot be read. Replace it, or take it out.") from error
    if values is None:
        raise DatasetError(
            f"The mask '{path.name}' may have at most {MAX_PIXELS // 10**6} megapixels. Received {width}x{height} px. "
            "Save it smaller, or take it out."
        )
    return np.where(values > values.max() / 2, 255, 0).astype(np.uint8)


def _upright_size(photo: Path) -> tuple[int, int] | None:
    """Return (width, height) in px as the photo is looked at; None of a photo whose head Pillow cannot read."""
    try:
        with Image.open(photo, formats=FORMATS) as image:
            width, height = image.size
            is_turned = image.getexif().get(0x0112) in _TURNS_BY_A_QUARTER
    except CODEC_ERRORS:
        return None
    return (height, width) if is_turned else (width, height)
