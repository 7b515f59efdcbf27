"""Downloads: a small server on this machine plays the archive with pages, failures, haste and torn transfers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.datasets.download import download_photos, metadata_row
from dermascan_core.datasets.isic_api import IsicApi
from dermascan_core.datasets.verify import verify_dataset
from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.tables import read_labels
from tests.datasets.making import jpeg, picture, read_csv

LEVELS = [
    ("Malignant", "Malignant melanocytic proliferations (Melanoma)", "Melanoma in situ"),
    ("Benign", "Benign melanocytic proliferations", "Nevus"),
]


def _photo(number):
    d1, d2, d3 = LEVELS[number % 2]
    return {
        "isic_id": f"ISIC_{number:07}",
        "copyright_license": ("CC-BY", "CC-0")[number % 2],
        "attribution": "Hospital Italiano\nde Buenos Aires",
        "files": {"full": {"url": f"HOST/photo/{number}.jpg", "size": 4000}},
        "metadata": {
            "acquisition": {"image_type": "dermoscopic", "pixels_x": 160, "pixels_y": 128},
            "clinical": {
                "age_approx": 45,
                "sex": "female",
                "anatom_site_general": "anterior torso",
                "diagnosis_1": d1,
                "diagnosis_2": d2,
                "diagnosis_3": d3,
                "fitzpatrick_skin_type": "III",
                "diagnosis_confirm_type": "histopathology",
                "lesion_id": f"IL_{number}",
                "patient_id": f"IP_{number}",
            },
        },
    }


@pytest.fixture
def archive():
    """``photos`` it lists, ``failures`` holds for a path the answers to give first: a status, headers, or torn."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server, parts = self.server, urlsplit(self.path)
            server.asked.append(self.path)
            failures = server.failures.get(parts.path, [])
            status, headers, is_torn = failures.pop(0) if failures else (200, {}, False)
            data = self._answer(parts) if status == 200 else b"{}"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if is_torn else data)

        def _answer(self, parts):
            server = self.server
            if parts.path != "/api/images/search/":
                return jpeg(picture(int(parts.path.rsplit("/", 1)[1].removesuffix(".jpg"))))
            asked = parse_qs(parts.query)
            start, limit = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
            end = start + limit
            more = f"HOST/api/images/search/?limit={limit}&cursor={end}" if end < len(server.photos) else None
            page = {"count": len(server.photos), "next": more, "previous": None, "results": server.photos[start:end]}
            return json.dumps(page).replace("HOST", server.url).encode()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.photos, server.failures, server.asked = [_photo(n) for n in range(8)], {}, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits():
    """Seconds that the client would have waited."""
    return []


@pytest.fixture
def api(archive, waits):
    return IsicApi(f"{archive.url}/api", timeout_s=5, attempts=3, sleep=waits.append)


def _fetched(archive):
    return sorted(urlsplit(path).path for path in archive.asked if "/photo/" in path)


def test_download_becomes_a_data_set_with_licence_and_attribution_of_each_photo(archive, api, tmp_path):
    done = download_photos(tmp_path, n_photos=4, api=api)

    assert (done.n_photos, done.n_fetched, done.failed) == (4, 4, {})
    assert done.licences == {"CC-BY": 2, "CC-0": 2}
    first = read_csv(tmp_path / "metadata.csv")[0]
    assert (first["licence"], first["attribution"]) == ("CC-BY", "Hospital Italiano de Buenos Aires")
    photo = read_labels(tmp_path / "metadata.csv")[0]
    assert (photo.dx, photo.lesion_id, photo.patient_id) == ("mel", "IL_0", "IP_0")
    assert (photo.metadata.anatom_site, photo.metadata.fitzpatrick_skin_type) == ("torso", 3)
    assert (tmp_path / "images" / "ISIC_0000000.jpg").read_bytes() == jpeg(picture(0))
    assert verify_dataset(tmp_path).is_sound


def test_pages_are_followed_until_there_are_enough(archive, api, tmp_path, monkeypatch):
    monkeypatch.setattr("dermascan_core.datasets.download.MAX_PAGE_PHOTOS", 3)

    done = download_photos(tmp_path, n_photos=7, api=api)

    assert done.n_photos == 7
    searches = [parse_qs(urlsplit(path).query) for path in archive.asked if "search" in path]
    assert [s.get("cursor", ["0"])[0] for s in searches] == ["0", "3", "6"]


def test_query_and_collections_reach_the_archive(archive, api, tmp_path):
    download_photos(tmp_path, query='diagnosis_3:"Nevus" AND sex:female', collections="65,66", n_photos=1, api=api)

    asked = parse_qs(urlsplit(archive.asked[0]).query)
    assert asked == {"query": ['diagnosis_3:"Nevus" AND sex:female'], "limit": ["1"], "collections": ["65,66"]}


def test_download_that_was_stopped_goes_on_and_keeps_its_rows(archive, api, tmp_path):
    download_photos(tmp_path, n_photos=3, api=api)
    archive.asked.clear()

    done = download_photos(tmp_path, n_photos=5, api=api)

    assert _fetched(archive) == ["/photo/3.jpg", "/photo/4.jpg"]
    assert (done.n_photos, done.n_fetched) == (5, 2)
    assert len(read_csv(tmp_path / "metadata.csv")) == 5


def test_archive_that_asks_to_slow_down_is_given_the_time(archive, api, waits, tmp_path):
    archive.failures["/photo/0.jpg"] = [(429, {"Retry-After": "7"}, False)]
    archive.failures["/api/images/search/"] = [(503, {}, False)]

    done = download_photos(tmp_path, n_photos=1, api=api)

    assert (done.n_photos, waits) == (1, [1.0, 7.0])


def test_torn_transfer_is_tried_again_and_leaves_no_half_photo(archive, api, waits, tmp_path):
    archive.failures["/photo/0.jpg"] = [(200, {}, True)]

    download_photos(tmp_path, n_photos=1, api=api)

    assert waits == [1.0]
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["ISIC_0000000.jpg"]


def test_photo_that_cannot_be_had_does_not_stop_the_others(archive, api, waits, tmp_path):
    archive.failures["/photo/1.jpg"] = [(200, {}, True)] * 3
    archive.failures["/photo/2.jpg"] = [(404, {}, False)]

    done = download_photos(tmp_path, n_photos=4, api=api)

    assert sorted(done.failed) == ["ISIC_0000001", "ISIC_0000002"]
    assert "the transfer broke off after" in done.failed["ISIC_0000001"]
    assert [row["image_id"] for row in read_csv(tmp_path / "metadata.csv")] == ["ISIC_0000000", "ISIC_0000003"]
    assert download_photos(tmp_path, n_photos=4, api=api).failed == {}


def test_page_that_leads_to_another_server_is_refused(archive, api, tmp_path):
    page = {"results": archive.photos[:1], "next": "https://example.org/next"}
    data = json.dumps(page).replace("HOST", archive.url)

    class Elsewhere(IsicApi):
        def download(self, url, *, max_bytes):
            return data.encode()

    with pytest.raises(
        DatasetError, match=r"Expected the next page from 127\.0\.0\.1\. The archive named example\.org\."
    ):
        list(Elsewhere(f"{archive.url}/api").search(""))


def test_query_without_results_is_told(archive, api, tmp_path):
    archive.photos = []

    with pytest.raises(DatasetError) as error:
        download_photos(tmp_path, query="sex:unicorn", api=api)

    assert str(error.value) == (
        "Expected photos for the query 'sex:unicorn' (collections: all). The archive lists none. "
        "Correct --query or --collection."
    )


def test_full_disk_is_told_before_the_photos_are_fetched(archive, api, tmp_path):
    archive.photos[0]["files"]["full"]["size"] = 10**18

    with pytest.raises(OutputError, match="Free some space and start again; what is there is kept"):
        download_photos(tmp_path, n_photos=1, api=api)

    assert _fetched(archive) == []


def test_older_wording_and_diagnoses_without_a_class_are_understood():
    old = {
        "isic_id": "ISIC_1",
        "metadata": {"clinical": {"diagnosis": "seborrheic keratosis", "benign_malignant": "benign"}},
    }
    odd = {"isic_id": "ISIC_2", "metadata": {"clinical": {"diagnosis_1": "Benign", "diagnosis_3": "Scar"}}}

    assert (metadata_row(old)["dx"], metadata_row(old)["target"]) == ("sk", "0")
    assert (metadata_row(odd)["dx"], metadata_row(odd)["target"], metadata_row(odd)["diagnosis"]) == ("", "0", "Scar")


def test_command_says_what_it_fetched_and_fails_when_photos_are_missing(archive, tmp_path):
    arguments = ["data", "download", "--out", str(tmp_path), "--count", "2", "--api-url", f"{archive.url}/api"]

    result = CliRunner().invoke(cli.app, arguments)
    assert (result.exit_code, result.stdout) == (
        0,
        f"2 photos in {tmp_path}, 2 fetched now. Licences: CC-0 1, CC-BY 1.\n",
    )

    archive.failures["/photo/2.jpg"] = [(404, {}, False)]
    result = CliRunner().invoke(cli.app, [*arguments[:5], "3", *arguments[6:]])
    assert result.exit_code == 1
    assert "Error: 1 photo could not be had: Expected an answer from 127.0.0.1." in result.stderr
