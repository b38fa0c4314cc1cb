"""How a polled batch is cut, how long to wait before another try, and when trying ends."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bus.retry import Fuse, wait_before
from shared.bus.waves import waves

fuzz = settings(max_examples=200, deadline=None, derandomize=True, database=None)

Said = tuple[str, str, int]
"""A key, a kind, and the place in the batch."""

BATCHES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=30).map(
    lambda said: [(key, kind, place) for place, (key, kind) in enumerate(said)]
)


def cut(batch: list[Said]) -> list[list[Said]]:
    return list(waves(batch, key=lambda said: said[0], kind=lambda said: said[1]))


class TestWaves:
    @given(batch=BATCHES)
    @fuzz
    def test_nothing_is_lost_or_doubled(self, batch: list[Said]) -> None:
        assert sorted(said for wave in cut(batch) for said in wave) == sorted(batch)

    @given(batch=BATCHES)
    @fuzz
    def test_no_keys_order_is_broken(self, batch: list[Said]) -> None:
        met: dict[str, list[int]] = defaultdict(list)
        for wave in cut(batch):
            for key, _, place in wave:
                met[key].append(place)
        assert all(places == sorted(places) for places in met.values())

    @given(batch=BATCHES)
    @fuzz
    def test_a_wave_is_of_one_kind_and_has_all_that_may_go_with_it(self, batch: list[Said]) -> None:
        rest = batch
        for wave in cut(batch):
            ((_, wanted, _), *_) = wave
            stopped: set[str] = set()
            expected = []
            for key, kind, place in rest:
                if kind != wanted:
                    stopped.add(key)
                elif key not in stopped:
                    expected.append((key, kind, place))
            assert sorted(wave) == sorted(expected)
            rest = [said for said in rest if said not in expected]

    def test_messages_of_many_people_are_one_wave(self) -> None:
        batch = [(f"key {number % 10}", "message", number) for number in range(100)]
        assert len(cut(batch)) == 1


class TestFuse:
    def test_it_blows_when_too_many_die_in_a_row(self) -> None:
        fuse = Fuse(in_a_row=3, share=1, window=100)
        for _ in range(5):
            fuse.died("a")
            fuse.died("b")
            fuse.took_effect("a")
        assert not fuse.blown
        fuse.died("a")
        fuse.died("b")
        assert not fuse.blown
        fuse.died("c")
        assert fuse.blown

    def test_it_blows_when_too_large_a_share_of_a_type_dies(self) -> None:
        fuse = Fuse(in_a_row=100, share=0.5, window=10)
        for _ in range(5):
            fuse.took_effect("a")
            assert not fuse.blown, "four of ten are no half"
            fuse.died("a")
        assert fuse.blown

    def test_what_takes_effect_of_another_type_does_not_hide_it(self) -> None:
        fuse = Fuse(in_a_row=100, share=0.5, window=10)
        for _ in range(5):
            assert not fuse.blown
            fuse.took_effect("many", 100)
            fuse.died("dead")
        assert fuse.blown

    def test_a_few_deaths_among_many_events_do_not_blow_it(self) -> None:
        fuse = Fuse(in_a_row=3, share=0.5, window=10)
        for _ in range(50):
            fuse.died("a")
            fuse.took_effect("a", 9)
            fuse.took_effect("a", 0)
        assert not fuse.blown

    def test_once_blown_it_stays_so(self) -> None:
        fuse = Fuse(in_a_row=1, share=1, window=10)
        fuse.died("a")
        fuse.took_effect("a", 1_000)
        assert fuse.blown


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.2), (2, 0.4), (3, 0.8), (7, 10.0), (1_000_000, 10.0)])
def test_the_wait_doubles_up_to_its_limit_and_never_all_wait_alike(attempt: int, longest: float) -> None:
    waits = {wait_before(attempt, first=0.2, longest=10) for _ in range(50)}
    assert longest / 2 <= min(waits) < max(waits) <= longest
