"""From squares and metadata to predictions: views, prior correction, temperature, sets. Any engine, one arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import Metadata, Prediction
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from ..trust.calibration import calibrate_logits
from ..trust.conformal import prediction_set
from ..trust.gate import Gate, GateScores
from .gradcam import average_heat_map, joint_heat_map
from .head import Head
from .manifest import Manifest
from .metadata_branch import MetadataEncoder
from .views import make_views

Array = npt.NDArray[np.floating]
# (image (side, side, 3), encoded answers (width,), class index) -> each member's gradient, or None.
GuidedGradients = Callable[[npt.NDArray[np.float32], Array, int], list[Array] | None]
MAX_BATCH = 32  # views at once, where the engine takes any number: more is no faster and takes more memory


@dataclass(frozen=True, slots=True)
class PhotoOutput:
    """What the model says of one photo.

    Attributes:
        prediction: With the metadata given.
        prediction_without_metadata: With everything unknown.
        embedding: Pooled image features (channels,), averaged over the views; those of several members end to end.
        heat_maps: HAM10000 code -> Grad-CAM (h, w) in [0, 1] on the feature grid; empty unless asked for.
        gate: How far the photo is from what the network knows; None where no gate ships. Its ``refusal`` says why no
            class may be shown.
        heat_maps_plus_plus: The same by Grad-CAM++; empty unless asked for.
        metadata_effects: Field of the metadata that was told -> how much higher it makes ``p_malignant`` than the same
            answer without it, in [-1, 1]; empty unless asked for. The effects need not add up.
    """

    prediction: Prediction
    prediction_without_metadata: Prediction
    embedding: Array
    heat_maps: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    gate: GateScores | None = None
    heat_maps_plus_plus: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    metadata_effects: Mapping[str, float] = field(default_factory=dict)


class Predictor(Protocol):
    """Answers for squares; what the services and ``evaluate`` depend on."""

    manifest: Manifest
    engine: str

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """Return one output a square.

        Args:
            squares: Array (n, input_px, input_px, 3), uint8, from ``imaging.preprocess``.
            metadata: n entries.
            explain: Also compute heat maps.
        """
        ...


@runtime_checkable
class ManyViewsPredictor(Protocol):
    """A predictor that can be told how many views of a photo to average."""

    manifest: Manifest
    engine: str

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``."""
        ...

    def with_views(self, n_views: int) -> Predictor:
        """Return the same model averaging another number of views, 1 to 8."""
        ...


class Engine(Protocol):
    """Runs the network on views.

    Attributes:
        name: Of the engine, as results name it.
        heads: Of every member.
        takes_any_batch: Whether any number of views costs its share. Where not, the number never changes, so that
            nothing is compiled twice.
    """

    name: str
    heads: tuple[Head, ...]
    takes_any_batch: bool

    def run(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]
    ) -> list[tuple[Array, Array, Array]]:
        """Return each member's (logits, embedding, feature_map) for images (n, side, side, 3) in [0, 255] and answers."""
        ...


class EnginePredictor:
    """A predictor over an engine."""

    def __init__(
        self,
        manifest: Manifest,
        engine: Engine,
        *,
        batch_size: int | None = None,
        gate: Gate | None = None,
        engine_note: str = "",
    ) -> None:
        self.manifest = manifest
        self.engine = engine.name
        self.engine_note = engine_note  # why a faster engine does not answer; empty where the wanted one does
        self._engine = engine
        self._encoder = MetadataEncoder(manifest.metadata_fields)
        self._gate = gate
        self._batch_size = batch_size or (MAX_BATCH if engine.takes_any_batch else manifest.n_views)

    def with_views(self, n_views: int) -> EnginePredictor:
        """Return the same model averaging another number of views, 1 to 8; several photos then share the engine's batch.

        To measure what averaging is worth, and to answer many variants of one photo in a fraction of the time.
        """
        fewer = replace(self.manifest, n_views=n_views)
        return EnginePredictor(fewer, self._engine, batch_size=self._batch_size, gate=self._gate)

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``."""
        side = self.manifest.preprocess.input_px
        if squares.ndim != 4 or squares.shape[1:] != (side, side, 3) or squares.dtype != np.uint8:
            raise ValueError(
                f"Invalid value received for argument `squares`. Expected uint8 (n, {side}, {side}, 3). "
                f"Received: {squares.dtype} {squares.shape}"
            )
        n_together = max(1, self._batch_size // self.manifest.n_views)
        outputs: list[PhotoOutput] = []
        for start in range(0, len(squares), n_together):
            some, rows = squares[start : start + n_together], metadata[start : start + n_together]
            looks = self._look(some, rows)
            outputs += [self._answer(one, row, explain=explain) for one, row in zip(looks, rows, strict=True)]
        return outputs

    def guided_grad_cam(
        self,
        square: npt.NDArray[np.uint8],
        metadata: Metadata,
        code: str,
        *,
        prediction: Prediction,
        heat_map: npt.NDArray[np.floating],
        gradients: GuidedGradients | None = None,
    ) -> npt.NDArray[np.float32] | None:
        """Return Guided Grad-CAM: the pixels that speak for a class, where its heat map is warm.

        Needs a backward pass through the network, which Keras alone can make; it looks at the upright view alone.

        Args:
            square: Array (input_px, input_px, 3), uint8.
            metadata: What the model was told.
            code: A HAM10000 code that has a heat map.
            prediction: Of the square.
            heat_map: Grad-CAM of the class, (h, w) in [0, 1].
            gradients: Makes the backward pass in the place of an engine that has none.

        Returns:
            Array (input_px, input_px) in [0, 1], its maximum 1 (or all zero); None where the engine or the network cannot.

        Reference: Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391
        """
        gradients = getattr(self._engine, "guided_gradients", None) or gradients
        if gradients is None:
            return None
        answers = self._encoder.encode([metadata])[0]
        found = gradients(square.astype(np.float32), answers, self._class_index(code, prediction))
        if found is None:
            return None
        support = np.mean([np.maximum(one, 0).sum(axis=2) for one in found], axis=0)
        heat = cv2.resize(heat_map.astype(np.float32), square.shape[:2][::-1], interpolation=cv2.INTER_LINEAR)
        joint = support * np.clip(heat, 0, 1)
        top = float(joint.max())
        return np.asarray(joint / top if top > 0 else joint, np.float32)

    def _look(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata]
    ) -> list[list[tuple[Array, Array, Array]]]:
        """Return what the engine gives for each photo's views; few photos fill up a batch that must keep its size."""
        n_views, n_photos = self.manifest.n_views, len(squares)
        images = np.concatenate([make_views(square, n_views) for square in squares], dtype=np.float32)
        known = np.repeat(self._encoder.encode(metadata), n_views, axis=0)
        if len(images) < self._batch_size and not self._engine.takes_any_batch:
            places = np.arange(self._batch_size) % len(images)
            images, known = images[places], known[places]
        members = self._engine.run(images, known)
        return [
            [
                (logits[i : i + n_views], embedding[i : i + n_views], feature_map[i : i + n_views])
                for logits, embedding, feature_map in members
            ]
            for i in range(0, n_photos * n_views, n_views)
        ]

    def _answer(self, looks: list[tuple[Array, Array, Array]], metadata: Metadata, *, explain: bool) -> PhotoOutput:
        n_views = self.manifest.n_views
        # How a photo was taken is seen, not told: it stays known when everything else is withheld.
        withheld = Metadata(image_type=metadata.image_type)
        known, unknown = (np.repeat(self._encoder.encode([m]), n_views, axis=0) for m in (metadata, withheld))
        settings = self.manifest.as_for(metadata.image_type)
        prediction = without = make_prediction(np.concatenate([logits for logits, _, _ in looks]), settings)
        if not np.array_equal(known, unknown):
            members = zip(looks, self._engine.heads, strict=True)
            blind = [head.logits(embedding, unknown) for (_, embedding, _), head in members]
            without = make_prediction(np.concatenate(blind), settings)
        features = np.concatenate([embedding.mean(axis=0) for _, embedding, _ in looks])
        scores = None if self._gate is None else self._gate.judge(features, metadata.image_type)
        output = PhotoOutput(prediction, without, features, gate=scores)
        if not explain:
            return output
        return replace(
            output,
            heat_maps=self._heat_maps(looks, known, prediction, "grad_cam"),
            heat_maps_plus_plus=self._heat_maps(looks, known, prediction, "grad_cam_plus_plus"),
            metadata_effects=self._metadata_effects(looks, metadata, prediction),
        )

    def _heat_maps(
        self, looks: list[tuple[Array, Array, Array]], known: Array, prediction: Prediction, method: str
    ) -> dict[str, npt.NDArray[np.float32]]:
        members = list(zip(looks, self._engine.heads, strict=True))
        return {
            code: joint_heat_map(
                [
                    average_heat_map(feature_map, embedding, known, head, index, method=method)
                    for (_, embedding, feature_map), head in members
                ]
            )
            for code in HAM_CODES
            if self._indices(code)
            for index in [self._class_index(code, prediction)]
        }

    def _metadata_effects(
        self, looks: list[tuple[Array, Array, Array]], metadata: Metadata, prediction: Prediction
    ) -> dict[str, float]:
        """Withhold one known answer at a time, by the head alone: the photo need not be looked at again."""
        settings, n_views = self.manifest.as_for(metadata.image_type), self.manifest.n_views
        told = self._encoder.encode([metadata])
        effects = {}
        for name in self.manifest.metadata_fields:
            held_back = self._encoder.encode([replace(metadata, **{name: None})])
            if name == "image_type" or np.array_equal(told, held_back):
                continue  # not known, or not told of such photos
            rows = np.repeat(held_back, n_views, axis=0)
            logits = [h.logits(embedding, rows) for (_, embedding, _), h in zip(looks, self._engine.heads, strict=True)]
            effects[name] = prediction.p_malignant - make_prediction(np.concatenate(logits), settings).p_malignant
        return effects

    def _indices(self, code: str) -> list[int]:
        return [i for i, own in enumerate(self.manifest.codes) if ham_code(own) == code]

    def _class_index(self, code: str, prediction: Prediction) -> int:
        """Of the model's classes behind a HAM10000 code, the more probable one."""
        return max(self._indices(code), key=lambda i: prediction.probabilities[i])


def make_prediction(logits: Array, manifest: Manifest) -> Prediction:
    """Turn the logits of one photo's views into a prediction.

    Args:
        logits: Array (n_views, n_classes); of an ensemble, each member's views one after the other.
        manifest: Shares, temperature, threshold and sets.
    """
    by_view = calibrate_logits(
        logits,
        temperature=manifest.temperature,
        class_shares=np.array(manifest.class_shares),
        sampling_shares=np.array(manifest.sampling_shares),
    )
    return prediction_from_views(by_view, manifest)


def prediction_from_views(by_view: Array, manifest: Manifest) -> Prediction:
    """Average calibrated probabilities (n_views, n_classes) and read off everything a person is shown."""
    probabilities = by_view.mean(axis=0)
    to_ham = ham_matrix(manifest.codes)
    ham_by_view = by_view @ to_ham  # (n_views, 7)
    ham = ham_by_view.mean(axis=0)
    by_code = manifest.ham_shares
    shares = np.array([by_code[code] for code in HAM_CODES])
    # A class that the model does not have can never be shown first.
    weight = np.divide(1.0, shares, out=np.zeros_like(shares), where=shares > 0)
    best = int(np.argmax(ham * weight))
    p_malignant = float(ham[[code in HAM_MALIGNANT for code in HAM_CODES]].sum())
    sets = {level: prediction_set(ham, manifest.conformal[level], always=HAM_CODES[best]) for level in ("90", "95")}
    return Prediction(
        codes=manifest.codes,
        probabilities=probabilities,
        ham_probabilities=ham,
        predicted=HAM_CODES[best],
        p_malignant=min(p_malignant, 1.0),
        set_90=sets["90"],
        set_95=sets["95"],
        views_agreeing=int((np.argmax(ham_by_view * weight, axis=1) == best).sum()),
        n_views=len(by_view),
        is_above_threshold=p_malignant >= manifest.threshold,
        is_above_calm_line=p_malignant >= manifest.calm_line,
        disagreement=mutual_information(by_view),
    )


def mutual_information(by_view: Array) -> float:
    """Return how much of an answer's entropy comes from its views (and members) differing, in nats; 0 where all agree.

    Entropy of the mean minus mean of the entropies: the doubt that another look could settle, apart from the doubt that
    lies in the photo.

    Args:
        by_view: Probabilities (n_views, n_classes); rows sum to 1.

    Reference: Depeweg et al. (2018), https://arxiv.org/abs/1710.07283; over members: Lakshminarayanan et al. (2017),
    https://arxiv.org/abs/1612.01474

    >>> round(mutual_information(np.array([[1.0, 0.0], [0.0, 1.0]])), 4)
    0.6931
    """

    def entropy(p: Array) -> Array:
        return np.asarray(-(p * np.log(np.maximum(p, 1e-12))).sum(axis=-1))

    return max(0.0, float(entropy(by_view.mean(axis=0)) - entropy(by_view).mean()))


def ham_matrix(codes: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the 0/1 array (len(codes), 7) that sums a model's classes to HAM10000's seven."""
    matrix = np.zeros((len(codes), len(HAM_CODES)))
    for row, code in zip(matrix, codes, strict=True):
        row[HAM_CODES.index(ham_code(code))] = 1
    return matrix
