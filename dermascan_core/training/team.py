"""The processes that train one network together: whose rows are whose, and what they tell each other.

JAX connects them, and ``keras.distribution`` lets every step see the whole batch. A process alone touches neither.
Who starts and watches them is said in ``launch``.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import TrainingError
from ..native_output import without_chatter
from .launch import Place, refuse_loopback_name

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Team:
    """One process among those that train a network together, or the only one.

    Attributes:
        rank: 0 leads: it alone writes the run's folder.
        size: How many processes there are.
        distribution: Keras' way of spreading a batch over all their devices; None where there is one process.
    """

    rank: int = 0
    size: int = 1
    distribution: Any = None

    @property
    def is_lead(self) -> bool:
        """Whether this process writes what the training gives."""
        return self.rank == 0

    def rows(self, batch_size: int) -> slice:
        """Return which rows of every batch this process loads.

        Raises:
            TrainingError: If the batch cannot be shared evenly.

        >>> Team(rank=1, size=2).rows(32)
        slice(16, 32, None)
        """
        n_devices = self.size if self.distribution is None else self.distribution.num_model_replicas
        if batch_size % n_devices:
            raise TrainingError(
                f"Expected a batch_size that {n_devices} devices in {self.size} processes can share evenly. "
                f"Received {batch_size}. Set another, such as --set batch_size={-(-batch_size // n_devices) * n_devices}."
            )
        share = batch_size // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let what is built and trained meanwhile be one network over all processes."""
        with self._distributed_by(self.distribution):
            yield

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let this process build and ask a network of its own meanwhile, in the middle of ``together`` too."""
        with self._distributed_by(None):
            yield

    @contextmanager
    def _distributed_by(self, distribution: Any) -> Iterator[None]:
        if self.size == 1:
            yield
            return
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(distribution)
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)

    def share(self, data: Any) -> Any:
        """Return what the leading process gave: plain data that JSON can hold. All processes must ask."""
        return data if self.size == 1 else json.loads(self._share_bytes(json.dumps(data).encode()))

    def share_arrays(self, arrays: Arrays) -> Arrays:
        """Return the leading process's arrays, to the bit. All processes must ask."""
        if self.size == 1:
            return arrays
        file = io.BytesIO()
        named: dict[str, Any] = dict(arrays)
        np.savez(file, **named)
        with np.load(io.BytesIO(self._share_bytes(file.getvalue()))) as shared:
            return {name: shared[name] for name in shared.files}

    def _share_bytes(self, content: bytes) -> bytes:
        from jax.experimental import multihost_utils

        n_bytes = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
        own = np.frombuffer(content[:n_bytes].ljust(n_bytes, b"\0"), np.uint8)
        return bytes(np.asarray(multihost_utils.broadcast_one_to_all(own)))

    def positions(self, n: int) -> npt.NDArray[np.intp]:
        """Return which of n entries this process answers for: as many as every other, the last one repeated if need be.

        >>> [Team(rank=rank, size=2).positions(5).tolist() for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 4]]
        """
        return np.minimum(np.arange(-(-n // self.size)) * self.size + self.rank, n - 1)

    def gather(self, answers: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
        """Return all n answers in order, each once, of the processes that each answered for its ``positions``."""
        if self.size == 1:
            return answers
        from jax.experimental import multihost_utils

        by_process = np.asarray(multihost_utils.process_allgather(answers))  # (size, n of each, ...)
        return in_order(by_process, n)

    def leave(self) -> None:
        """Part from the others, who all do so now: what follows is for the leading process alone."""
        if self.size > 1:
            import jax

            jax.distributed.shutdown()


ALONE = Team()


def in_order(by_process: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Return n answers in order, from an array (processes, answers of each, ...) by ``Team.positions``.

    >>> in_order(np.array([[0, 2, 4], [1, 3, 4]]), 5).tolist()
    [0, 1, 2, 3, 4]
    """
    return by_process.swapaxes(0, 1).reshape(-1, *by_process.shape[2:])[:n]


def join(place: Place) -> Team:
    """Wait for the other processes and return this one's place among them.

    Must come before anything is computed. A network starts from what the leading process has: seeds, data and versions
    must be the same everywhere (``refuse_other_start``).

    Args:
        place: Of this process. Of several on one computer each takes one graphics card; else it takes all that it sees.

    Raises:
        TrainingError: If Keras does not run on JAX, the others do not come, they have other numbers of devices, or they
            could not reach this computer.
    """
    if keras.backend.backend() != "jax":
        raise TrainingError(
            f"Expected JAX as Keras' backend for several processes. Received {keras.backend.backend()}. "
            "Set KERAS_BACKEND=jax, or leave the variable out."
        )
    import jax

    if place.is_local:
        # Without this, JAX listens at every address of the computer.
        os.environ["JAX_COORDINATOR_BIND_ADDRESS"] = place.coordinator
    try:
        with without_chatter():
            # What keras.distribution.initialize calls too; it would also make up a seed, which the recipe gives.
            jax.distributed.initialize(
                place.coordinator, place.size, place.rank, local_device_ids=[place.rank] if place.is_local else None
            )
            distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
            n_devices, n_own = jax.device_count(), jax.local_device_count()
    except jax.errors.JaxRuntimeError as error:
        raise TrainingError(
            f"Expected {place.size} processes to meet at {place.coordinator} within five minutes. "
            f"JAX said: {str(error).splitlines()[0]} Start all of them, with the same --processes and --coordinator."
        ) from error
    if jax.default_backend() == "cpu" and not place.is_local:
        refuse_loopback_name()
    if n_own * place.size != n_devices:
        raise TrainingError(
            f"Expected as many devices in each of {place.size} processes. Process {place.rank} has {n_own} of {n_devices}. "
            "Show some of them fewer, by CUDA_VISIBLE_DEVICES."
        )
    return Team(place.rank, place.size, distribution)


def refuse_other_start(team: Team, record: Mapping[str, Any]) -> None:
    """Raise unless this process is about to train what the leading one trains.

    Args:
        team: All processes must ask.
        record: ``run.json``; compared are recipe, parts of the data, and versions.

    Raises:
        TrainingError: In the process that differs; names what does.
    """
    own = json.loads(json.dumps({name: record[name] for name in _SAME_EVERYWHERE}))
    lead = team.share(own)
    # Where the starting weights lie may differ; that they are the same is checked by JAX, number by number.
    for start in (own, lead):
        start["preset"].pop("pretrained", None)
    for name in _SAME_EVERYWHERE:
        if own[name] != lead[name]:
            raise TrainingError(
                f"Expected the same {name} in all {team.size} processes. Process {team.rank} has {own[name]}, "
                f"process 0 has {lead[name]}. Start all with the same version, recipe and data."
            )


_SAME_EVERYWHERE = (
    *("preset", "fold", "codes", "metadata_fields", "split_sha256", "n_train", "n_validation"),
    *("app_version", "keras_version"),
)
