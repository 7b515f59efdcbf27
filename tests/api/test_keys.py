"""API keys: shown once, stored as hashes, read from a file and the environment."""

import pytest

from dermascan_core.api.keys import ApiKey, find_key, hash_key, make_key, read_keys
from dermascan_core.errors import ServeError


@pytest.fixture(autouse=True)
def _no_keys_of_the_developer(monkeypatch):
    monkeypatch.delenv("DERMASCAN_API_KEYS", raising=False)


def test_new_key_opens_and_its_file_holds_the_hash_alone(tmp_path):
    file = tmp_path / "api" / "keys.txt"

    key = make_key("clinic", file)

    assert find_key(read_keys(file), key) == ApiKey("clinic", hash_key(key))
    assert key not in file.read_text()
    assert len(key) > 40
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_of_the_file_and_of_the_environment_both_open(tmp_path, monkeypatch):
    file = tmp_path / "keys.txt"
    file.write_text(f"# ours\nclinic:{hash_key('a')}  # since May\n\n")
    monkeypatch.setenv("DERMASCAN_API_KEYS", f"lab:{hash_key('b')}, ward:{hash_key('c')}")

    keys = read_keys(file)

    assert [find_key(keys, key).name for key in ("a", "b", "c")] == ["clinic", "lab", "ward"]
    assert [find_key(keys, key) for key in ("d", "", hash_key("a"), "ä\udcff")] == [None] * 4


def test_without_file_and_variable_there_is_no_key(tmp_path):
    assert read_keys(tmp_path / "none.txt") == ()


@pytest.mark.parametrize("text", ["secret-key", "clinic:123", f"two words:{'0' * 64}", f"clinic:{'G' * 64}"])
def test_entry_that_is_none_is_told_without_quoting_it(tmp_path, text):
    file = tmp_path / "keys.txt"
    file.write_text(text)

    with pytest.raises(ServeError) as caught:
        read_keys(file)

    assert str(caught.value) == (
        f"Expected API keys as NAME:SHA256 in {file}. Entry 1 is something else. "
        "Make one with: python -m dermascan_core serve --new-key NAME"
    )


def test_name_stands_once(tmp_path, monkeypatch):
    file = tmp_path / "keys.txt"
    make_key("clinic", file)
    with pytest.raises(
        ServeError, match=r"^There is a key named 'clinic' already\. Choose another name, or remove its"
    ):
        make_key("clinic", file)

    monkeypatch.setenv("DERMASCAN_API_KEYS", f"clinic:{hash_key('b')}")
    with pytest.raises(
        ServeError, match=r"^Expected each name of an API key once\. Received twice: clinic\. Rename one"
    ):
        read_keys(file)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "../x", "a\nb", "x" * 41])
def test_name_with_other_signs_is_refused(tmp_path, name):
    with pytest.raises(ServeError, match=r"^Expected a name of 1 to 40 letters, digits, dots, lines and hyphens\."):
        make_key(name, tmp_path / "keys.txt")


def test_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(
        ServeError, match=r"^(The key cannot be stored in|Expected a readable text file of API keys at)"
    ):
        make_key("clinic", tmp_path / "file" / "keys.txt")
