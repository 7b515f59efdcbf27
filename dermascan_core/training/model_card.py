"""The model card, generated from a manifest: no figure in it is typed by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.summary import count_calm
from ..model.manifest import Manifest
from ..taxonomy import CLASS_BY_CODE, HAM_CODES, HAM_NAMES
from .releases import NEW_TO_IT, RELEASES, ReleaseRecipe

_OWN_EVALUATIONS = ("test", "cross-validation")  # of the data it was made of
_SUMMARY_ROWS = {
    "macro_auc": "Macro AUC (seven classes, one against rest)",
    "balanced_accuracy": "Balanced accuracy (of the class shown first)",
    "accuracy": "Accuracy (of the class shown first)",
    "malignant_auc": "AUC, cancer or pre-cancer against the rest",
    "specificity_at_95_sensitivity": "Specificity at 95 % malignant sensitivity (this set's own ROC)",
    "sensitivity_at_threshold": "Malignant sensitivity at the shipped threshold",
    "melanoma_sensitivity_at_threshold": "Melanoma sensitivity at the shipped threshold",
    "specificity_at_threshold": "Specificity at the shipped threshold",
    "ece": "Expected calibration error (15 bins)",
    "brier": "Brier score (seven classes)",
    "log_loss": "Log loss (seven classes)",
}


def render_model_card(manifest: Manifest) -> str:
    """Return the model card as Markdown.

    Args:
        manifest: With the metrics of ``publish_release``.
    """
    parts = [
        f"# Model card: {manifest.name} {manifest.version}",
        "Generated from the manifest by `python -m dermascan_core release`; do not edit by hand.",
        _intended_use(manifest),
        _what_it_is(manifest),
        _data(manifest),
        _training(manifest),
        _operating_point(manifest),
        *(_figures(name, metrics) for name, metrics in manifest.metrics.items()),
        _metadata_loss(manifest),
        _limits(manifest),
        f"## Licence\n\nThe weights: {manifest.licence}. The code: MIT.",
        _reproduce(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _intended_use(manifest: Manifest) -> str:
    remark = "on how many such photos it was measured" if manifest.phone_test else "that this was not tested"
    return f"""## Intended use

Research, teaching, demonstration, and a second look beside a clinician's own. It is not a medical device and not a
diagnosis; a low result does not rule out skin cancer. It answers for dermoscopic photos of one lesion on the skin of
adults. It is not for nails, mucosa, people under 18, or photos that its quality gate refuses; photos taken with a
phone are answered with the remark {remark}."""


def _what_it_is(manifest: Manifest) -> str:
    classes = ", ".join(f"{CLASS_BY_CODE[c].name} (`{c}`)" for c in manifest.codes)
    return f"""## What it is

A dual-branch network: {manifest.backbone} on a {manifest.preprocess.input_px} px square that carries
{manifest.preprocess.detail_px} px of detail, and a metadata branch ({", ".join(manifest.metadata_fields)}; each may be
unknown), joined before the class head. Answers average {manifest.n_views} flips and quarter turns. Classes: {classes}.
Weights: `{manifest.name}.keras`, sha256 `{manifest.sha256}`."""


def _data(manifest: Manifest) -> str:
    data = manifest.data
    rows = [[code, str(n)] for code, n in data["class_counts"].items()]
    return f"""## Training data

{data["name"]}, {data["source"]}, {data["licence"]}; split by lesion (split sha256 `{data["split_sha256"]}`):
{data["n_train"]} photos trained, {_setters(manifest)} set {_set_on_the_fold(manifest)}.
{_unseen(manifest)} Photos by class:

{_table(["class", "photos"], rows)}"""


def _set_on_the_fold(manifest: Manifest) -> str:
    chosen = "" if "members" in manifest.training else "the epoch, "
    return f"{chosen}the temperature, the threshold and the sets"


def _setters(manifest: Manifest) -> str:
    if _is_pooled(manifest):
        return f"the answers of{manifest.threshold_rule.rpartition(' on')[2]}"
    return f"{manifest.data['n_validation']} (fold {manifest.data['validation_fold']})"


def _is_pooled(manifest: Manifest) -> bool:
    """Whether the answers of all folds fitted what decides; else the photos of the one fold that validated."""
    return manifest.threshold_rule.endswith(NEW_TO_IT)


def _unseen(manifest: Manifest) -> str:
    """What `test` and the other archives are a check of: for one figure of our releases they are none any more."""
    words = "No lesion of `test` trained the network or set any of these."
    if manifest.name not in RELEASES:
        return words
    return (
        f"{words} The rule by which the line for calm answers is drawn was made stricter after figures of `test` and of other "
        "archives had been seen (decision 56): how many cancers an answer would calm about is, on them, no outside check."
    )


def _training(manifest: Manifest) -> str:
    recipe, epochs = manifest.training["recipe"], manifest.training["epochs"]
    names = [
        n for n in ("loss", "accuracy", "val_macro_auc", "val_malignant_auc", "val_balanced_accuracy") if n in epochs[0]
    ]
    rows = [[f"{row['epoch']:.0f}", *(f"{row[name]:.3f}" for name in names)] for row in epochs]
    candidates = [
        [name, *(f"{value:.4f}" for value in measures.values())]
        for name, measures in manifest.training["candidates"].items()
    ]
    settings = ", ".join(f"{key} {value}" for key, value in recipe.items() if key != "pretrained" and value is not None)
    return f"""## Training

Recipe: {settings}. Started from {_start_of(recipe)}; every layer was trained{_after_warm_up(recipe)}. Kept: {manifest.training["kept"]}.
{_how_kept(manifest)}

{_table(["weights", "macro AUC", "malignant AUC", "balanced accuracy"], candidates)}

{_rounding_words(manifest)}By epoch (the validation figures here are of single views, before calibration, over the network's own classes):

{_table(["epoch", *names], rows)}"""


def _after_warm_up(recipe: Mapping[str, Any]) -> str:
    return " after the warm-up" if recipe.get("warmup_epochs") else ""


def _start_of(recipe: Mapping[str, Any]) -> str:
    source = Path(recipe["pretrained"])
    if source.name == "none":
        return "random weights"
    if re.fullmatch(r"fold-\d+", source.name):
        return f"the run `{source.parent.name}/{source.name}`"
    return f"the released `{source.name}`" if source.suffix == ".keras" else "ImageNet weights"


def _how_kept(manifest: Manifest) -> str:
    if "members" not in manifest.training:  # a release of the days when three candidates were tried
        return "Of what the run offered, validated as served (views averaged), the highest mean of the three measures was kept:"
    return "The weights follow from the recipe, not from a choice on the fold that validates. Validated as served (views averaged):"


def _rounding_words(manifest: Manifest) -> str:
    """What storing kernels in float16 did to answers; nothing of a release from before that was measured."""
    found = manifest.training.get("rounding")
    if found is None:
        return ""
    return (
        f"Kernels are stored as float16. Of {found['n_photos']} photos of the fold, answered with them and as they were trained, "
        f"{found['answer_changed']} are answered otherwise: another class first {found['class_changed']}, another side of a line "
        f"{found['line_crossed']}, another prediction set {found['set_changed']}. No probability moves by more than "
        f"{found['largest_change']:.4f}.\n\n"
    )


def _operating_point(manifest: Manifest) -> str:
    reached = manifest.data["validation_at_threshold"]
    return f"""## Operating point

`p_malignant` >= {manifest.threshold:.4f}: {manifest.threshold_rule}. Reached there: malignant sensitivity
{reached["malignant_sensitivity"]:.3f}, melanoma sensitivity {reached["melanoma_sensitivity"]:.3f}, specificity
{reached["specificity"]:.3f} ({manifest.data["n_validation_malignant"]} malignant photos). Temperature
{manifest.temperature:.3f}. An answer may calm below {manifest.calm_line:.4f} alone{_calm_rule(manifest)}."""


def _calm_rule(manifest: Manifest) -> str:
    if manifest.calm_threshold is None:
        return ", the same line"
    return ", which 99.5 % of the malignant photos and 99 % of the melanomas there reached"


def _figures(name: str, metrics: Mapping[str, Any]) -> str:
    summary, classes, data = metrics["summary"], metrics["classes"], metrics["data"]
    rows = [[label, _estimate(summary[key])] for key, label in _SUMMARY_ROWS.items() if key in summary]
    rows += [
        [
            f"Coverage of the {level} % sets (mean size)",
            f"{_estimate(found['coverage'])} ({_value(found['mean_size']):.2f})",
        ]
        for level, found in metrics["sets"].items()
    ]
    class_rows = [
        [f"{HAM_NAMES[code]} (`{code}`)", str(classes[code].get("n", ""))]
        + [_estimate(classes[code][key]) for key in ("precision", "sensitivity", "specificity", "f1", "auc")]
        for code in HAM_CODES
        if code in classes and classes[code].get("n")
    ]
    by_class = _table(["class", "n", "precision", "sensitivity", "specificity", "F1", "AUC"], class_rows)
    told = "metadata told where known" if data["use_metadata"] else "everything unknown"
    return f"""## Measured: {name} ({told})

{data["n_rows"]} photos of lesions that neither trained the network nor set its threshold; 95 % bootstrap intervals.

{_table(["measure", "value (95 % interval)"], rows)}

{_calm_words(metrics)}{by_class if class_rows else "The labels name no classes."}"""


def _calm_words(metrics: Mapping[str, Any]) -> str:
    """How many cancers the model would calm about if the person's own key were calm too."""
    steps = metrics.get("calmest_steps")
    if not steps:
        return ""
    calm = count_calm(steps)
    return (
        f"If every question were answered calmly: {calm.cancers} of {calm.n_cancers} malignant photos, and "
        f"{calm.others} of the {calm.n_others} others, would get the calmest next step (`watch`).\n\n"
    )


def _metadata_loss(manifest: Manifest) -> str:
    if not {"test", "test-no-metadata"} <= set(manifest.metrics):
        return ""
    told, untold = (_value(manifest.metrics[name]["summary"]["macro_auc"]) for name in ("test", "test-no-metadata"))
    return f"Macro AUC lost when all metadata is unknown: {told - untold:.4f}."


def _limits(manifest: Manifest) -> str:
    phone = manifest.phone_test
    phones = (
        f"Phone photos were measured on {phone.n_photos} alone, {phone.n_melanomas} of them of melanoma."
        if phone
        else "Phone photos were not measured."
    )
    return f"""## Limits

- {_origin_words(manifest)} Skin types V
  and VI are not tested: nothing here supports a claim about dark skin.
- Photos from other clinics, devices or phones score lower, as far as measured above. {phones}
- {_class_words(manifest)} Merkel cell
  carcinoma, amelanotic melanoma and other rare forms are absent or rare.
- Dermatofibromas and vascular lesions are few in the test split: read their intervals.
- Probabilities are shares among archive photos like this one, not a person's chance of cancer."""


def _has_phones(manifest: Manifest) -> bool:
    return "PAD-UFES-20" in _data_names(manifest)


def _origin_words(manifest: Manifest) -> str:
    if "HAM10000" not in _data_names(manifest):
        return "Where the training photos come from is for the maker of this model to say."
    phones = ", the phone photos from one university's programme in Brazil" if _has_phones(manifest) else ""
    return f"Dermoscopic training photos come from two clinics (Vienna, Queensland){phones}; mostly of light skin."


def _class_words(manifest: Manifest) -> str:
    if "HAM10000" not in _data_names(manifest):
        return "Invasive squamous cell carcinoma,"
    words = "`scc` of dermoscopic photos is ISIC 2019's label on HAM10000's `akiec`: in-situ (Bowen)."
    if not _has_phones(manifest):
        return f"{words} Invasive squamous cell carcinoma,"
    return (
        f"{words} Invasive squamous cell carcinoma was learnt from a few phone photos alone, and so was `sk` (seborrheic "
        "keratosis): what the network knows of these two cannot be told from how phone photos look."
    )


def _reproduce(manifest: Manifest) -> str:
    archives = [f"`{name}`" for name in _data_names(manifest)]
    return f"""## Rebuild and measure again

```
{_how_made(manifest)}
python -m dermascan_core evaluate --images HAM10000/images --labels HAM10000/metadata.csv --split test --out out
```

{" and ".join(archives)}: the folder{"s" if len(archives) > 1 else ""} that `python -m dermascan_core data import` makes of
the public archive{"s" if len(archives) > 1 else ""}{_weights_word(manifest)}."""


def _weights_word(manifest: Manifest) -> str:
    return "; `WEIGHTS` a local file of ImageNet weights" if "WEIGHTS" in _how_made(manifest) else ""


def _how_made(manifest: Manifest) -> str:
    recipe, name = manifest.training["recipe"], manifest.name
    data = "".join(f" --data {archive}" for archive in _data_names(manifest))
    measured = "".join(f" --external {found}" for found in manifest.metrics if not found.startswith(_OWN_EVALUATIONS))
    known = RELEASES.get(name, ReleaseRecipe(("student",)))
    ending = f"--card docs/{known.card}{measured}"
    if _is_pooled(manifest):
        return f"python -m dermascan_core rebuild {name}{data} --runs runs {ending}"
    fold, version = manifest.data["validation_fold"], f" --version {manifest.version}" * (manifest.version != "1")
    if recipe.get("teacher"):
        return f"python -m dermascan_core rebuild {name}{data} --runs runs --fold {fold} --release {ending}"
    made = f"python -m dermascan_core train {recipe['backbone']}{data} --out runs/{name} --set pretrained=WEIGHTS"
    return f"{made}\npython -m dermascan_core release runs/{name}{data} --name {name}{version} {ending}"


def _data_names(manifest: Manifest) -> list[str]:
    """Return archives ("A; B") or, of a trainer's own photos, folders ("a, b")."""
    return re.split("[;,] ", str(manifest.data["name"]))


def _value(estimate: Any) -> float:
    return float(estimate["value"] if isinstance(estimate, Mapping) else estimate)


def _estimate(estimate: Any) -> str:
    if estimate is None or (isinstance(estimate, Mapping) and estimate.get("value") is None):
        return "undefined"
    if isinstance(estimate, Mapping) and estimate.get("low") is not None:
        return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"
    return f"{_value(estimate):.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
