"""The cache is bounded, and keeps what was used most recently."""

import threading

from session_limit.utils.lru import LRU


def test_the_least_recently_used_is_dropped():
    remembered = LRU(3)
    for number in (1, 2, 3):
        remembered.put(number, str(number))
    assert remembered.get(1) == "1"
    remembered.put(4, "4")
    assert [number in remembered for number in (1, 2, 3, 4)] == [
        True,
        False,
        True,
        True,
    ]
    assert remembered.get(2) is None
    # Looking whether a key is there does not count as using it.
    assert 3 in remembered
    remembered.put(5, "5")
    assert 3 not in remembered
    for number in range(1_000):
        remembered.put(number, "")
    assert len(remembered) == 3


def test_what_is_dropped_or_put_again():
    remembered = LRU(2)
    remembered.put("a", 1)
    remembered.put("a", 2)
    assert (len(remembered), remembered.get("a")) == (1, 2)
    remembered.drop("a")
    remembered.drop("a")
    assert remembered.get("a") is None
    remembered.put("b", 1)
    remembered.clear()
    assert len(remembered) == 0


def test_threads_share_it():
    remembered, failed = LRU(10), []

    def use(offset):
        try:
            for number in range(5_000):
                remembered.put((number + offset) % 20, number)
                remembered.get(number % 20)
                remembered.drop((number * 7) % 20)
        except Exception as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=use, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(remembered) <= 10
