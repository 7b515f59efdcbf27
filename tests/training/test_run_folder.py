import errno
import os

import numpy as np
import pytest

from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.training.run_folder import (
    append_epoch,
    read_checkpoint,
    read_epochs,
    read_state,
    sole_trainer,
    wait_until_free,
    write_checkpoint,
    write_whole,
)


def _full_disk(partial):
    partial.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_leaves_what_was_there_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "best.keras"
    path.write_bytes(b"before")

    with pytest.raises(OutputError) as error:
        write_whole(path, _full_disk)

    assert str(error.value) == (
        f"Expected to write '{path}'. The disk said: No space left on device. "
        "Free some space, then go on with --resume."
    )
    assert [p.name for p in tmp_path.iterdir()] == ["best.keras"]
    assert path.read_bytes() == b"before"


def test_checkpoint_counts_once_the_state_names_it(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, {"network/0": np.arange(3)}, {"epoch": 1})
    write_checkpoint(tmp_path, {"network/0": np.arange(4)}, {"epoch": 2})
    assert [p.name for p in tmp_path.glob("checkpoint-*")] == ["checkpoint-2.npz"]

    # Killed after the next checkpoint's file and before its state.
    monkeypatch.setattr("dermascan_core.training.run_folder.write_json", _full_disk_json)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path, {"network/0": np.arange(5)}, {"epoch": 3})

    assert read_state(tmp_path)["epoch"] == 2
    assert read_checkpoint(tmp_path)["network/0"].tolist() == [0, 1, 2, 3]


def _full_disk_json(path, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_epochs_of_a_repeated_run_stand_once_and_new_columns_are_kept(tmp_path):
    path = tmp_path / "epochs.csv"

    for row in ({"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.5}, {"epoch": 2, "loss": 1.25, "val_loss": 3.0}):
        append_epoch(path, row)

    assert read_epochs(path) == [{"epoch": 1, "loss": 2}, {"epoch": 2, "loss": 1.25, "val_loss": 3}]


def test_second_process_is_kept_out_of_a_run(tmp_path):
    with (
        sole_trainer(tmp_path),
        pytest.raises(OutputError, match=r"Another process is training in '.*'\. Wait for it"),
        sole_trainer(tmp_path),
    ):
        pass
    wait_until_free(tmp_path)
    with sole_trainer(tmp_path):
        pass


def test_checkpoint_that_is_gone_is_said(tmp_path):
    from dermascan_core.training.run_folder import check_start, start

    record = {"preset": {}, "fold": 0, "codes": [], "metadata_fields": [], "split_sha256": ""}
    start(tmp_path, record)
    write_checkpoint(tmp_path, {}, {"epoch": 2})
    (tmp_path / "checkpoint-2.npz").unlink()

    with pytest.raises(DatasetError, match=r"Expected the checkpoint of epoch 2 in '.*'\. It is missing"):
        check_start(tmp_path, record, resume=True)
