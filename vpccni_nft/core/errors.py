"""Problems with what stands around the texts: files, folders, programs of the node."""


class CannotRead(Exception):  # noqa: N818 - it names what happened
    """A file, a folder or a program does not give what is needed; the message says what to do."""
