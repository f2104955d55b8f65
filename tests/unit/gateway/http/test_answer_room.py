"""How much of the room for answers an account has: three times what it leaves free, and small ones for nothing."""

from broker_setup.process.beside import acting_for
from gateway.http.answer_room import AnswerShare
from gateway.http.shared_room import SharedRoom

MIB = 1024 * 1024


def test_no_account_takes_all_of_the_room_and_small_answers_always_fit() -> None:
    room = SharedRoom(100 * MIB)
    acting_for.set("hostile")
    shares = [AnswerShare(room) for _ in range(20)]
    assert sum(share.fits(10 * MIB) for share in shares) == 7
    assert not AnswerShare(room).fits(MIB * 10)
    assert AnswerShare(room).fits(1000)
    acting_for.set("well")
    shares.append(AnswerShare(room))
    assert shares[-1].fits(20 * MIB)
    for share in shares:
        share.give_back()
        share.give_back()
    assert AnswerShare(room).fits(80 * MIB)


def test_a_share_is_as_large_as_it_was_asked_for_last() -> None:
    room = SharedRoom(100 * MIB)
    share = AnswerShare(room)
    assert all(share.fits(size * MIB) for size in (10, 90, 5))
    assert not share.fits(101 * MIB)
    assert AnswerShare(room).fits(95 * MIB) is False
    share.give_back()
    assert AnswerShare(room).fits(100 * MIB)
