"""What the model gets wrong: confusion, missed cancers, models that agree wrong, and photos for the local user alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from dermascan_core.domain import ImageType
from dermascan_core.errors import DermaScanError
from dermascan_core.services.labelled_photos import draw_sheet, heat_photos, small_photos
from dermascan_core.services.performance import load_agreement
from dermascan_core.triage.evidence import HEAT_LIMITS
from dermascan_core.triage.shown import percent_words
from dermascan_core.triage.wording import HEAT_MAP_CAPTION, Voice, class_name

from . import charts, measures
from .frame import as_plain_text
from .local import is_local_visit
from .measured_table import show_chart, show_nothing_yet, show_table
from .model import get_predictor

_N_IN_GALLERY = 12
_LISTS = {
    "confident_mistakes": "Wrong, and sounding sure",
    "missed_malignancies": "Cancers and pre-cancers below the line",
}
_SHEETS = {"sample": "of every class", "mistakes": "of confident mistakes"}


def show_mistakes(evaluation: Mapping[str, Any], which: str, voice: Voice) -> None:
    """Show where the answers of an evaluation go wrong."""
    st.header("What it gets wrong")
    st.markdown("Knowing its mistakes helps more than knowing its average: these are the spots to be careful with.")
    if evaluation["confusion"]:
        _show_confusion(evaluation["confusion"], voice)
    for name, title in _LISTS.items():
        st.subheader(title)
        rows = measures.case_rows(evaluation[name], voice)
        if rows:
            show_table(rows, key=name, file_name=name.replace("_", "-"))
        else:
            st.markdown("None in this test. That does not mean that there are none elsewhere.")
    _show_photos(evaluation, which, voice)
    _show_agreement(which, voice)


def _show_confusion(confusion: Mapping[str, Any], voice: Voice) -> None:
    st.subheader("What is taken for what")
    show_chart(
        charts.confusion_chart(confusion["counts"], confusion["row_normalised"], confusion["codes"]),
        key="mistakes_confusion",
        alt="Confusion matrix, each row in percent of its photos",
    )
    st.caption("Each row holds 100 % of the photos of one class. The diagonal is right.")
    st.caption("; ".join(f"{code}: {class_name(code, voice)}" for code in confusion["codes"]))
    takes = _most_frequent(confusion)
    if takes:
        st.markdown(
            "Most frequent mistakes:\n"
            + "\n".join(
                f"- {class_name(true, voice)} taken for {class_name(said, voice)}: "
                f"{measures.of_100(share)} of 100 ({n} photos)"
                for true, said, share, n in takes
            )
        )


def _most_frequent(confusion: Mapping[str, Any], limit: int = 4) -> list[tuple[str, str, float, int]]:
    """Return (was, shown first, share of the class, photos), the largest share first."""
    codes, counts, shares = confusion["codes"], confusion["counts"], confusion["row_normalised"]
    cells = [
        (codes[i], codes[j], shares[i][j], counts[i][j])
        for i in range(len(codes))
        for j in range(len(codes))
        if i != j and counts[i][j] and shares[i][j] is not None
    ]
    return sorted(cells, key=lambda cell: -cell[2])[:limit]


def _show_photos(evaluation: Mapping[str, Any], which: str, voice: Voice) -> None:
    st.subheader("The photos themselves")
    if not is_local_visit():
        st.markdown(
            "Photos of the archive are shown only to the person at the machine that runs this program, who has them: "
            "they carry a licence, and they are somebody's skin."
        )
        return
    folder = st.text_input(
        "Folder of the photos on this machine",
        value=os.environ.get("DERMASCAN_DATA", ""),
        placeholder="ham10000/images",
        key="photo_folder",
        help="The folder that was evaluated, or the data set that holds it. Nothing is copied or kept.",
    ).strip()
    if not folder:
        st.caption("Name the folder, and the most confident mistakes appear here.")
        return
    name = st.segmented_control(
        "Which",
        list(_LISTS),
        format_func=_LISTS.__getitem__,
        default="confident_mistakes",
        required=True,
        key="gallery",
    )
    with_heat = st.toggle(
        "Show where the network looked",
        key="gallery_heat",
        help="Grad-CAM of the class shown first, for the photo alone: the person's answers are not in these files. "
        "Some seconds for all photos.",
    )
    try:
        cases = evaluation[name][:_N_IN_GALLERY]
        _show_gallery(
            Path(folder).expanduser(), cases, voice, _heat(Path(folder), cases, evaluation, which) if with_heat else {}
        )
        _offer_sheet(Path(folder).expanduser(), evaluation["model"]["name"], which)
    except DermaScanError as error:
        st.error(as_plain_text(str(error), max_chars=600))


def _heat(
    folder: Path, cases: Sequence[Mapping[str, Any]], evaluation: Mapping[str, Any], which: str
) -> Mapping[str, npt.NDArray[np.uint8]]:
    """Return the gallery's heat maps, made once a visit."""
    model = evaluation["model"]["name"]
    asked = (str(folder), model, which, tuple(case["image_id"] for case in cases))
    kept: tuple[Any, dict[str, npt.NDArray[np.uint8]]] | None = st.session_state.get("gallery_heat_maps")
    if kept is None or kept[0] != asked:
        bar = st.progress(0.0, "Asking the model again")
        maps = heat_photos(
            folder.expanduser(),
            {case["image_id"]: case["predicted"] for case in cases},
            get_predictor(model),
            image_type=ImageType.CLINICAL if "phone" in which else ImageType.DERMOSCOPIC,
            on_progress=lambda done, total: bar.progress(done / total, f"Asking the model again: {done} of {total}"),
        )
        bar.empty()
        st.session_state["gallery_heat_maps"] = kept = (asked, maps)
    return kept[1]


def _show_gallery(
    folder: Path,
    cases: Sequence[Mapping[str, Any]],
    voice: Voice,
    heat: Mapping[str, npt.NDArray[np.uint8]],
) -> None:
    if not cases:
        st.markdown("None in this test.")
        return
    photos = small_photos(folder, [case["image_id"] for case in cases])
    shown = [case for case in cases if case["image_id"] in photos]
    with st.container(horizontal=True):
        for case in shown:
            with st.container(key=f"thumb-{case['image_id']}", width=220):
                st.image(photos[case["image_id"]])
                if case["image_id"] in heat:
                    st.image(heat[case["image_id"]], width="stretch")
                was = class_name(case["dx"], voice) if case["dx"] else "unknown"
                st.caption(
                    f"Was **{was}**. Shown first: {class_name(case['predicted'], voice)}, "
                    f"{percent_words(case['p_predicted'])}. Cancer or pre-cancer: {percent_words(case['p_malignant'])}. "
                    f"{as_plain_text(case['image_id'])}"
                )
    if heat:
        st.caption(f"Warm colours: {HEAT_MAP_CAPTION} {HEAT_LIMITS}")


def _offer_sheet(folder: Path, name: str, which: str) -> None:
    kind = st.segmented_control(
        "Sheet of sample answers",
        list(_SHEETS),
        format_func=_SHEETS.__getitem__,
        default="sample",
        required=True,
        key="sheet",
    )
    if st.button("Draw the sheet", key="draw_sheet", icon=":material/grid_view:"):
        sheet = draw_sheet(name, which, photos=folder, kind=kind)
        st.image(sheet, width="stretch")
        st.download_button(
            "Download the sheet (PNG)",
            data=sheet,
            file_name=f"dermascan-{kind}.png",
            mime="image/png",
            on_click="ignore",
            key="download_sheet",
        )
        st.caption("The photos keep their licence: share the sheet only as it allows.")


def _show_agreement(which: str, voice: Voice) -> None:
    st.subheader("Models that agree, and agree wrong")
    try:
        compared = load_agreement(which)
    except DermaScanError as error:
        st.error(as_plain_text(str(error), max_chars=600))
        return
    if compared is None or len(compared["models"]) < 2:
        show_nothing_yet(
            "two models' answers to the same photos are needed, and fewer ship.",
            "errors out/first/predictions.csv out/second/predictions.csv --out out/errors",
        )
        return
    st.markdown(
        "When two models say the same, it is tempting to believe them. Here is how often they said the same and both were "
        f"wrong, on the {compared['n']:,} photos that all of them answered."
    )
    st.table(
        [
            {
                "models": " and ".join(map(as_plain_text, pair["models"])),
                "say the same": measures.with_interval(pair["same_class"]),
                "are both wrong": measures.with_interval(pair["both_wrong"]),
                "say the same wrong class": measures.with_interval(pair["same_wrong_class"]),
            }
            for pair in compared["pairs"]
        ],
        hide_index=True,
    )
    n_models = len(compared["models"])
    show_table(
        [
            {
                "class": class_name(row["dx"], voice),
                "photos": row["n"],
                **{f"wrong by {n} of {n_models}": row["n_wrong_by"][n] for n in range(n_models + 1)},
                "all wrong, with one class": measures.with_interval(row["same_wrong_class"], digits=2),
                "taken for": ", ".join(f"{code} {n:.3g}" for code, n in list(row["taken_for"].items())[:3]),
            }
            for row in compared["classes"]
            if row["n"]
        ],
        key="agreement_classes",
        file_name="agreement-classes",
    )
    with st.expander("Photos that every model gets wrong with one class", icon=":material/table:"):
        rows = [
            {
                "photo": case["image_id"],
                "was": class_name(case["dx"], voice),
                "all said": class_name(next(iter(case["predicted"].values())), voice),
                **{f"{model}, its share, %": round(100 * p, 1) for model, p in case["p_predicted"].items()},
            }
            for case in compared["agree_wrong"]
        ]
        if rows:
            show_table(rows, key="agree_wrong", file_name="agree-wrong")
        else:
            st.markdown("None in this test.")
