"""The interface of a crew: workers that each run one call at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

from data_prep.errors import DfsearchError

IsWorn: TypeAlias = Callable[[Any], bool]


def never_worn(result: Any) -> bool:
    """Return False, so that no worker is recycled."""
    return False


class WorkerDiedError(DfsearchError):
    """The end of a worker process in the middle of its work: killed, or out of memory."""


class Crew(Protocol):
    """Workers, here or elsewhere, that each run one call at a time.

    Attributes:
        is_here: Whether they are processes of this one, which then learns how each one dies.
    """

    is_here: bool

    def slots(self) -> int:
        """Return the number of calls that may run at a time now."""

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Start a call in a free worker."""

    def collect(self, future: Future[Any], is_worn: IsWorn = never_worn) -> Any:
        """Wait for a call and return its result; its worker is free again.

        Args:
            future: Future of the call.
            is_worn: Whether the worker with this result is to be replaced by a fresh one.

        Raises:
            WorkerDiedError: The worker was killed; another one replaces it.
        """

    def close(self, *, kill: bool = False) -> None:
        """End the workers, when idle or at once."""
