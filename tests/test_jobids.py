"""A compact set of ids behaves as a set."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kastrun import jobids
from kastrun.jobids import JobIds

words = st.tuples(
    st.booleans(), st.sampled_from([f"j{number:020x}" for number in range(12)] + ["", "é", "x"])
)


@settings(max_examples=200)
@given(st.lists(words))
def test_it_is_a_set(steps: list[tuple[bool, str]]) -> None:
    ids, model = JobIds(), set[str]()
    for adds, job in steps:
        if adds:
            ids.add(job)
            model.add(job)
        else:
            ids.discard(job)
            model.discard(job)
    assert {job for _, job in steps if job in ids} == model


def test_what_straddles_two_ids_is_neither() -> None:
    bucket = b"aaaabbbb" + b"ccccdddd" + b"bbbbcccc"
    assert jobids._place(bucket, b"bbbbcccc") == 16
    assert jobids._place(bucket[:16], b"bbbbcccc") == -1
