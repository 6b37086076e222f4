"""Bringing one file over HTTP into a part file: resumed where the server still has it, tried again when it fails."""

import re
from collections.abc import Callable
from urllib.parse import urljoin

import requests
import urllib3

from data_prep.partfile import Origin, PartFile
from data_prep.progress import progress

Pause = Callable[[float], None]

ATTEMPTS = 5  # in a row that bring nothing new before a mirror is given up
LONGEST_PAUSE = 300.0  # seconds, whatever the server asks for
_TIMEOUT = (30.0, 60.0)  # seconds to connect, and without a byte
_CHUNK = 1 << 16  # bytes; what of it has not arrived when the process is killed is lost
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "rims-nlp data_prep"}
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_NEVER = (
    requests.exceptions.SSLError,
    requests.exceptions.TooManyRedirects,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


class MirrorError(Exception):
    """This mirror does not give the file; the message says why."""


class _Failure(Exception):
    """This attempt failed, the next one may not."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class _Session(requests.Session):
    """A session that does not follow a redirect from https to http."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and urljoin(resp.url, target).startswith("http:"):
            raise MirrorError(f"redirects to {target}, which is not encrypted")
        return target


def transfer(url: str, part: PartFile, *, size: int | None, pause: Pause) -> None:
    """Bring what is missing of a file.

    Args:
        url: where it is.
        part: what has arrived of it, from this mirror or another; what is of no use is thrown away.
        size: of the whole file in bytes, where known.
        pause: waits so many seconds between two attempts.

    Raises:
        MirrorError: if the mirror refuses, has a file of another size, or failed :data:`ATTEMPTS` times in a row.
        RuntimeError: if the part file cannot be written.
    """
    failures, most = 0, part.size
    with _Session() as session:
        while not _is_complete(part, url):
            try:
                _attempt(session, url, part, size)
            except _Failure as failure:
                failures = 1 if part.size > most else failures + 1
                most = max(most, part.size)
                if failures == ATTEMPTS:
                    raise MirrorError(f"{failure} ({ATTEMPTS} times)") from failure
                pause(2.0**failures if failure.pause is None else failure.pause)
            else:
                return


def _is_complete(part: PartFile, url: str) -> bool:
    """Tell whether an earlier run brought everything and was stopped before it gave the file its name."""
    return part.origin is not None and part.origin.url == url and 0 < part.size == part.origin.total


def _attempt(session: requests.Session, url: str, part: PartFile, size: int | None) -> None:
    try:
        with session.get(url, headers=_headers(part, url), stream=True, timeout=_TIMEOUT) as response:
            total = _begin(response, part, url, size)
            with progress(url.rpartition("/")[2], "bytes", total and total - part.size) as shown:
                for data in response.raw.stream(_CHUNK, decode_content=False):
                    part.append(data)
                    shown.add(len(data))
                    if size is not None and part.size > size:
                        part.start(None)
                        raise MirrorError(f"sends more than the {size} bytes that the file has")
    except _NEVER as error:
        raise MirrorError(_reason(error)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Failure(_reason(error)) from error
    if total is not None and part.size != total:
        raise _Failure(f"{part.size} of {total} bytes arrived")


def _headers(part: PartFile, url: str) -> dict[str, str]:
    """Ask for the rest if the part file holds the beginning of this very file."""
    origin = part.origin
    if not part.size or origin is None or origin.url != url or origin.validator is None:
        return _HEADERS
    return {**_HEADERS, "Range": f"bytes={part.size}-", "If-Range": origin.validator}


def _begin(response: requests.Response, part: PartFile, url: str, size: int | None) -> int | None:
    """Judge the head of an answer, make the part file ready for its body; returns the bytes of the whole file."""
    if response.status_code == 206:
        return _continue(response, part)
    if response.status_code == 416:  # the file is shorter than what has arrived: another one
        part.start(None)
        raise _Failure("HTTP 416, the file has changed")
    if response.status_code in _TRY_AGAIN:
        raise _Failure(f"HTTP {response.status_code}", _retry_after(response))
    if response.status_code != 200:
        raise MirrorError(f"HTTP {response.status_code} {response.reason}")
    length = response.headers.get("Content-Length")
    total = int(length) if length else None
    if size is not None and total is not None and total != size:
        raise MirrorError(f"the file has {total} bytes, expected {size}")
    part.start(Origin(url, _validator(response), total))
    return total


def _continue(response: requests.Response, part: PartFile) -> int:
    """Check that an answer is the rest of the file that the part file begins."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    origin = part.origin
    same = found and origin and int(found[1]) == part.size and origin.total in (None, int(found[2]))
    if not found or not same or (origin and _validator(response) != origin.validator):
        part.start(None)
        raise _Failure("the rest it sent is not of the same file")
    return int(found[2])


def _validator(response: requests.Response) -> str | None:
    """Return what tells one version of the file from the next; weak ETags do not tell it byte for byte."""
    etag = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return min(urllib3.Retry().parse_retry_after(value), LONGEST_PAUSE)
    except urllib3.exceptions.InvalidHeader:
        return None


def _reason(error: Exception) -> str:
    """Say what went wrong without the objects that requests and urllib3 wrap it in."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", None) or cause)
