"""What each worker may take of what all together may: the settings bound what one port costs its machine."""

from math import ceil

from broker_setup.settings import Settings


def share_of(settings: Settings, workers: int) -> Settings:
    """Return the settings for one of so many workers."""
    shared = {
        "max_connections": settings.max_connections,
        "max_forms_size": settings.max_forms_size,
        "max_answers_size": settings.max_answers_size,
        "max_uploads_size": settings.max_uploads_size,
    }
    shares = {name: ceil(bound / workers) for name, bound in shared.items()}
    # One form of the largest is always taken, as it is of the others by their own floors.
    shares["max_forms_size"] = max(shares["max_forms_size"], min(settings.max_form_size, settings.max_forms_size))
    return settings.model_copy(update=shares)
