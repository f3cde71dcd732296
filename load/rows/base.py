"""What every reader of rows promises."""


class Unreadable(Exception):
    """The database can't be read now, or not to its end."""
