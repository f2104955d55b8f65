from callback_relay.repeats import Repeats, Standing


def test_a_submission_is_new_once() -> None:
    repeats = Repeats()
    assert repeats.begin("a") is Standing.NEW
    assert repeats.begin("a") is Standing.UNDER_WAY
    assert repeats.begin("b") is Standing.NEW


def test_a_delivered_submission_stays_delivered() -> None:
    repeats = Repeats()
    repeats.begin("a")
    repeats.end("a", delivered=True)
    assert repeats.begin("a") is Standing.DELIVERED
    assert repeats.begin("a") is Standing.DELIVERED


def test_a_failed_try_may_be_made_again() -> None:
    repeats = Repeats()
    repeats.begin("a")
    repeats.end("a", delivered=False)
    assert repeats.begin("a") is Standing.NEW


def test_the_window_forgets_the_oldest_first() -> None:
    repeats = Repeats(size=2)
    for submission in "abc":
        repeats.begin(submission)
        repeats.end(submission, delivered=True)
    assert [repeats.begin(submission) for submission in "cba"] == [Standing.DELIVERED, Standing.DELIVERED, Standing.NEW]
