"""alpaca-py's blocking calls in threads, with the limits that they lack.

An attempt has a deadline and waits for its budget; a call has three attempts.
"""

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from alpaca.common.exceptions import APIError
from requests import RequestException, Response
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from ingest.alpaca.tolerant import ANOTHER_FORM
from ingest.upstream.request_budget import RequestBudget

DEADLINE_SECONDS = 10.0
"""Limit for one attempt of a call, its wait for the budget included."""

THREADS = 6

TOO_MANY_REQUESTS = 429

_FINAL = (400, 401, 403, 404, 422)
"""HTTP statuses with which Alpaca would answer the same request again."""

REST_FAILURES = (APIError, RequestException, TimeoutError, *ANOTHER_FORM)
"""The errors that alpaca-py raises. Its JSON decoder recurses at each level of nesting."""

_Json = TypeVar("_Json", dict[str, Any], list[Any])


class RestError(Exception):
    """A REST call failed or took too long: the message has the reason, ``status`` is HTTP's."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def kind(self) -> str:
        """The reason without Alpaca's own text: an account's data belongs in no log."""
        return str(self).partition(":")[0] if self.status is None else f"HTTP {self.status}"


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, RestError) and error.status not in _FINAL


class BlockingCalls:
    """Threads for the calls. Close it to end them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="alpaca-rest")

    def close(self) -> None:
        """Release the threads; a call under way ends by its own timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @retry(
        retry=retry_if_exception(_worth_retrying),
        stop=stop_after_attempt(3),
        wait=wait_random_exponential(multiplier=0.3, max=3),
        reraise=True,
    )
    async def run(
        self, budget: RequestBudget, work: Callable[[], Any], *, polling: bool = False
    ) -> Any:
        """Return the answer of a call, after up to three attempts.

        ``polling`` uses the half of the budget that polling may have.

        Raises:
            RestError: the last attempt failed, or the same request would fail again.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await _admitted(budget, polling=polling)
                # alpaca-py blocks. A call that outlives the deadline keeps its thread until the
                # timeout of ``rest_limits``.
                return await loop.run_in_executor(self._threads, work)
        except REST_FAILURES as error:
            status = error.status_code if isinstance(error, APIError) else None
            # Another program with the same keys uses the same budget at Alpaca.
            if isinstance(error, APIError) and status == TOO_MANY_REQUESTS:
                budget.on_too_many(_seconds_to_reset(error.response))
            raise RestError(f"{type(error).__name__}: {error}"[:300], status) from error


def checked(form: type[_Json], answer: Any) -> _Json:
    """Return an answer of this form.

    Raises:
        RestError: it has another form.
    """
    if not isinstance(answer, form):
        raise RestError(f"an answer of another form: {answer!r}"[:300])
    return answer


async def _admitted(budget: RequestBudget, *, polling: bool) -> None:
    while (wait := budget.acquire(polling=polling)) > 0:
        # After an HTTP 429 the wait can be a minute: to fail now frees the caller's batch.
        if wait > DEADLINE_SECONDS:
            raise RestError(f"the budget is used up for {wait:.0f} s", TOO_MANY_REQUESTS)
        await asyncio.sleep(wait)


def _seconds_to_reset(response: Response | None) -> float | None:
    """Return the seconds until the budget is free, by a header that Alpaca usually sends."""
    reset = None if response is None else response.headers.get("X-Ratelimit-Reset")
    try:
        seconds = None if reset is None else float(reset) - time.time()
    except ValueError:
        return None
    # "nan" and "inf" are numbers to Python, and no time.
    return seconds if seconds is not None and math.isfinite(seconds) else None
