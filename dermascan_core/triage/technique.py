"""How to take a photo that can be judged: our advice, in the ten groups of the ISIC technique standards.

The standards are 33 recommendations for clinics. Their published abstract names the groups and how many recommendations
each has, and no more is quoted here: every sentence of advice is our own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..domain import ImageType

SOURCE = (
    "Groups and counts: Katragadda et al. (2017), Technique Standards for Skin Lesion Imaging, a Delphi consensus of the "
    "International Skin Imaging Collaboration, JAMA Dermatology 153:207, https://doi.org/10.1001/jamadermatol.2016.3949"
)
WHOSE_ADVICE = (
    "In the ten groups of the ISIC technique standards, which are 33 recommendations for clinics. The groups are theirs; the "
    "advice is ours, for a phone at home."
)


@dataclass(frozen=True, slots=True)
class TechniqueGroup:
    """One group of the standards, and what we advise in it.

    Attributes:
        key: Stable name.
        name: In plain words.
        n_recommendations: How many recommendations the standards have in this group.
        advice: What to do, one short sentence each, most important first.
        at_the_camera: The few words to read while the camera is held; empty where nothing is to be done then.
    """

    key: str
    name: str
    n_recommendations: int
    advice: tuple[str, ...]
    at_the_camera: str = ""


GROUPS: tuple[TechniqueGroup, ...] = (
    TechniqueGroup(
        "general",
        "Before you start",
        1,
        (
            "Wipe off cream and make-up. Part or wet the hair over the spot.",
            "Take two or three photos. The page shows whether they agree.",
            "If no photo succeeds, show the spot to a doctor: no photo is needed for that.",
        ),
        "Skin clean, hair parted.",
    ),
    TechniqueGroup(
        "lighting",
        "Light",
        5,
        (
            "Stand near a window by day, or under a bright white lamp.",
            "Turn the flash off, so that nothing shines.",
            "Let no shadow fall on the spot, also not your own or the phone's.",
        ),
        "Bright, even light. Flash off.",
    ),
    TechniqueGroup(
        "background",
        "Background",
        3,
        (
            "Let only skin and, where it is needed, a plain cloth be seen behind the spot.",
            "Take off jewellery, and move clothes out of the picture.",
        ),
    ),
    TechniqueGroup(
        "field_of_view",
        "What is in the picture",
        3,
        (
            "Put the spot in the middle, with skin all around it.",
            "One photo, one spot.",
            "Take one more photo from further away that shows where on the body it is.",
        ),
        "The spot in the middle, skin all around it.",
    ),
    TechniqueGroup(
        "orientation",
        "How the camera is held",
        8,
        (
            "Hold the camera straight above the spot, not at a slant.",
            "Hold it the same way round each time, so that photos can be compared.",
            "Ask somebody to help where you cannot reach well.",
        ),
        "Straight above, not at a slant.",
    ),
    TechniqueGroup(
        "focus",
        "Focus",
        3,
        (
            "Go to 10 to 15 cm. Nearer than that, most phones are not sharp.",
            "Tap the spot on the screen, and wait until it is sharp.",
            "Rest your hand or elbow, and hold still.",
        ),
        "10 to 15 cm away. Tap the spot. Hold still.",
    ),
    TechniqueGroup(
        "resolution",
        "Detail",
        4,
        (
            "Use the camera on the back of the phone, and wipe its lens.",
            "Send the photo at full size, not a screenshot and not a copy from a messenger.",
            "Go closer rather than zoom with two fingers.",
        ),
        "Back camera, lens wiped.",
    ),
    TechniqueGroup(
        "scale",
        "Scale",
        3,
        (
            "Take a second photo with a ruler or a coin flat beside the spot, at the same height.",
            "Leave a gap, so that nothing covers the spot or its edge.",
        ),
        "A second photo with a coin or ruler beside it.",
    ),
    TechniqueGroup(
        "colour",
        "Colour",
        2,
        (
            "Leave filters and beauty modes off.",
            "Use one kind of light: a coloured lamp or a sunset changes the colours of skin.",
        ),
        "No filters.",
    ),
    TechniqueGroup(
        "storage",
        "Keeping photos",
        1,
        ("Keep the original, with its date and the place on the body, where only you can see it.",),
    ),
)


DERMATOSCOPE: tuple[str, ...] = (
    "Magnify 10x to 20x.",
    "Touch the skin lightly, or use polarised light.",
    "With fluid or gel, let no air bubble stay.",
    "Wipe the lens and the glass before each photo.",
    "Keep the whole spot and its edge inside the circle.",
)
MACRO_LENS: tuple[str, ...] = (
    "Only with a macro lens, 10x to 20x: go as near as the lens is made for, not 10 to 15 cm, and hold it straight above.",
)
# What most often spoils a phone's photo: stands beside the upload, also where no camera of ours is open.
_BESIDE_A_PHONE = ("focus", "lighting", "orientation")
# With a dermatoscope its own light, distance and angle hold.
_ALSO_WITH_DERMATOSCOPE = ("general", "field_of_view", "colour")


def at_the_camera(image_type: ImageType | None = None) -> tuple[str, ...]:
    """Return the short checklist to read beside the camera, one line each.

    Args:
        image_type: What takes the photo; None while that is not known.
    """
    return tuple(
        group.at_the_camera
        for group in GROUPS
        if group.at_the_camera and (image_type is not ImageType.DERMOSCOPIC or group.key in _ALSO_WITH_DERMATOSCOPE)
    )


def with_that_lens(image_type: ImageType) -> tuple[str, ...]:
    """Return what holds for the lens in use, one line each; for whoever has a macro lens, see ``MACRO_LENS``.

    >>> with_that_lens(ImageType.DERMOSCOPIC)[0], with_that_lens(ImageType.CLINICAL)[0]
    ('Magnify 10x to 20x.', '10 to 15 cm away. Tap the spot. Hold still.')
    """
    if image_type is ImageType.DERMOSCOPIC:
        return DERMATOSCOPE
    by_key = {group.key: group.at_the_camera for group in GROUPS}
    return tuple(by_key[key] for key in _BESIDE_A_PHONE)
