"""An app whose network runs elsewhere: the same record, one sentence where the server is away, patience where it is busy."""

import json
from contextlib import closing
from dataclasses import replace

import httpx
import numpy as np
import pytest

from dermascan_core.api.limits import Limits
from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.errors import RemoteServerError, WeightsError
from dermascan_core.services import models
from dermascan_core.services.remote import LIMITS, RemotePredictor
from dermascan_core.services.screening import screen_lesion
from tests.api.conftest import DARK, KEYS, PHOTO, running_server
from tests.fakes import FakePredictor, fake_manifest, fake_photo

SQUARE = fake_photo(width=160, height=160)[np.newaxis]


class ViewsPredictor(FakePredictor):
    """Notes how many views were asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def with_views(self, n_views):
        self.asked.append(n_views)
        return self


def screened_by(predictor):
    return screen_lesion(
        [("mole.jpg", PHOTO), ("other.jpg", DARK)],
        metadata=Metadata(age_approx=75, anatom_site="back"),
        answers=Answers(changing=True),
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor,
        explain=True,
        repeat=True,
    )


def plain(screening):
    """Everything of a record that a comparison can hold: arrays as lists, times left out."""
    photos = [
        replace(photo, elapsed_ms=0, square=None, heat_maps={c: m.tolist() for c, m in photo.heat_maps.items()})
        for photo in screening.photos
    ]
    return json.loads(json.dumps([replace(screening, screened_at="", engine="", photos=()), photos], default=str))


def test_record_equals_that_of_an_engine_of_one_s_own(tmp_path):
    with running_server(tmp_path, load=ViewsPredictor) as server:
        with closing(RemotePredictor.connect(server.url, fake_manifest())) as predictor:
            far = screened_by(predictor)

        assert plain(far) == plain(screened_by(ViewsPredictor()))
        assert (far.engine, far.model_sha256) == ("remote:fake", "0" * 64)
        assert server.built.context.model.get().asked == [2, 2]


def test_photo_its_name_and_answers_stay_here(tmp_path):
    sent = []
    with running_server(tmp_path) as server:
        client = httpx.Client(
            base_url=server.url, event_hooks={"request": [lambda request: sent.append(request.read())]}
        )
        with closing(RemotePredictor.connect(server.url, fake_manifest(), client=client)) as predictor:
            screened_by(predictor)

    assert all(PHOTO not in body and b"mole.jpg" not in body and b"worried" not in body for body in sent)
    assert any(b"\x89PNG" in body for body in sent)


def test_server_with_other_weights_is_refused_and_both_are_named(tmp_path):
    with running_server(tmp_path) as server, pytest.raises(WeightsError) as caught:
        RemotePredictor.connect(server.url, fake_manifest(name="dermascan", sha256="1" * 64))

    assert str(caught.value) == (
        f"Expected the server at {server.url} to answer with the weights 111111111111 of 'dermascan'. "
        "It answers with 000000000000 of 'fake'. Install the same release on both machines."
    )


def test_weights_that_change_while_it_runs_are_noticed(tmp_path):
    with running_server(tmp_path) as server, closing(RemotePredictor.connect(server.url, fake_manifest())) as predictor:
        predictor.manifest = fake_manifest(sha256="1" * 64)

        with pytest.raises(
            RemoteServerError, match=r"^The screening server at .* did not answer \(status 409\)\. Expected"
        ):
            predictor.predict(SQUARE, [Metadata()])


def test_server_that_is_away_is_one_sentence():
    with pytest.raises(RemoteServerError) as caught:
        RemotePredictor.connect("http://127.0.0.1:9", fake_manifest())

    assert str(caught.value) == (
        "The screening server at http://127.0.0.1:9 cannot be reached (ConnectError). "
        "Check the network and that it runs, then try again."
    )


@pytest.mark.parametrize("address", ["screening.example.org", "ftp://x", ""])
def test_address_without_its_scheme_is_told(address):
    with pytest.raises(
        RemoteServerError, match=r"^Expected DERMASCAN_API_URL to begin with http:// or https://\. Received"
    ):
        RemotePredictor.connect(address, fake_manifest())


@pytest.mark.parametrize(
    ("address", "key"), [("http://[bad", "k"), ("http://a:b:c", "k"), ("http://127.0.0.1:9", "schlüssel")]
)
def test_address_or_key_that_is_none_is_told(address, key):
    with pytest.raises(RemoteServerError, match=r"^(Expected an address in DERMASCAN_API_URL|The screening server at)"):
        RemotePredictor.connect(address, fake_manifest(), key=key)


def test_key_is_sent_and_a_wrong_one_is_told(tmp_path, monkeypatch):
    with running_server(tmp_path, keys=KEYS) as server:
        monkeypatch.setenv("DERMASCAN_API_KEY", "clinic-secret")
        with closing(RemotePredictor.connect(server.url, fake_manifest())) as predictor:
            assert predictor.predict(SQUARE, [Metadata()]) != []

        with (
            closing(RemotePredictor.connect(server.url, fake_manifest(), key="wrong")) as wrong,
            pytest.raises(RemoteServerError, match=r"did not answer \(status 401\)\. Expected a valid API key"),
        ):
            wrong.predict(SQUARE, [Metadata()])


def busy_client(*answers):
    """A server that gives these answers, one after the other."""
    left = list(answers)
    return httpx.Client(base_url="http://server", transport=httpx.MockTransport(lambda request: left.pop(0)))


READY = httpx.Response(200, json={"model_sha256": "0" * 64, "model": "fake", "engine": "keras"})
BUSY = httpx.Response(503, headers={"Retry-After": "20"}, json={"detail": "Busy: 8 wait already."})


def test_busy_server_is_asked_again_when_it_says():
    slept = []
    predictor = RemotePredictor(
        fake_manifest(), "keras", busy_client(BUSY, BUSY, httpx.Response(500)), sleep=slept.append
    )

    with pytest.raises(RemoteServerError, match=r"did not answer \(status 500\)\. It says nothing of why"):
        predictor.predict(SQUARE, [Metadata()])

    assert slept == [20, 20]


def test_server_that_stays_busy_is_given_up_after_a_minute():
    slept = []
    predictor = RemotePredictor(fake_manifest(), "keras", busy_client(*[BUSY] * 9), sleep=slept.append)

    with pytest.raises(RemoteServerError) as caught:
        predictor.predict(SQUARE, [Metadata()])

    assert (
        str(caught.value) == "The screening server at http://server did not answer (status 503). Busy: 8 wait already."
    )
    assert slept == [20, 20, 20]


def test_other_website_at_the_address_is_told():
    client = busy_client(httpx.Response(200, text="<html>"))

    with pytest.raises(
        RemoteServerError, match=r"^Expected a DermaScan server at http://server\. Something else answers"
    ):
        RemotePredictor.connect("http://server", fake_manifest(), client=client)


def test_one_setting_lets_the_app_ask_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "load_model_manifest", lambda name, weights_dir=None: fake_manifest())
    with running_server(tmp_path) as server:
        monkeypatch.setenv("DERMASCAN_API_URL", server.url)

        with closing(models.load_predictor()) as predictor:
            assert predictor.engine == "remote:fake"
            assert predictor.predict(SQUARE, [Metadata()])[0].prediction.n_views == 8


def test_many_squares_go_in_several_requests(tmp_path):
    with running_server(tmp_path) as server, closing(RemotePredictor.connect(server.url, fake_manifest())) as predictor:
        outputs = predictor.predict(np.repeat(SQUARE, 20, axis=0), [Metadata()] * 20)

        assert len(outputs) == 20
        assert server.built.context.queue.state.n_done == 2


def test_idle_connection_is_given_up_before_the_server_closes_it():
    assert 2 * LIMITS.keepalive_expiry <= Limits().keep_alive_s
