"""Wrong guesses are counted when they differ, for a while, and in bounded memory."""

from gateway.callers.throttle import MAX_KEYS, WINDOW_SECONDS, Guesses


class Scene:
    def __init__(self, most: int = 3, keys: int = MAX_KEYS) -> None:
        self.now = 1_000.0
        self.guesses = Guesses(most, keys=keys, clock=lambda: self.now)

    def wait(self, key: bytes = b"key") -> float:
        return self.guesses.wait(key)

    def add(self, *guesses: bytes, key: bytes = b"key") -> None:
        for guess in guesses:
            self.guesses.add(key, guess)


def test_as_many_guesses_as_are_allowed_are_free() -> None:
    scene = Scene()
    scene.add(b"1", b"2")
    assert scene.wait() == 0
    scene.add(b"3")
    assert scene.wait() == WINDOW_SECONDS


def test_the_same_guess_again_is_no_new_one() -> None:
    scene = Scene()
    scene.add(*[b"1"] * 100)
    assert scene.wait() == 0
    assert scene.guesses.has(b"key", b"1")
    assert not scene.guesses.has(b"key", b"2")


def test_a_guess_is_forgotten_after_the_window_and_makes_room_for_one() -> None:
    scene = Scene()
    scene.add(b"1")
    scene.now += 100
    scene.add(b"2", b"3")
    assert scene.wait() == WINDOW_SECONDS - 100
    scene.now += WINDOW_SECONDS - 100
    assert scene.wait() == 0
    assert not scene.guesses.has(b"key", b"1")
    scene.add(b"4")
    assert scene.wait() == 100


def test_other_keys_are_not_held_up() -> None:
    scene = Scene()
    scene.add(b"1", b"2", b"3")
    assert scene.wait(b"another") == 0


def test_a_guess_that_was_right_after_all_does_not_count() -> None:
    scene = Scene()
    scene.add(b"1", b"2", b"3")
    scene.guesses.drop(b"key", b"2")
    assert scene.wait() == 0
    scene.guesses.drop(b"key", b"never made")
    scene.guesses.drop(b"nobody", b"1")


def test_memory_is_bounded_and_the_key_used_longest_ago_goes_first() -> None:
    scene = Scene(most=1, keys=10)
    for number in range(1000):
        scene.add(b"1", key=str(number).encode())
    assert len(scene.guesses._guesses) == 10
    assert scene.wait(b"999") > 0
    assert scene.wait(b"989") == 0


def test_what_is_over_takes_no_memory() -> None:
    scene = Scene()
    scene.add(b"1")
    scene.now += WINDOW_SECONDS
    assert scene.wait() == 0
    assert scene.guesses._guesses == {}
