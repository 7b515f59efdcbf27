"""The archive's API is played by a small server on this machine; nothing leaves it."""

import csv
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from dermascan_core.errors import DatasetError
from dermascan_core.services.isic_examples import fetch_examples
from tests.fakes import fake_photo, photo_bytes

PHOTO = photo_bytes(fake_photo(width=200, height=150))


def _photo(number, *, licence="CC-0", isic_id=None):
    name = isic_id or f"ISIC_{number:07}"
    return {
        "isic_id": name,
        "copyright_license": licence,
        "attribution": "=Anonymous",
        "files": {"full": {"url": f"HOST/photo/{number}.jpg", "size": 9}},
        "metadata": {
            "acquisition": {"image_type": "dermoscopic"},
            "clinical": {"age_approx": 45, "sex": "female", "anatom_site_general": "anterior torso"},
        },
    }


@pytest.fixture
def archive():
    """A stand-in: ``photos`` is what it lists, ``answers`` overrides a path's bytes, ``asked`` logs the paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server = self.server
            server.asked.append(self.path)
            path = urlsplit(self.path).path
            if path in server.answers:
                data = server.answers[path]
            elif path == "/api/images/search/":
                data = json.dumps({"results": server.photos}).replace("HOST", server.url).encode()
            else:
                data = PHOTO
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.photos, server.answers, server.asked = [_photo(1), _photo(2)], {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _fetch(archive, out, **options):
    return fetch_examples(out, api_url=f"{archive.url}/api", timeout_s=5, **options)


def test_photos_come_with_their_licences_and_what_is_known(archive, tmp_path):
    paths = _fetch(archive, tmp_path / "examples")

    assert [p.name for p in paths] == ["ISIC_0000001.jpg", "ISIC_0000002.jpg"]
    assert paths[0].read_bytes() == PHOTO
    with (tmp_path / "examples" / "metadata.csv").open(newline="") as file:
        assert next(csv.DictReader(file)) == {
            "image_id": "ISIC_0000001",
            "copyright_license": "CC-0",
            "attribution": "'=Anonymous",
            "image_type": "dermoscopic",
            "age_approx": "45",
            "sex": "female",
            "anatom_site_general": "anterior torso",
        }


def test_archive_is_asked_for_public_domain_photos_only(archive, tmp_path):
    _fetch(archive, tmp_path, n_photos=2)

    query = parse_qs(urlsplit(archive.asked[0]).query)
    assert query == {"query": ["copyright_license:CC-0 AND image_type:dermoscopic"], "limit": ["2"]}


def test_photos_of_other_licences_and_names_that_lead_elsewhere_are_left_out(archive, tmp_path):
    archive.photos = [_photo(1, licence="CC-BY-NC"), _photo(2, isic_id="../../evil"), _photo(3)]

    assert [p.name for p in _fetch(archive, tmp_path)] == ["ISIC_0000003.jpg"]


def test_photo_that_is_there_already_is_not_fetched_again(archive, tmp_path):
    _fetch(archive, tmp_path)
    archive.asked.clear()

    _fetch(archive, tmp_path)

    assert [urlsplit(path).path for path in archive.asked] == ["/api/images/search/"]


def test_answer_that_is_no_list_of_photos_is_told(archive, tmp_path):
    archive.answers["/api/images/search/"] = b"<html>Maintenance</html>"

    with pytest.raises(DatasetError) as error:
        _fetch(archive, tmp_path)

    assert str(error.value) == (
        "Expected a list of photos from the ISIC archive. It answered something else; its interface may have "
        "changed. Try again later, or use the example images of the app."
    )


def test_list_without_public_domain_photos_is_told(archive, tmp_path):
    archive.photos = []

    with pytest.raises(DatasetError, match=r"Expected CC0 photos from the ISIC archive\. It listed none\."):
        _fetch(archive, tmp_path)


def test_photo_that_is_no_photo_is_not_kept(archive, tmp_path):
    archive.answers["/photo/1.jpg"] = b"not a photo"

    with pytest.raises(DatasetError, match="The ISIC archive's 'ISIC_0000001' cannot be used: Expected a photo"):
        _fetch(archive, tmp_path)

    assert not (tmp_path / "ISIC_0000001.jpg").exists()


def test_photo_that_is_too_large_is_refused(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("dermascan_core.datasets.isic_api.MAX_PHOTO_BYTES", 100)

    with pytest.raises(DatasetError, match=r"from 127\.0\.0\.1\. It sent more\."):
        _fetch(archive, tmp_path)


def test_being_offline_is_one_clear_sentence(tmp_path):
    with pytest.raises(DatasetError) as error:
        fetch_examples(tmp_path, api_url="http://127.0.0.1:9", timeout_s=2)

    assert str(error.value) == (
        "Expected an answer from 127.0.0.1. It cannot be reached ([Errno 111] Connection refused). "
        "Check the connection. Everything else works offline, with the example images of the app."
    )


def test_address_that_is_not_encrypted_is_refused(tmp_path):
    with pytest.raises(DatasetError) as error:
        fetch_examples(tmp_path, api_url="http://example.org/api")

    assert str(error.value) == (
        "Expected an address that begins with https://. Received 'http://example.org/api'. Correct --api-url."
    )
