"""About: what this is for and not, consent and ethics, data and licences, privacy, and which versions run here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from dermascan_core import __version__
from dermascan_core.domain import PhoneTest
from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.models import DEFAULT_MODEL, list_models
from dermascan_core.triage.wording import tested_on
from pages._ui.case import KEPT_FOR_S
from pages._ui.frame import failures_told, link_page, page_frame

_USE = """
DermaScan helps an adult decide **when to show a spot on the skin to a doctor**, and helps a clinician to sort photos.
It names what a photo shares with photos in an archive. It does not diagnose, it replaces no examination, and no result
rules out cancer.

**Not for:** people under 18; spots under nails or inside the mouth, nose, eyelid or genitals; deciding against a visit;
insurance, work or any decision about a person without that person's doctor.
"""
_CONSENT = """
- Photograph only yourself, or someone who agreed. For a child or a person who cannot agree, ask a doctor instead.
- The final word is a clinician's. The program never overrules a person's own worry: a yes to any of the first
  questions counts, whatever the photo shows.
- The program does not learn from your photos.
- It knows nearly only light skin. Where it was not tested, it says so and does not calm.
"""
_PRIVACY = """
- The photo goes to the computer that runs this program, and nowhere else. No usage statistics are sent.
- Nothing is written to disk, unless a clinician keeps a result in the records of their clinic, with the consent of whom it
  is about and until a day. Then it is stored sealed, and can be handed out and deleted at any time.
- Else photo, answers and result stay in that computer's memory while you use the page, and up to {minutes:.0f} minutes
  after, so that a phone may pause. Only the same browser finds them again.
- *Start over and delete* removes them. One undo is possible until you add a new photo or close the page.
- Place, time and device data inside the photo (EXIF, GPS) are never read into a result and never leave with one.
"""
_DATA = """
- **Trained and tested on** HAM10000 (Tschandl, Rosendahl and Kittler, 2018, https://doi.org/10.1038/sdata.2018.161),
  photos taken with a dermatoscope in Austria and Australia. Licence: CC BY-NC 4.0.
- **Phone photos** to train and test on: PAD-UFES-20 (Pacheco and others, 2020,
  https://doi.org/10.1016/j.dib.2020.106221), from Brazil. Licence: CC BY 4.0. Each kind is measured by itself.
- **Start weights** of the image branch: ImageNet.
- **The code** is under the MIT licence. **The weights** carry the archive's terms: attribution, and **no commercial use**.
- The example pictures are drawn by this program.
"""
_GUIDELINES = (
    "Which items of CLEAR Derm, GMLP, TRIPOD+AI and DECIDE-AI are met, partly met and not met, each with the file that shows it, "
    "is a page beside this program: `docs/reporting-guidelines.md`. Nobody outside the project has checked it."
)
_PACKAGES = (
    "streamlit",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "plotly",
)


def show_page() -> None:
    page_frame("About DermaScan")
    st.header("What it is for")
    st.markdown(_USE)
    st.header("What it was tested on")
    st.markdown(tested_on(_default_phone_test()))
    link_page("pages/performance.py", "How good it is, measured", icon=":material/monitoring:")
    st.caption(_GUIDELINES)
    st.header("Consent and ethics")
    st.markdown(_CONSENT)
    st.header("Privacy")
    st.markdown(_PRIVACY.format(minutes=KEPT_FOR_S / 60))
    st.header("Data and licences")
    st.markdown(_DATA)
    st.header("Models installed here")
    _show_models()
    st.header("Versions")
    st.table(_versions(), hide_index=True)


def _default_phone_test() -> PhoneTest | None:
    """What was measured on phone photos of the model that answers; a damaged manifest is told further down."""
    try:
        return next((one.phone_test for one in list_models() if one.name == DEFAULT_MODEL), None)
    except WeightsError:
        return None


def _show_models() -> None:
    try:
        manifests = list_models()
    except WeightsError as error:
        st.error(str(error))
        return
    if not manifests:
        st.info("No model is installed. Restore the folder 'weights' from the release, or train and release a model.")
        return
    for index, manifest in enumerate(manifests):
        st.subheader(f"{manifest.name} {manifest.version}")
        rows = [{"part": part, "value": str(value)} for part, value in _describe(manifest).items()]
        with st.container(key=f"facts-{index}"):  # no value is cut off: a hash is read to its end
            st.table(rows, hide_index=True)


def _describe(manifest: Manifest) -> dict[str, object]:
    return {
        "version": manifest.version,
        "image branch": manifest.backbone,
        "classes": ", ".join(manifest.codes),
        "uses": ", ".join(("photo", *manifest.metadata_fields)),
        "input, px": manifest.preprocess.input_px,
        "views averaged": manifest.n_views,
        "threshold": f"{manifest.threshold:.4f}",
        "threshold rule": manifest.threshold_rule,
        "licence": manifest.licence,
        "sha256": manifest.sha256,
    }


def _versions() -> list[dict[str, str]]:
    found = [("DermaScan", __version__), ("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue  # one of the two builds of TensorFlow is installed, never both
    return [{"part": name, "version": number} for name, number in found]


with failures_told("about"):
    show_page()
