from collections.abc import Callable

import httpx
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from flotilla.errors import ConfigurationError, DependencyUnavailable
from flotilla.vectorstore.qdrant import CollectionAbsent, call


def failing(error: Exception, times: int = 99) -> tuple[Callable[[], int], list[int]]:
    """A request that fails so many times and then gives the number of its calls."""
    calls: list[int] = []

    def request() -> int:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return len(calls)

    return request, calls


def status(code: int) -> UnexpectedResponse:
    return UnexpectedResponse(code, "", b"", httpx.Headers())


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ResponseHandlingException(httpx.ConnectError("refused")), DependencyUnavailable),
        (ResponseHandlingException(httpx.ReadTimeout("late")), DependencyUnavailable),
        (status(500), DependencyUnavailable),
        (status(503), DependencyUnavailable),
        (status(429), DependencyUnavailable),
        (status(401), ConfigurationError),
        (status(403), ConfigurationError),
        (status(404), CollectionAbsent),
        (status(400), UnexpectedResponse),
    ],
)
def test_failures_become_errors_that_say_what_to_do(
    error: Exception, raised: type[Exception]
) -> None:
    request, calls = failing(error)
    with pytest.raises(raised):
        call(request)
    assert len(calls) == 1


def test_a_connection_that_was_closed_meanwhile_is_made_anew_once() -> None:
    gone = ResponseHandlingException(httpx.RemoteProtocolError("closed"))
    request, _ = failing(gone, times=1)
    assert call(request) == 2
    request, calls = failing(gone)
    with pytest.raises(DependencyUnavailable):
        call(request)
    assert len(calls) == 2


@pytest.mark.parametrize(("asked", "kept"), [(7, 7.0), (10**13, 60.0), (-1, None)])
def test_an_overloaded_server_says_when_to_come_back(asked: int, kept: float | None) -> None:
    request, _ = failing(ResourceExhaustedResponse("slow down", asked))
    with pytest.raises(DependencyUnavailable) as caught:
        call(request)
    assert caught.value.retry_after == kept


def test_an_overloaded_server_that_names_a_date_is_overloaded_all_the_same() -> None:
    def answer() -> None:  # the client takes whole seconds alone
        raise ResourceExhaustedResponse("slow down", "Wed, 21 Oct 2099 07:28:00 GMT")  # type: ignore[arg-type]

    with pytest.raises(DependencyUnavailable):
        call(answer)
