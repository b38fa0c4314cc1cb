"""What a process remembers, for how long, and how much of it."""

from shared.memory import Memory


class Clock:
    """Tells the time that it is set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_thing_is_remembered_for_its_seconds() -> None:
    clock = Clock()
    memory: Memory[str, int] = Memory(10, clock=clock)
    assert memory.keep("a", 1, seconds=5) == 1
    clock.now += 4.9
    assert memory.get("a") == 1
    clock.now += 0.1
    assert memory.get("a") is None


def test_of_too_many_things_the_one_remembered_first_is_forgotten() -> None:
    memory: Memory[str, int] = Memory(2)
    for name in ("a", "b", "a", "c"):
        memory.keep(name, 1, seconds=60)
    assert [memory.get(name) for name in "abc"] == [1, None, 1]
