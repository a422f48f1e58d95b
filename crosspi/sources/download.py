"""Fetches one file over http(s): checked, resumed and retried.

Bytes are written to a `.part` file whose name holds the hash of the address, and get their own
name only when they are all there and have the expected sha256. A part that was left behind is
continued with `Range` and `If-Range` (RFC 9110 §13.1.5, §14).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import requests
import urllib3.exceptions

import crosspi
from crosspi.errors import CrosspiError, SourceError, chain, from_os_error
from crosspi.files import file_sha256
from crosspi.urls import redact

#: Called with the name of the file, the bytes that are there and, where known, all its bytes.
Progress = Callable[[str, int, int | None], None]

_T = TypeVar("_T")
_CHUNK = 1 << 18  # bytes
_GIVE_WAY = "without a network, put the file into the folder CROSSPI_SOURCES names"
_RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Network:
    """How the network is used.

    Attributes:
        offline: open no socket at all.
        connect_timeout: seconds for a connection.
        read_timeout: seconds without a byte.
        tries: how often in all; a name that does not resolve, a refused connection, a proxy or
            a certificate that says no are not tried again.
        backoff: seconds before the second try, doubled each time.
        slow_bytes: fewer bytes than that in one `read_timeout` is a server that is too slow.
        sleep: waits so many seconds.
    """

    offline: bool = False
    connect_timeout: float = 10
    read_timeout: float = 60
    tries: int = 4
    backoff: float = 1
    slow_bytes: int = 4096
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


def new_session() -> requests.Session:
    """A session that uses the proxies, certificates and ~/.netrc of the user."""
    session = requests.Session()
    session.headers["User-Agent"] = f"crosspi/{getattr(crosspi, '__version__', '0')}"
    return session


class _Retry(Exception):
    """This try failed with `error`; another may not."""

    def __init__(self, error: SourceError, after: float = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after  # seconds


def download(
    url: str,
    into_dir: Path,
    *,
    sha256: str | None = None,
    filename: str | None = None,
    session: requests.Session | None = None,
    network: Network | None = None,
    verify: bool | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Fetches `url` into the folder `into_dir` and returns the file.

    Args:
        url: an http(s) address.
        into_dir: where the file and its `.part` go; made if missing.
        sha256: what the bytes must have, in hexadecimal; None to take what comes.
        filename: the name of the file; by default the last part of the address.
        session: by default `new_session()`.
        network: time-outs, tries, offline.
        verify: a file of certificates to trust, or False to trust all; None for the user's own
            settings.
        progress: see `Progress`.

    Raises:
        SourceError: what happened, at which address (no password in it), why, what to do.
        DiskFullError: no space left; the part is removed.
    """
    network = network or Network()
    check_online(url, network)
    name = filename or unquote(PurePosixPath(urlsplit(url).path).name) or "download"
    part = into_dir / f"{name[:150]}.{hashlib.sha256(url.encode()).hexdigest()[:12]}.part"
    session = session or new_session()
    try:
        into_dir.mkdir(parents=True, exist_ok=True)
        fetch = _Fetch(url, name, part, session, network, verify, progress, sha256 is not None)
        resumed = _with_tries(network, fetch.run)
        if sha256 is not None and (actual := file_sha256(part)) != sha256:
            if resumed:  # perhaps of two versions of the file: once more, from the start
                fetch.discard()
                _with_tries(network, fetch.run)
                actual = file_sha256(part)
            if actual != sha256:
                raise _wrong_bytes(url, part, sha256, actual)
        target = into_dir / name
        part.replace(target)
        fetch.note.unlink(missing_ok=True)
    except OSError as error:
        error.filename = error.filename or str(part)
        known = from_os_error(error, doing=f"downloading {name}")
        if known is None:
            raise SourceError(
                f"cannot store {name}",
                where=os.fsdecode(error.filename or str(into_dir)),
                why=error.strerror or str(error),
                fix="see that the cache folder can be written, or set CROSSPI_CACHE to another",
            ) from error
        _remove(part)
        raise known from error
    return target


def get_page(
    url: str,
    *,
    session: requests.Session,
    network: Network,
    verify: bool | str | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """Fetches a page into memory, with the same retries and errors as `download`."""
    check_online(url, network)

    def run() -> requests.Response:
        with _classified(url):
            response = session.get(
                url,
                headers=headers,
                timeout=(network.connect_timeout, network.read_timeout),
                verify=verify,
            )
            _check_status(url, response)
            return response

    return _with_tries(network, run)


def check_online(url: str, network: Network) -> None:
    """Raises SourceError where the network must not be used."""
    if network.offline:
        raise SourceError(
            "not fetched: crosspi is offline",
            where=redact(url),
            why="--offline was given, and the file is neither in the cache nor in CROSSPI_SOURCES",
            fix="run once without --offline, or put the file into the folder CROSSPI_SOURCES names",
        )


def _with_tries(network: Network, run: Callable[[], _T]) -> _T:
    delay = network.backoff
    for attempt in range(1, network.tries + 1):
        try:
            return run()
        except _Retry as failed:
            if attempt == network.tries:
                error = failed.error
                if attempt > 1:
                    error.why += f" ({attempt} tries)"
                raise error from failed.__cause__
            network.sleep(min(max(delay, failed.after), 30))
            delay *= 2
    raise AssertionError("unreachable: tries must be positive")


class _Fetch:
    """The tries of one download, which share a part."""

    def __init__(
        self,
        url: str,
        name: str,
        part: Path,
        session: requests.Session,
        network: Network,
        verify: bool | str | None,
        progress: Progress | None,
        pinned: bool,
    ) -> None:
        self.note = part.with_name(part.name + ".json")
        self._url = url
        self._name = name
        self._part = part
        self._session = session
        self._network = network
        self._verify = verify
        self._progress = progress
        self._pinned = pinned

    def discard(self) -> None:
        """Forgets the part."""
        _remove(self._part)

    def run(self) -> bool:
        """One try; True where it continued a part."""
        have = self._part.stat().st_size if self._part.exists() else 0
        # Without decoding: the file is what lies on the server, not what is inside its gzip.
        headers = {"Accept-Encoding": "identity"}
        if have:
            validator = self._validator()
            if validator:
                headers["If-Range"] = validator
            if validator or self._pinned:
                headers["Range"] = f"bytes={have}-"
            else:
                have = 0
        with _classified(self._url):
            response = self._session.get(
                self._url,
                headers=headers,
                stream=True,
                timeout=(self._network.connect_timeout, self._network.read_timeout),
                verify=self._verify,
            )
            with response:
                return self._store(response, have)

    def _store(self, response: requests.Response, have: int) -> bool:
        if response.status_code == 416 and have:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return True
            self.discard()
            raise _Retry(_error(self._url, "the server refuses to continue a download", ""))
        _check_status(self._url, response)
        if response.status_code == 206:
            start = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
            if start != str(have):
                self.discard()
                raise _Retry(_error(self._url, "the server continued at the wrong place", ""))
        else:
            have = 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        self._remember(response)
        done = have
        with self._part.open("ab" if have else "wb") as file:
            self._tell(done, total)
            for chunk in self._chunks(response):
                file.write(chunk)
                done += len(chunk)
                self._tell(done, total)
        if total is not None and done != total:
            raise _Retry(_cut_off(self._url, f"{done} of {total} bytes came"))
        return have > 0

    def _tell(self, done: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(self._name, done, total)

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        window, got = time.monotonic(), 0
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            yield chunk
            got += len(chunk)
            now = time.monotonic()
            if now - window > self._network.read_timeout:
                if got < self._network.slow_bytes:
                    raise _Retry(_too_slow(self._url))
                window, got = now, 0

    def _validator(self) -> str:
        try:
            return str(json.loads(self.note.read_text())["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _remember(self, response: requests.Response) -> None:
        etag = response.headers.get("ETag", "")
        if etag.startswith("W/"):  # a weak one must not be used here, RFC 9110 §13.1.5
            etag = ""
        validator = etag or response.headers.get("Last-Modified", "")
        self.note.write_text(json.dumps({"url": redact(self._url), "validator": validator}))


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    part.with_name(part.name + ".json").unlink(missing_ok=True)


# --- what went wrong ---------------------------------------------------------------------


def _error(url: str, what: str, why: str, fix: str = "") -> SourceError:
    return SourceError(what, where=redact(url), why=redact(why), fix=fix or _GIVE_WAY)


def _too_slow(url: str) -> SourceError:
    return _error(
        url,
        "the server is too slow",
        "hardly any bytes came for the time of a time-out",
        f"try again later (it continues where it stopped), or {_GIVE_WAY}",
    )


def _cut_off(url: str, why: str) -> SourceError:
    fix = "try again: it continues where it stopped"
    return _error(url, "the download was cut off", why, f"{fix}; or {_GIVE_WAY}")


def _wrong_bytes(url: str, part: Path, expected: str, actual: str) -> CrosspiError:
    size = part.stat().st_size
    with part.open("rb") as file:
        start = file.read(512).lstrip().lower()
    _remove(part)
    why = "the file at this address changed, or something on the way replaced it"
    if start.startswith((b"<!doctype html", b"<html")):
        why = "it is a web page: a log-in page of the network, or an error page"
    return SourceError(
        "the downloaded bytes are not the pinned ones; they were thrown away",
        where=redact(url),
        why=f"{why}\nexpected sha256 {expected}\nactual   sha256 {actual} ({size} bytes)",
        fix="try again; if it stays so, do not just change the pin: find out why it changed",
    )


def _check_status(url: str, response: requests.Response) -> None:
    code = response.status_code
    if code < 400:
        return
    status = f"HTTP {code} {response.reason or ''}".rstrip()
    if code in _RETRY_STATUS:
        after = response.headers.get("Retry-After", "")
        raise _Retry(
            _error(url, "the server has a fault", status, f"try again later, or {_GIVE_WAY}"),
            float(after) if after.isdecimal() else 0,
        )
    if code in (404, 410):
        what, fix = "the file is not there", "another origin or mirror may have it; or put it into"
        raise _error(url, what, status, f"{fix} the folder CROSSPI_SOURCES names")
    if code == 407:
        raise _proxy(url, status)
    if code in (401, 403):
        raise _error(
            url,
            "the server refuses to give the file",
            f"{status}: it wants a log-in, or a proxy or firewall blocks it",
            f"see that this address may be reached from here; {_GIVE_WAY}",
        )
    raise _error(url, "the server does not give the file", status)


def _proxy(url: str, why: str) -> SourceError:
    return _error(
        url,
        "the proxy refuses the connection",
        why,
        "check http_proxy, https_proxy and no_proxy in the environment, and the proxy's "
        f"log-in; {_GIVE_WAY}",
    )


@contextlib.contextmanager
def _classified(url: str) -> Iterator[None]:
    """Turns the errors of requests and urllib3 into ours; _Retry where another try may help."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _classify(url, error) from error


def _classify(url: str, error: Exception) -> Exception:
    causes = chain(error)
    host = urlsplit(url).hostname or "?"

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    if proxy := among(requests.exceptions.ProxyError, urllib3.exceptions.ProxyError):
        root = getattr(proxy, "original_error", None) or causes[-1]
        return _proxy(url, str(root))
    if among(urllib3.exceptions.NameResolutionError):
        return _error(
            url,
            f"the name '{host}' cannot be resolved",
            "no network, no DNS, or a wrong name",
            f"let this machine reach {host}; {_GIVE_WAY}",
        )
    if among(ConnectionRefusedError):
        return _error(
            url,
            f"'{host}' refuses the connection",
            "nothing listens there, or a firewall forbids it",
            f"check the address, and let this machine reach {host}; {_GIVE_WAY}",
        )
    if tls := among(requests.exceptions.SSLError, urllib3.exceptions.SSLError):
        return _error(
            url,
            f"the certificate of '{host}' is not trusted",
            str(tls),
            "behind a proxy that opens TLS, set REQUESTS_CA_BUNDLE (or pip's cert) to its "
            "certificate",
        )
    if among(requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError):
        return _Retry(_error(url, f"no connection to '{host}' in time", "no answer; a firewall?"))
    if among(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return _Retry(_too_slow(url))
    if cut := among(http.client.IncompleteRead, urllib3.exceptions.IncompleteRead):
        return _Retry(_cut_off(url, str(cut)))
    if among(
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
        requests.exceptions.TooManyRedirects,
        urllib3.exceptions.LocationValueError,
    ):
        return _error(url, "the address cannot be used", str(error), "correct it")
    return _Retry(
        _error(
            url,
            "the connection broke",
            str(causes[-1]) or type(error).__name__,
            f"try again: a download continues where it stopped; or {_GIVE_WAY}",
        )
    )
