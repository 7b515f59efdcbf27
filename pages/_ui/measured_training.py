"""How a model was trained, from its manifest: curves over the epochs, class counts, and the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dermascan_core.model.manifest import Manifest
from dermascan_core.services.performance import class_draws
from dermascan_core.taxonomy import CLASS_BY_CODE, HAM_NAMES

from .frame import as_plain_text
from .measured_charts import count_chart, epoch_chart
from .measured_table import show_chart, show_nothing_yet, show_table

_LOSSES = {"loss": "training loss", "val_loss": "validation loss, as served"}
_QUALITIES = {
    "val_macro_auc": "macro AUC",
    "val_malignant_auc": "AUC, cancer or pre-cancer",
    "val_balanced_accuracy": "balanced accuracy",
}
_COLUMNS = {
    "epoch": "epoch",
    "accuracy": "training accuracy",
    **_LOSSES,
    **_QUALITIES,
    "val_score": "mean of the three",
}


def show_training(name: str, manifest: Manifest | None) -> None:
    """Show the course of each member's training, what it was trained on, and with which recipe."""
    st.header("How it was trained")
    members = [] if manifest is None else courses(manifest)
    if manifest is None or not members:
        show_nothing_yet(
            "the model's manifest holds no course of its training.", f"release runs/first --data ham10000 --name {name}"
        )
        return
    index = 0
    if len(members) > 1:
        st.markdown(f"{len(members)} networks answer together: the mean of their shares is what a person is shown.")
        index = st.selectbox(
            "Network",
            range(len(members)),
            format_func=lambda i: f"{i + 1}: {members[i]['recipe'].get('backbone', 'network')}",
            key="member",
        )
    member = members[index]
    _show_course(member)
    _show_counts(manifest)
    _show_recipe(members, index)
    _show_candidates(manifest.training.get("candidates", {}))


def courses(manifest: Manifest) -> list[dict[str, Any]]:
    """Return each member's ``recipe``, ``kept`` and ``epochs``; a manifest of earlier versions tells of one network."""
    training = manifest.training
    members = training.get("members") or [training]
    return [
        {"recipe": one.get("recipe", {}), "kept": one.get("kept", ""), "epochs": list(one["epochs"])}
        for one in members
        if one.get("epochs")
    ]


def best_epoch(epochs: Sequence[Mapping[str, float]]) -> int | None:
    """Return the epoch with the highest validation score, 1-based; None where none was measured."""
    scored = [row for row in epochs if "val_score" in row]
    return int(max(scored, key=lambda row: row["val_score"])["epoch"]) if scored else None


def _show_course(member: Mapping[str, Any]) -> None:
    epochs = member["epochs"]
    best = best_epoch(epochs)
    st.markdown(
        "Each epoch the network sees the training photos once more. After each, it answered for photos kept aside. "
        "When the chart of AUC stops rising, more training would only learn the photos by heart."
        + (f" Kept: {as_plain_text(str(member['kept']), max_chars=200)}." if member["kept"] else "")
    )
    losses, qualities = (_curves(epochs, words) for words in (_LOSSES, _QUALITIES))
    left, right = st.columns(2)
    with left:
        st.subheader("Loss (lower is better)")
        show_chart(epoch_chart(losses, y_title="loss", kept_epoch=best), key="losses", alt="Loss by epoch")
    with right:
        st.subheader("AUC on photos kept aside")
        show_chart(
            epoch_chart(qualities, y_title="share", kept_epoch=best), key="qualities", alt="Validation AUC by epoch"
        )
    with st.expander("Every epoch as a table", icon=":material/table:"):
        present = [name for name in _COLUMNS if any(name in row for row in epochs)]
        show_table(
            [
                {_COLUMNS[name]: int(row[name]) if name == "epoch" else row.get(name) for name in present}
                | {"seconds": row.get("elapsed_s")}
                for row in epochs
            ],
            key="epochs",
            file_name="epochs",
        )


def _curves(
    epochs: Sequence[Mapping[str, float]], words: Mapping[str, str]
) -> dict[str, tuple[list[int], list[float]]]:
    return {
        label: ([int(row["epoch"]) for row in rows], [row[name] for row in rows])
        for name, label in words.items()
        if (rows := [row for row in epochs if name in row])
    }


def _show_counts(manifest: Manifest) -> None:
    rows = class_draws(manifest)
    if not rows:
        return
    st.subheader("Photos of each class, before and after balancing")
    st.markdown(
        "The archive holds many moles and few of everything rare. In training, rare classes are drawn more often, each "
        "time changed anew (turned, zoomed, lighter, darker). Answers are corrected back to the archive's mix afterwards."
    )
    labels = [f"{_class_words(row['code'])} ({row['code']})" for row in rows]
    show_chart(
        count_chart(
            labels,
            {
                "photos there are": [row["n_photos"] for row in rows],
                "drawn in an epoch": [row["n_drawn"] for row in rows],
            },
        ),
        key="class_counts",
        alt="Photos of each class before and after balancing",
    )
    show_table(
        [
            {
                "class": label,
                "photos there are": row["n_photos"],
                "drawn in an epoch": row["n_drawn"],
                "share of the loss, %": round(100 * row["loss_share"], 2),
            }
            for label, row in zip(labels, rows, strict=True)
        ],
        key="class_counts_table",
        file_name="class-counts",
    )
    data = manifest.data
    st.caption(
        f"Trained on {data.get('n_train', 0):,} photos, chosen and calibrated on {data.get('n_validation', 0):,} "
        f"(fold {data.get('validation_fold', '?')}) of {as_plain_text(str(data.get('name', 'the data')))}."
    )


def _class_words(code: str) -> str:
    return CLASS_BY_CODE[code].name if code in CLASS_BY_CODE else HAM_NAMES.get(code, code)


def _show_recipe(members: Sequence[Mapping[str, Any]], index: int) -> None:
    recipes = [one["recipe"] for one in members]
    if not recipes[index]:
        return
    st.subheader("The recipe")
    names = dict.fromkeys(name for recipe in recipes for name in recipe)
    rows = [
        {"option": name, **{f"network {i + 1}": _cell(recipe.get(name)) for i, recipe in enumerate(recipes)}}
        for name in names
    ]
    if len(recipes) > 1:
        differing = [row for row in rows if len(set(list(row.values())[1:])) > 1]
        st.markdown("Options in which the networks differ:")
        st.table(differing or [{"option": "none"}], hide_index=True)
    with st.expander("Every option", icon=":material/list:"):
        show_table(rows, key="recipe", file_name="recipe")


def _cell(value: Any) -> str:
    """One dash, whether a recipe leaves an option unset or is older than it."""
    return "-" if value is None else str(value)


def _show_candidates(candidates: Mapping[str, Mapping[str, float]]) -> None:
    if not candidates:
        return
    st.subheader("On the photos kept aside")
    number = st.column_config.NumberColumn(format="%.3f")
    rows = [
        {"weights": name, **{_QUALITIES.get(f"val_{key}", key): value for key, value in measured.items()}}
        for name, measured in candidates.items()
    ]
    show_table(
        rows,
        key="candidates",
        file_name="candidates",
        column_config={name: number for name in rows[0] if name != "weights"},
    )
