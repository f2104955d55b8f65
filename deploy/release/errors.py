"""What can go wrong with making a release; the text is ready to print."""


class ReleaseError(Exception):
    """The release can't be made."""
