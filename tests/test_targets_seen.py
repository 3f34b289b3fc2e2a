"""The filter of duplicates: agrees with a set, and forgets only past its limit."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from kastrun.targets import Seen


@given(st.lists(st.text(max_size=4) | st.integers(0, 300).map(str), max_size=300))
def test_it_agrees_with_a_set(texts):
    seen, known = Seen(), set()
    for text in texts:
        assert seen.add(text) == (text not in known)
        known.add(text)


def test_it_agrees_with_a_set_while_its_tables_grow():
    seen = Seen()
    names = [f"host{n}.example.com" for n in range(30_000)]
    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names)


def test_it_is_exact_up_to_its_limit():
    seen = Seen(limit=1001)
    assert all(seen.add(str(n)) for n in range(1001))
    assert not any(seen.add(str(n)) for n in range(1001))


def test_past_its_limit_it_remembers_the_latest_half_and_forgets_the_oldest():
    seen = Seen(limit=1000)
    assert all(seen.add(str(n)) for n in range(1001))
    assert not any(seen.add(str(n)) for n in range(500, 1001))
    assert seen.add("0")


def test_a_small_one_is_small_and_a_full_one_bounded():
    tracemalloc.start()
    try:
        seen = Seen(limit=4_000)
        assert tracemalloc.get_traced_memory()[0] < 50_000
        for n in range(20_000):
            seen.add(str(n))
        assert tracemalloc.get_traced_memory()[1] < 350_000
    finally:
        tracemalloc.stop()


def test_a_lone_surrogate_is_a_text_like_any_other():
    seen = Seen()
    assert seen.add("\ud800")
    assert not seen.add("\ud800")
