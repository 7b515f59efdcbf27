"""Commands that bring public archives, and one's own photos, into the form that training reads: data import."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain import ImageType
from .common import count, example, make_app, progress, stages
from .data import FoldsOption, NoDuplicatesOption, Scheme, SchemeOption, SeedOption, TestShareOption, data_app

if TYPE_CHECKING:
    from ..datasets.archives import Archive
    from ..datasets.form import ImportSummary

import_app = make_app("Bring an archive into the form that training and evaluation read.")
data_app.add_typer(import_app, name="import")

SourceOption = Annotated[Path, typer.Option("--source", metavar="DIR", help="The unpacked archive.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set folder to make, or to go on with.")]
SkipOption = Annotated[bool, typer.Option("--skip-unknown", help="Leave rows out whose diagnosis is no class of ours.")]
CopyOption = Annotated[bool, typer.Option("--copy", help="Copy photos; without it they are linked where that works.")]

MasksOption = Annotated[
    Path | None,
    typer.Option("--masks", metavar="DIR", help="Masks of the lesions, named as their photos (or *_segmentation)."),
]


@import_app.command("ham10000", epilog=example("data import ham10000 --source downloads --out ham10000"))
def import_ham10000(
    source: SourceOption,
    out: OutOption,
    isic2019_labels: Annotated[
        Path | None,
        typer.Option("--isic2019-labels", metavar="CSV", help="ISIC 2019's ground truth, which parts akiec."),
    ] = None,
) -> None:
    """Make the 200x150 view of HAM10000, and of its masks, with the shipped split; photos already made are kept."""
    from ..datasets.ham10000 import import_ham10000 as make_view

    with progress("Importing") as show:
        summary = make_view(source, out, isic2019_labels=isic2019_labels, on_progress=show)
    typer.echo(
        f"{count(summary.n_photos, 'photo')} in {out}, {summary.n_made} made now; "
        f"{summary.n_outside_split} of the archive are not in the split.{_masks(summary.n_masks)}"
    )
    if summary.missing:
        shown = ", ".join(summary.missing[:5])
        typer.echo(f"Warning: the source lacks {count(len(summary.missing), 'photo')}, such as {shown}.", err=True)


def _write(
    read: Callable[[], Archive],
    *,
    out: OutOption,
    must_copy: CopyOption = False,
    scheme: SchemeOption = Scheme.KFOLD,
    n_folds: FoldsOption = 5,
    test_share: TestShareOption = 0.1,
    seed: SeedOption = 0,
    no_duplicates: NoDuplicatesOption = False,
    masks: MasksOption = None,
) -> None:
    from ..datasets.form import add_masks, write_dataset
    from ..datasets.split import split_parts

    parts = split_parts(scheme.value, n_folds=n_folds, test_share=test_share)
    archive = read()
    with stages() as show:
        summary = write_dataset(
            archive.records if masks is None else add_masks(archive.records, masks),
            out,
            parts=parts,
            seed=seed,
            must_copy=must_copy,
            find_same=not no_duplicates,
            skipped=archive.skipped,
            on_progress=show,
        )
    _tell(summary, out)


def _tell(summary: ImportSummary, out: Path) -> None:
    how = ", ".join(f"{n:,} by {way}" for way, n in sorted(summary.how.items())) or "all were there"
    split = (
        "The archive's own split is kept"
        if summary.has_own_split
        else "Each person, lesion and picture lies in one part"
    )
    typer.echo(
        f"{count(summary.n_photos, 'photo')} in {out}, {summary.n_placed} placed now ({how}). {split}."
        f"{_masks(summary.n_masks)}"
    )
    for sentence, names in (
        ("the source lacks", summary.missing),
        ("these cannot be decoded (see: data verify --fix):", summary.damaged),
    ):
        if names:
            typer.echo(f"Warning: {sentence} {count(len(names), 'photo')}, such as {', '.join(names[:5])}.", err=True)
    if summary.skipped:
        shown = ", ".join(f"{name.replace(chr(9), ' ')} {n:,}" for name, n in list(summary.skipped.items())[:10])
        typer.echo(f"Left out, for their diagnosis is no class of ours: {shown}.", err=True)
    typer.echo("Check it with: python -m dermascan_core data verify DIR", err=True)


def _masks(n: int) -> str:
    return f" {count(n, 'mask')} of lesions beside them." if n else ""


def import_command(name: str, *, shown: str) -> Callable[[Callable[..., Archive]], None]:
    """Make a command of a function that reads an archive: it gets the options of ``_write`` beside its own.

    Args:
        name: Of the command; the function's docstring is its help.
        shown: The example's arguments.
    """

    def register(read: Callable[..., Archive]) -> None:
        own = _options_of(read)
        common = _options_of(_write)[1:]

        def command(**values: Any) -> None:
            options = {option.name: values.pop(option.name) for option in common}
            _write(lambda: read(**values), **options)

        described: Any = command  # typer reads what a command takes from its signature
        described.__signature__ = Signature([one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*own, *common)])
        described.__doc__ = read.__doc__
        import_app.command(name, epilog=example(f"data import {name} {shown}"))(command)

    return register


def _options_of(function: Callable[..., Any]) -> list[Parameter]:
    # Archive is known to type checkers alone, so that the command line starts without the data room.
    return list(signature(function, eval_str=True, locals={"Archive": Any}).parameters.values())


@import_command("isic2019", shown="--source ISIC_2019 --out isic2019")
def import_isic2019(source: SourceOption, skip_unknown: SkipOption = False) -> Archive:
    """ISIC 2019: ground truth, metadata and photos, as downloaded; HAM10000's test photos stay in the test."""
    from ..datasets.archives import read_isic2019

    return read_isic2019(source, skip_unknown=skip_unknown)


@import_command("isic2020", shown="--source ISIC_2020 --out isic2020")
def import_isic2020(source: SourceOption, skip_unknown: SkipOption = False) -> Archive:
    """ISIC 2020 (SIIM-ISIC): ground truth with patients, and photos; moles nobody biopsied have no class."""
    from ..datasets.archives import read_isic2020

    return read_isic2020(source, skip_unknown=skip_unknown)


@import_command("isic2024", shown="--source isic-2024-challenge --out slice3d")
def import_isic2024(source: SourceOption, skip_unknown: SkipOption = False) -> Archive:
    """ISIC 2024 (SLICE-3D): close-ups from total-body photographs with their measurements; folder or HDF5."""
    from ..datasets.archives import read_isic2024

    return read_isic2024(source, skip_unknown=skip_unknown)


@import_command("pad-ufes-20", shown="--source PAD-UFES-20 --out pad")
def import_pad_ufes_20(source: SourceOption, skip_unknown: SkipOption = False) -> Archive:
    """PAD-UFES-20: smartphone photos with what the person noticed, skin type and diameters."""
    from ..datasets.archives import read_pad_ufes_20

    return read_pad_ufes_20(source, skip_unknown=skip_unknown)


@import_command("ph2", shown="--source PH2Dataset --out ph2")
def import_ph2(source: SourceOption, skip_unknown: SkipOption = False) -> Archive:
    """PH2: 200 dermoscopic photos of nevi and melanomas, with PH2_dataset.txt or its sheet saved as CSV."""
    from ..datasets.archives import read_ph2

    return read_ph2(source, skip_unknown=skip_unknown)


ImageTypeOption = Annotated[ImageType, typer.Option("--image-type", help="How the photos were taken.")]
LicenceOption = Annotated[str, typer.Option("--licence", help="Of the photos.")]
AttributionOption = Annotated[str, typer.Option("--attribution", help="Whom to name for the photos.")]


@import_command("folder", shown="--source mine --out set --image-type dermoscopic")
def import_folder(
    source: Annotated[Path, typer.Option("--source", metavar="DIR", help="A folder that holds one folder a class.")],
    image_type: ImageTypeOption,
    licence: LicenceOption = "",
    attribution: AttributionOption = "",
    skip_unknown: SkipOption = False,
) -> Archive:
    """Photos in one folder a class (nevus/, melanoma/ ...), with or without train/ and test/ above them."""
    from ..datasets.own_photos import read_folders

    return read_folders(
        source, image_type=image_type.value, licence=licence, attribution=attribution, skip_unknown=skip_unknown
    )


@import_command("csv", shown="--table t.csv --images photos --out set --image-type clinical --column dx=label")
def import_csv(
    table: Annotated[Path, typer.Option("--table", metavar="CSV", help="One row a photo.")],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="The photos, in it or below it.")],
    image_type: ImageTypeOption,
    columns: Annotated[
        list[str] | None, typer.Option("--column", metavar="OURS=THEIRS", help="Which column is which; repeat it.")
    ] = None,
    licence: LicenceOption = "",
    attribution: AttributionOption = "",
    skip_unknown: SkipOption = False,
) -> Archive:
    """Any table and the photos that it names."""
    from ..datasets.own_photos import read_csv

    named = {ours: theirs for ours, _, theirs in (column.partition("=") for column in columns or [])}
    said = {"image_type": image_type.value, "licence": licence, "attribution": attribution}
    constants = {name: value for name, value in said.items() if value}
    return read_csv(table, images, columns=named, constants=constants, skip_unknown=skip_unknown)
