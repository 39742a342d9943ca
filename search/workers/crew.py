"""The interface of a crew: workers that each run one call at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

from data_prep.errors import DfsearchError

IsWorn: TypeAlias = Callable[[Any], bool]


def never(result: Any) -> bool:
    """No worker is worn."""
    return False


class WorkerDiedError(DfsearchError):
    """A worker process ended in the middle of its work: killed, or out of memory."""


class Crew(Protocol):
    """Workers, here or elsewhere, that each run one call at a time.

    Attributes:
        is_here: whether they are processes that this one started, and it is told how each dies.
    """

    is_here: bool

    def places(self) -> int:
        """How many calls may run at a time, as far as is known now."""

    def submit(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Begin a call in a worker that is free."""

    def collect(self, future: Future[Any], is_worn: IsWorn = never) -> Any:
        """What a call returned; its worker is free again.

        Args:
            future: of the call; waited for.
            is_worn: whether the worker that returned this is to be replaced by a fresh one.

        Raises:
            WorkerDiedError: its worker was killed; another takes its place.
        """

    def close(self, *, kill: bool = False) -> None:
        """End the workers, when idle or at once."""
