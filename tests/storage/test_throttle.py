"""Guessing is slowed down, for an account and for an address, whichever way the clock goes."""

from datetime import datetime, timedelta

from dermascan_core.storage.database import Database
from dermascan_core.storage.throttle import begin_try, forgive, forgive_account
from tests.staff import NOW, later


def try_once(database: Database, now: datetime, login: str = "ben", address: str = "203.0.113.9") -> int:
    with database.transaction() as session:
        return begin_try(session, login=login, address=address, now=now)


def test_five_tries_are_free_and_then_each_waits_twice_as_long(database: Database) -> None:
    assert [try_once(database, NOW) for _ in range(5)] == [0, 0, 0, 0, 0]

    waits = []
    now = NOW
    for _ in range(12):
        wait = try_once(database, now)
        waits.append(wait)
        now += timedelta(seconds=wait)
        assert try_once(database, now) == 0

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_guesser_who_never_pauses_gets_little_more_than_a_hundred_tries_a_day(database: Database) -> None:
    n_tries, now = 0, NOW
    while now < later(hours=24):
        wait = try_once(database, now)
        n_tries += wait == 0
        now += timedelta(seconds=wait)

    assert n_tries == 109


def test_try_that_comes_too_soon_is_not_counted(database: Database) -> None:
    for _ in range(5):
        try_once(database, NOW)

    assert [try_once(database, NOW) for _ in range(50)] == [1] * 50
    assert try_once(database, later(seconds=1)) == 0


def test_other_accounts_are_not_slowed_until_the_address_is(database: Database) -> None:
    waits = [try_once(database, NOW, login=f"guess-{number}") for number in range(25)]

    assert waits == [0] * 20 + [1] * 5
    assert try_once(database, NOW, login="anna", address="198.51.100.7") == 0


def test_account_is_slowed_from_every_address(database: Database) -> None:
    waits = [try_once(database, NOW, address=f"198.51.100.{number}") for number in range(8)]

    assert waits == [0] * 5 + [1] * 3


def test_whoever_gets_in_is_forgiven_their_own_tries_alone(database: Database) -> None:
    for number in range(16):
        try_once(database, NOW, login=f"guess-{number}")
    for _ in range(4):
        try_once(database, NOW, login="ben")

    with database.transaction() as session:
        forgive(session, login="ben", address="203.0.113.9")

    assert [try_once(database, NOW, login=f"more-{number}") for number in range(5)] == [0, 0, 0, 0, 1]


def test_account_whose_password_is_set_anew_is_free_at_once(database: Database) -> None:
    for _ in range(5):
        try_once(database, NOW)
    assert try_once(database, NOW) == 1

    with database.transaction() as session:
        forgive_account(session, "ben")

    assert try_once(database, NOW) == 0


def test_day_without_tries_forgets_them(database: Database) -> None:
    for hour in range(9):
        try_once(database, later(hours=hour))
    for _ in range(5):
        try_once(database, later(hours=9))
    assert try_once(database, later(hours=9)) > 0

    assert try_once(database, later(hours=33, seconds=1)) == 0


def test_clock_set_back_frees_nobody_and_locks_nobody_out(database: Database) -> None:
    for _ in range(10):
        try_once(database, later(days=365))
        now = later(days=365)
    assert try_once(database, now) == 1

    assert try_once(database, NOW) == 1
    assert try_once(database, later(seconds=1)) == 0
