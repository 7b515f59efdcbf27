"""The file of a batch: one physical line a photo, with the system as soon as it is written, and resumable after a kill."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..domain import ImageType, PhotoScreening, Screening
from ..errors import OutputError
from ..reports.export import photo_record, photo_row, screen_columns
from ..tables import safe_cell

OUT_ENDINGS = (".csv", ".jsonl")
_BEGIN_AGAIN = "choose another output file, or leave out --resume to begin again."


class RowFile:
    """A ``.csv`` or ``.jsonl`` file of photo rows for one model and one kind of photo.

    Args:
        path: Where to write; its ending chooses the format.
        codes: The model's class codes; they decide the columns.
        model_sha256: Of the model's weights; rows of another model are not mixed in.
        image_type: How the photos were taken; nor are rows of the other type.

    Raises:
        OutputError: If the ending is another one.
    """

    def __init__(self, path: Path, *, codes: Sequence[str], model_sha256: str, image_type: ImageType) -> None:
        if path.suffix.lower() not in OUT_ENDINGS:
            raise OutputError(
                f"Expected a file that ends in {' or '.join(OUT_ENDINGS)}. Received '{path}'. Rename the output file."
            )
        self.path, self.codes, self.model_sha256 = path, tuple(codes), model_sha256
        self.image_type = image_type
        self.columns = screen_columns(codes)
        self.is_csv = path.suffix.lower() == ".csv"

    def keep_finished_rows(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows already there, after dropping a last line that a kill tore.

        Args:
            names: The photos of this batch, in order.

        Raises:
            OutputError: If the file cannot be read, or its rows are not the first photos of this batch.
        """
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise self._error(error) from error
        self._check_start(data)
        whole = data[: data.rfind(b"\n") + 1]
        rows = self._parse(whole)
        for index, row in enumerate(rows):
            self._check(row, names[index] if index < len(names) else None)
        if whole != data:
            try:
                with self.path.open("r+b") as file:
                    file.truncate(len(whole))
            except OSError as error:
                raise self._error(error) from error
        return rows

    def _check_start(self, data: bytes) -> None:
        """Refuse to touch a file that no run of ours began; a kill may have left only the first bytes."""
        start = b"image,status,reason," if self.is_csv else b'{"image":'
        if data[: len(start)] != start[: len(data)]:
            raise OutputError(
                f"Expected '{self.path}' to be new, or to hold the rows of an earlier run. It holds something else, "
                "which would be lost. Choose another output file."
            )

    def _parse(self, whole: bytes) -> list[dict[str, Any]]:
        try:
            lines = whole.decode("utf-8").split("\n")[:-1]
            if self.is_csv:
                # The header is a row here, so that what stands under a wrong one is not trusted either.
                cells = list(csv.reader(lines, strict=True))
                rows = [dict(zip(self.columns, row, strict=True)) for row in cells]
                header = dict(zip(self.columns, self.columns, strict=True))
                is_sound = not rows or rows.pop(0) == header
            else:
                rows = [json.loads(line) for line in lines]
                is_sound = all(isinstance(row, dict) and tuple(row) == self.columns for row in rows)
        except (ValueError, csv.Error) as error:
            raise self._not_ours() from error
        if not is_sound:
            raise self._not_ours()
        return rows

    def _check(self, row: dict[str, Any], name: str | None) -> None:
        wanted = None if name is None else safe_cell(name) if self.is_csv else name
        if row["image"] != wanted:
            raise OutputError(
                f"Expected '{self.path}' to hold the first photos of this batch, in order. "
                f"Received a row about '{row['image']}' where '{name or 'nothing more'}' belongs. "
                f"Screen the same files, {_BEGIN_AGAIN}"
            )
        if row["model_sha256"] != self.model_sha256:
            raise OutputError(
                f"Expected '{self.path}' to hold rows of the model {self.model_sha256[:12]}. "
                f"Received rows of the model {row['model_sha256'][:12]}. Use the same model, {_BEGIN_AGAIN}"
            )

        if row["image_type"] != self.image_type.value:
            raise OutputError(
                f"Expected '{self.path}' to hold rows of {self.image_type} photos. "
                f"Received rows of {row['image_type']} photos. Use --image-type {row['image_type']}, {_BEGIN_AGAIN}"
            )

    def _not_ours(self) -> OutputError:
        return OutputError(
            f"Expected '{self.path}' to hold the rows of an earlier run with this model's columns. "
            f"It holds something else: {_BEGIN_AGAIN}"
        )

    @contextmanager
    def open(self, *, append: bool) -> Iterator[Callable[[PhotoScreening, Screening], None]]:
        """Yield a function that writes one photo's line; each line is with the system when it returns.

        Raises:
            OutputError: On opening or writing, when the disk is full or read-only, or the folder is missing.
        """
        try:
            if not append and self.path.is_file():
                with self.path.open("rb") as earlier:
                    self._check_start(earlier.read(64))
            # Unbuffered: a kill -9 takes at most the line being written.
            file = self.path.open("ab" if append else "wb", buffering=0)
        except OSError as error:
            raise self._error(error) from error
        with file:

            def write_line(line: str) -> None:
                rest = memoryview(f"{line}\n".encode())
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                except OSError as error:
                    raise self._error(error) from error

            if self.is_csv and file.tell() == 0:
                write_line(",".join(self.columns))
            yield lambda photo, screening: write_line(self._line(photo, screening))

    def _line(self, photo: PhotoScreening, screening: Screening) -> str:
        if not self.is_csv:
            return json.dumps(photo_record(photo, screening, self.codes), ensure_ascii=True, allow_nan=False)
        buffer = io.StringIO()
        csv.DictWriter(buffer, self.columns, restval="", lineterminator="").writerow(photo_row(photo, screening))
        return buffer.getvalue()

    def _error(self, error: OSError) -> OutputError:
        return OutputError(
            f"The results cannot be written to '{self.path}': {error.strerror or error}. "
            "Lines already written are kept. Free the disk or choose another place, then go on with --resume."
        )
