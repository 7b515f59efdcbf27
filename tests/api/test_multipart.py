"""Multipart bodies: whatever is cut, doubled or nested wrongly is refused, and what is whole comes out unchanged."""

import asyncio
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dermascan_core.api.multipart import PartRules, read_parts
from dermascan_core.api.problems import ProblemError

RULES = PartRules("form-data", ("photos",), max_large=2, max_small=2, small_bytes=20, large_bytes=1000)
TYPE = "multipart/form-data; boundary=x"


def read(body, *, content_type=TYPE, rules=RULES, step=65536):
    async def chunks():
        for start in range(0, len(body), step):
            yield body[start : start + step]

    return asyncio.run(read_parts(content_type, chunks(), rules))


def part(name, data, file_name=None, content_type=None):
    file = "" if file_name is None else f'; filename="{file_name}"'
    kind = "" if content_type is None else f"Content-Type: {content_type}\r\n"
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{kind}\r\n'.encode() + data + b"\r\n"


END = b"--x--\r\n"


@given(data=st.binary(max_size=300), step=st.integers(1, 400))
@settings(max_examples=60)
def test_body_comes_out_unchanged_however_it_is_cut(data, step):
    body = part("photos", data, "a.jpg", "Image/JPEG; q=1") + part("age", b"61") + END

    photo, age = read(body, step=step)

    assert (photo.data, photo.file_name, photo.content_type, photo.size_bytes) == (
        data,
        "a.jpg",
        "image/jpeg",
        len(data),
    )
    assert (age.name, age.text, age.file_name) == ("age", "61", None)


@given(body=st.binary(max_size=300), cut=st.integers(0, 150))
@settings(max_examples=60)
def test_any_other_bytes_are_refused_and_nothing_else_happens(body, cut):
    torn = (part("photos", b"abc", "a.jpg") + END)[:cut] + body

    found = None
    try:
        read(torn)
    except ProblemError as problem:
        found = problem.status, problem.code

    assert found in (None, (400, "malformed_multipart"), (413, "part_too_large"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        part("photos", b"abc"),
        part("photos", b"abc") + b"--y--\r\n",
        b"--x\r\nContent-Disposition: form-data" + b"; a=b" * 2000 + b"\r\n\r\nabc\r\n--x--\r\n",
        b"--x\r\n" + b"A: b\r\n" * 20 + b"\r\nabc\r\n--x--\r\n",
        b"no boundary at all",
    ],
    ids=range(7),
)
def test_torn_body_is_refused(body):
    with pytest.raises(ProblemError) as caught:
        read(body)

    assert (caught.value.status, caught.value.code) == (400, "malformed_multipart")


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("", 415, "other_media_type"),
        ("application/json", 415, "other_media_type"),
        ("multipart/related; boundary=x", 415, "other_media_type"),
        ("multipart/form-data", 400, "no_boundary"),
        (f"multipart/form-data; boundary={'x' * 71}", 400, "no_boundary"),
    ],
)
def test_other_content_type_is_refused(content_type, status, code):
    with pytest.raises(ProblemError) as caught:
        read(part("photos", b"abc") + END, content_type=content_type)

    assert (caught.value.status, caught.value.code) == (status, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (part("photos", bytes(1001)) + END, "part_too_large"),
        (part("age", bytes(21)) + END, "part_too_large"),
        (part("photos", b"") * 3 + END, "too_many_parts"),
        (part("age", b"") * 3 + END, "too_many_parts"),
    ],
)
def test_more_than_may_be_is_refused(body, code):
    with pytest.raises(ProblemError) as caught:
        read(body)

    assert (caught.value.status, caught.value.code) == (413, code)


def test_text_that_is_no_utf_8_is_told():
    (age,) = read(part("age", b"\xff") + END)

    with pytest.raises(ProblemError) as caught:
        _ = age.text

    assert str(caught.value) == "Expected the part 'age' in UTF-8. It is not."


def test_torn_body_leaves_no_file_open(tmp_path):
    opened = []

    def open_body(number):
        opened.append((tmp_path / f"{number}").open("wb"))
        return opened[-1]

    rules = PartRules("form-data", ("photos",), 9, 9, 99, open_body=open_body, closes_bodies=True)
    with pytest.raises(ProblemError):
        read(part("photos", b"abc") + part("photos", b"abc"), rules=rules)

    assert [file.closed for file in opened] == [True, True]


def test_disk_that_takes_no_more_is_told():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    rules = PartRules("form-data", ("photos",), 9, 9, 99, open_body=lambda number: Full())

    with pytest.raises(
        Exception, match=r"^The upload cannot be stored: No space left on device\. Free the server's disk"
    ):
        read(part("photos", b"abc") + END, rules=rules)
