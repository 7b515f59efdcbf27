"""A predictor whose network runs on another machine: squares and what the model is told go out, numbers come back.

Everything else (the photo itself, its name, quality, crops, advice) stays here. The other machine must have the very
weights that lie here, for their manifest says what the numbers mean.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from ..domain import Metadata
from ..errors import DermaScanError, RemoteServerError, WeightsError
from ..model.manifest import Manifest
from ..model.predictor import PhotoOutput
from .wire import decode_outputs, encode_square, metadata_to_json

URL_VARIABLE = "DERMASCAN_API_URL"
KEY_VARIABLE = "DERMASCAN_API_KEY"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)  # seconds; an answer may wait for its turn
# Idle connections are given up before the server does so, after 5 s: a request that meets its closing would be lost.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)
MAX_WAIT_S = 60.0  # in all, where the server says that it is busy
MAX_SQUARES = 16  # in one request
_NOT_READY = (429, 503)


class RemotePredictor:
    """See ``Predictor``; made by ``connect``.

    Args:
        manifest: Of the weights that lie here and there.
        engine: What runs there; results name it ``remote:<engine>``.
        client: Sends requests.
        n_views: How many views the server averages; None for the manifest's number.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        manifest: Manifest,
        engine: str,
        client: httpx.Client,
        *,
        n_views: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.manifest = manifest
        self.engine = f"remote:{engine}"
        self._engine, self._client, self._n_views, self._sleep = engine, client, n_views, sleep

    @classmethod
    def connect(
        cls, address: str, manifest: Manifest, *, key: str | None = None, client: httpx.Client | None = None
    ) -> RemotePredictor:
        """Return the predictor of the server at an address.

        Args:
            address: As in ``https://screening.example.org``.
            manifest: Of the weights that lie here.
            key: API key; None takes ``DERMASCAN_API_KEY``.
            client: For tests; None makes one with time-outs.

        Raises:
            RemoteServerError: If the server cannot be reached, refuses the key, or is not ready.
            WeightsError: If its model has other weights; names both.
        """
        if not address.startswith(("http://", "https://")):
            raise RemoteServerError(
                f"Expected {URL_VARIABLE} to begin with http:// or https://. Received '{address}'. Correct it."
            )
        client = client or _make_client(address, os.environ.get(KEY_VARIABLE, "") if key is None else key)
        try:
            found = _ready_record(_ask(client, lambda: client.build_request("GET", "/readyz"), time.sleep), address)
            _check_weights(found, manifest, address)
        except DermaScanError:
            client.close()
            raise
        return cls(manifest, found["engine"], client)

    def close(self) -> None:
        """Close the connections; those of ``with_views`` are the same."""
        self._client.close()

    def with_views(self, n_views: int) -> RemotePredictor:
        """Return the same model averaging another number of views, 1 to 8."""
        return RemotePredictor(self.manifest, self._engine, self._client, n_views=n_views, sleep=self._sleep)

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``.

        Raises:
            RemoteServerError: If the server cannot be reached, stays busy, or answers something else.
        """
        outputs: list[PhotoOutput] = []
        for start in range(0, len(squares), MAX_SQUARES):
            some, rows = squares[start : start + MAX_SQUARES], metadata[start : start + MAX_SQUARES]
            response = _ask(self._client, partial(self._request, some, rows, explain), self._sleep)
            outputs += decode_outputs(response.content, n_outputs=len(some))
        return outputs

    def _request(self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], explain: bool) -> httpx.Request:
        files = [("squares", ("square.png", encode_square(square), "image/png")) for square in squares]
        fields: dict[str, Any] = {
            "metadata": metadata_to_json(metadata),
            "model_sha256": self.manifest.sha256,
            "explain": "true" if explain else "false",
        }
        if self._n_views is not None:
            fields["n_views"] = str(self._n_views)
        return self._client.build_request("POST", "/v1/predictions", files=files, data=fields)


def _make_client(address: str, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key.strip()}"} if key.strip() else {}
    try:
        return httpx.Client(base_url=address.rstrip("/"), headers=headers, timeout=TIMEOUT, limits=LIMITS)
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise RemoteServerError(
            f"Expected an address in {URL_VARIABLE}, and in {KEY_VARIABLE} a key as `serve --new-key` printed it. "
            "One of them is something else. Correct it."
        ) from error


def _ask(
    client: httpx.Client, make_request: Callable[[], httpx.Request], sleep: Callable[[float], None]
) -> httpx.Response:
    """Send a request, again where the server says when, and return its answer."""
    waited_s = 0.0
    while True:
        try:
            response = client.send(make_request())
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise RemoteServerError(
                f"The screening server at {client.base_url} cannot be reached ({type(error).__name__}). "
                "Check the network and that it runs, then try again."
            ) from error
        if response.is_success:
            return response
        pause_s = _pause_s(response)
        if pause_s is None or waited_s + pause_s > MAX_WAIT_S:
            raise _refused(client, response)
        sleep(pause_s)
        waited_s += pause_s


def _ready_record(response: httpx.Response, address: str) -> dict[str, str]:
    try:
        found = response.json()
        return {name: str(found[name]) for name in ("model_sha256", "model", "engine")}
    except (ValueError, LookupError, TypeError) as error:
        raise RemoteServerError(
            f"Expected a DermaScan server at {address}. Something else answers there. Check DERMASCAN_API_URL."
        ) from error


def _check_weights(found: Mapping[str, str], manifest: Manifest, address: str) -> None:
    if found["model_sha256"] != manifest.sha256:
        raise WeightsError(
            f"Expected the server at {address} to answer with the weights {manifest.sha256[:12]} of "
            f"'{manifest.name}'. It answers with {found['model_sha256'][:12]} of '{found['model']}'. "
            "Install the same release on both machines."
        )


def _pause_s(response: httpx.Response) -> float | None:
    said = response.headers.get("Retry-After", "")
    return float(said) if response.status_code in _NOT_READY and said.isdigit() else None


def _refused(client: httpx.Client, response: httpx.Response) -> RemoteServerError:
    try:
        sentence = str(response.json()["detail"])
    except (ValueError, LookupError, TypeError):
        sentence = "It says nothing of why; it may be no DermaScan server."
    return RemoteServerError(
        f"The screening server at {client.base_url} did not answer (status {response.status_code}). {sentence}"
    )
