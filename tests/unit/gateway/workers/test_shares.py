"""What one of several workers may take."""

from broker_setup.settings import Settings
from gateway.workers.shares import share_of


def test_all_workers_together_may_take_what_one_gateway_may() -> None:
    settings = Settings(max_connections=1000, max_forms_size=3 * 2**24, max_answers_size=10, max_uploads_size=11)
    share = share_of(settings, 3)
    assert (share.max_connections, share.max_forms_size) == (334, 2**24)
    assert (share.max_answers_size, share.max_uploads_size) == (4, 4)


def test_a_worker_takes_one_form_of_the_largest_however_many_there_are() -> None:
    assert share_of(Settings(), 64).max_forms_size == Settings().max_form_size


def test_nothing_else_is_another() -> None:
    settings = Settings(workers=2)
    shared = {"max_connections", "max_forms_size", "max_answers_size", "max_uploads_size"}
    assert share_of(settings, 2).model_dump(exclude=shared) == settings.model_dump(exclude=shared)
    assert share_of(settings, 1) == settings
