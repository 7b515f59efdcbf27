"""What a DICOM file's codes mean here, for the side that reads and the side that writes."""

from __future__ import annotations

DERMOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.7"  # Dermoscopic Photography Image Storage (Supplement 221)
PHOTOGRAPHIC = "1.2.840.10008.5.1.4.1.1.77.1.4"  # VL Photographic Image Storage
# SNOMED CT codes of CID 4029, Dermatology Anatomic Sites: those that name a site of ours.
SITE_OF_CODE = {
    "43067004": "scalp",
    "73897004": "face",
    "1902009": "ear",
    "43081002": "neck",
    "70762009": "head/neck",
    "66643007": "back",
    "75093004": "abdomen",
    "33712006": "hand",
    "70887009": "palms/soles",
    "60496002": "foot",
    "371311000": "upper extremity",
    "371304004": "lower extremity",
    "113277000": "mucosa",
}
# Written only where the code means no less than our word: skin of the head is not "head/neck", nor a palm "palms/soles".
_INEXACT = ("head/neck", "palms/soles", "mucosa")
CODE_OF_SITE = {site: code for code, site in SITE_OF_CODE.items() if site not in _INEXACT}
SIDE_OF_LETTER = {"L": "left", "R": "right", "B": "both sides"}
LETTER_OF_SIDE = {side: letter for letter, side in SIDE_OF_LETTER.items()}
