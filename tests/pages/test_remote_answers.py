"""The Screening page whose network runs on another machine: a result as ever, and one sentence where that is away."""

from contextlib import closing
from pathlib import Path

import pytest

from dermascan_core.services import models
from dermascan_core.services.remote import RemotePredictor
from tests.api.conftest import running_server
from tests.fakes import fake_manifest
from tests.pages.acting import OpenPage
from tests.pages.reading import seen


def test_result_is_shown_and_its_data_name_the_other_machine_s_engine(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_server(tmp_path) as server, closing(RemotePredictor.connect(server.url, fake_manifest())) as predictor:
        monkeypatch.setattr(models, "load_predictor", lambda *names, **options: predictor)
        page = open_page("screening")

        page.button(key="example_irregular-dark").click().run()

        assert not page.exception
        assert "Generated picture, not a real lesion" in seen(page)
        assert server.built.context.queue.state.n_done > 0


def test_server_that_is_away_is_one_sentence(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*names: object, **options: object) -> RemotePredictor:
        return RemotePredictor.connect("http://127.0.0.1:9", fake_manifest())

    monkeypatch.setattr(models, "load_predictor", connect)
    page = open_page("screening")

    page.button(key="example_irregular-dark").click().run()

    assert not page.exception
    assert (
        "The screening server at http://127.0.0.1:9 cannot be reached (ConnectError). "
        "Check the network and that it runs, then try again."
    ) in seen(page)
