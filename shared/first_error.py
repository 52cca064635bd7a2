"""The one error of an exception group that a caller reports."""

from typing import TypeVar

ErrorT = TypeVar("ErrorT", bound=BaseException)


def first_error(group: BaseExceptionGroup[ErrorT]) -> ErrorT:
    """Return the first error of a group that is not itself a group; task groups can be nested."""
    error = group.exceptions[0]
    return first_error(error) if isinstance(error, BaseExceptionGroup) else error
