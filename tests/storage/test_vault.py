import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermascan_core.errors import SealError
from dermascan_core.storage.vault import FixedKeys, Vault, name_of_key, new_key

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER = base64.urlsafe_b64encode(bytes(range(1, 33))).decode()


def test_sealed_text_opens_and_shows_nothing():
    vault = Vault(FixedKeys((KEY,)))

    sealed = vault.seal("left shoulder, above the scar")

    assert vault.open(sealed) == "left shoulder, above the scar"
    assert b"shoulder" not in sealed
    assert len(vault.seal_bytes(b"x" * 1000)) == 4 + 1 + 8 + 16 + 1008 + 32  # name, version, time, IV, padded, HMAC


def test_same_text_is_sealed_differently_each_time():
    vault = Vault(FixedKeys((KEY,)))

    assert len({vault.seal("nv") for _ in range(20)}) == 20


def test_sealed_value_does_not_tell_when_it_was_made():
    sealed = Vault(FixedKeys((KEY,))).seal("nv")

    assert sealed[4:13] == b"\x80" + bytes(8)


@given(st.binary(max_size=200))
def test_any_bytes_come_back(data):
    vault = Vault(FixedKeys((KEY,)))

    assert vault.open_bytes(vault.seal_bytes(data)) == data


@pytest.mark.parametrize("text", ["", "Zoë 🩺", "broken \udce9 name.jpg", "a\x00b", "x" * 100_000])
def test_any_text_comes_back(text):
    vault = Vault(FixedKeys((KEY,)))

    assert vault.open(vault.seal(text)) == text


def test_older_key_still_opens_and_the_newest_seals():
    old = Vault(FixedKeys((OTHER,))).seal("nv")
    both = Vault(FixedKeys((KEY, OTHER)))

    assert both.open(old) == "nv"
    assert not both.is_newest(old)
    assert both.is_newest(both.seal("nv"))
    assert both.key_ids() == (name_of_key(KEY), name_of_key(OTHER))


def test_another_key_is_named_with_those_at_hand():
    sealed = Vault(FixedKeys((OTHER,))).seal("nv")

    with pytest.raises(SealError) as raised:
        Vault(FixedKeys((KEY,))).open(sealed)

    assert str(raised.value) == (
        f"It was sealed with key {name_of_key(OTHER)}. The keys at hand: {name_of_key(KEY)}. Add that key to "
        "DERMASCAN_KEY or the key file (one a line, the newest first); without it, this cannot be read by anybody."
    )


def test_every_altered_byte_and_every_cut_is_refused():
    vault = Vault(FixedKeys((KEY,)))
    sealed = vault.seal("nv")

    changed = [sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :] for i in range(len(sealed))]
    cut = [sealed[:i] for i in range(len(sealed))]

    for wrong in [*changed, *cut, sealed + b"\0"]:
        with pytest.raises(SealError):
            vault.open(wrong)


def test_altered_value_says_where_to_get_it_from():
    vault = Vault(FixedKeys((KEY,)))

    with pytest.raises(SealError) as raised:
        vault.open(vault.seal("nv")[:-1])

    assert str(raised.value) == (
        "What was sealed has been altered or cut off since. Restore it from a backup: "
        "python -m dermascan_core db restore --help"
    )


@pytest.mark.parametrize("key", ["short", KEY[:-2], KEY + "AAAA", "ü" * 44, KEY.replace("A", " ")])
def test_what_is_no_key_is_refused_without_being_shown(key):
    with pytest.raises(SealError) as raised:
        Vault(FixedKeys((key,))).seal("nv")

    assert str(raised.value) == (
        "Expected a key of 44 characters, as `python -m dermascan_core records new-key` prints it. Received "
        f"{len(key)} characters that are none. Check DERMASCAN_KEY and the key file; never make a new key for old records."
    )


def test_new_keys_are_all_different():
    assert len({new_key() for _ in range(50)}) == 50
