"""Downloads from a local server that misbehaves in every way that servers do."""

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import FileIO

import pytest

from data_prep import __main__, datasets, partfile
from data_prep.datasets import Archive, Dataset
from data_prep.download import download
from data_prep.transfer import ATTEMPTS, LONGEST_PAUSE

BODY = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
HALF = 1 << 17
DEADLINE = 20  # seconds


def whole(handler, *, body=BODY, etag='"1"', ranges=True, cut=None, hold=None, modified=None):
    """Serve a file: with or without ranges, cut after ``cut`` bytes, or stopping there until ``hold`` is set."""
    start, asked = 0, handler.headers.get("Range")
    if ranges and asked and handler.headers.get("If-Range") in (etag, modified):
        start = int(asked.removeprefix("bytes=").rstrip("-"))
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    for name, value in (("ETag", etag), ("Last-Modified", modified), ("Content-Length", str(len(body) - start))):
        if value:
            handler.send_header(name, value)
    handler.end_headers()
    end = len(body) if cut is None else cut
    handler.wfile.write(body[start:end])
    handler.wfile.flush()
    if hold is not None:
        hold.wait(DEADLINE)
        handler.wfile.write(body[max(start, end) :])
    handler.close_connection = True


def status(handler, code, **headers):
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def wrong_rest(handler):
    """Answer a range with the bytes of another version of the file, whatever If-Range says."""
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes {HALF}-{len(BODY) - 1}/{len(BODY)}")
    handler.send_header("ETag", '"2"')
    handler.send_header("Content-Length", str(len(BODY) - HALF))
    handler.end_headers()
    handler.wfile.write(bytes(len(BODY) - HALF))


def chunked(handler, *, complete):
    """Send half of the file in chunks, with no length; the last chunk is missing or, as a lie, there."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%s\r\n" % (HALF, BODY[:HALF]) + (b"0\r\n\r\n" if complete else b""))
    handler.close_connection = True


class Site:
    """Plays a list of answers, one a request, the last one for ever; remembers the requests."""

    def __init__(self):
        self.answers, self.ranges = [whole], []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.ranges.append(self.headers.get("Range"))
                answer = site.answers.pop(0) if len(site.answers) > 1 else site.answers[0]
                answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/file.tgz"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def make_site(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    sites = []

    def make(*answers):
        sites.append(Site())
        sites[-1].answers = list(answers) or [whole]
        return sites[-1]

    yield make
    for site in sites:
        site.stop()


def dataset(*urls, **facts):
    archive = Archive("file.tgz", urls, **facts)
    return Dataset("d", "en-de", "", (archive,), (), {}, licence="", citation="", homepage="")


class Fetch:
    """Downloads into one folder and remembers the pauses."""

    def __init__(self, folder):
        self.folder, self.pauses = folder, []
        self.target, self.part = folder / "file.tgz", folder / "file.tgz.part"

    def __call__(self, *urls, **facts):
        download(dataset(*urls, **facts), self.folder, pause=self.pauses.append)
        assert self.target.read_bytes() == BODY
        assert not self.part.exists() and not (self.folder / "file.tgz.part.json").exists()

    def fails(self, *urls, **facts):
        with pytest.raises(RuntimeError) as raised:
            download(dataset(*urls, **facts), self.folder, pause=self.pauses.append)
        assert not self.target.exists()
        return str(raised.value)

    def begin(self, site):
        """Leave the half of a download that was cut there."""
        site.answers = [partial(whole, cut=HALF), partial(status, code=404)]
        self.fails(site.url)
        assert self.part.read_bytes() == BODY[:HALF]
        site.ranges.clear(), self.pauses.clear()


@pytest.fixture
def fetch(tmp_path):
    return Fetch(tmp_path / "downloads")


def test_a_plain_download(fetch, make_site):
    site = make_site()
    fetch(site.url, size=len(BODY), sha256=SHA256, md5=hashlib.md5(BODY).hexdigest())
    assert json.loads((fetch.folder / "downloads.json").read_text()) == {
        "file.tgz": {"bytes": len(BODY), "sha256": SHA256, "url": site.url}
    }
    assert fetch.pauses == [] and site.ranges == [None]


def test_a_complete_archive_is_not_downloaded_again(fetch, make_site):
    site = make_site()
    fetch(site.url)
    fetch(site.url)
    assert len(site.ranges) == 1


def test_the_record_keeps_other_files(fetch, make_site):
    fetch.folder.mkdir()
    (fetch.folder / "downloads.json").write_text('{"other": {"bytes": 1}}')
    fetch(make_site().url)
    assert set(json.loads((fetch.folder / "downloads.json").read_text())) == {"other", "file.tgz"}


@pytest.mark.parametrize("etag, modified", [('"1"', None), (None, "Fri, 21 Nov 2014 10:00:00 GMT")])
def test_a_cut_connection_is_resumed(fetch, make_site, etag, modified):
    answer = partial(whole, etag=etag, modified=modified)
    site = make_site(partial(answer, cut=HALF), answer)
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [None, f"bytes={HALF}-"] and fetch.pauses == [2.0]


def test_a_weak_etag_is_not_resumed_from(fetch, make_site):
    answer = partial(whole, etag='W/"1"')
    site = make_site(partial(answer, cut=HALF), answer)
    fetch(site.url)
    assert site.ranges == [None, None]


def test_a_later_run_resumes(fetch, make_site):
    site = make_site()
    fetch.begin(site)
    site.answers = [whole]
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [f"bytes={HALF}-"]


def test_a_server_without_ranges_begins_anew(fetch, make_site):
    site = make_site()
    fetch.begin(site)
    site.answers = [partial(whole, ranges=False)]
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [f"bytes={HALF}-"]


def test_a_changed_etag_begins_anew(fetch, make_site):
    site = make_site()
    fetch.begin(site)
    site.answers = [partial(whole, etag='"2"')]
    fetch(site.url, sha256=SHA256)


@pytest.mark.parametrize("answer", [wrong_rest, partial(status, code=416)])
def test_the_rest_of_another_file_is_not_appended(fetch, make_site, answer):
    site = make_site()
    fetch.begin(site)
    site.answers = [answer, partial(whole, etag='"2"')]
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [f"bytes={HALF}-", None]


def test_another_mirror_begins_anew(fetch, make_site):
    first, second = make_site(), make_site()
    fetch.begin(first)
    fetch(second.url, sha256=SHA256)
    assert second.ranges == [None]


def test_the_mirror_that_gave_the_part_goes_first(fetch, make_site):
    first, second = make_site(), make_site()
    fetch.begin(second)
    second.answers = [whole]
    fetch(first.url, second.url)
    assert first.ranges == [] and second.ranges == [f"bytes={HALF}-"]


def test_a_part_file_without_its_origin_begins_anew(fetch, make_site):
    fetch.folder.mkdir()
    fetch.part.write_bytes(b"from somewhere")
    (fetch.folder / "file.tgz.part.json").write_text('{"origin": {"unknown": 1}}')
    fetch(make_site().url)


def test_a_complete_part_file_only_needs_its_name(fetch, make_site):
    site = make_site()
    fetch.folder.mkdir()
    fetch.part.write_bytes(BODY)
    origin = {"url": site.url, "validator": '"1"', "total": len(BODY)}
    (fetch.folder / "file.tgz.part.json").write_text(json.dumps({"origin": origin}))
    fetch(site.url, sha256=SHA256)
    assert site.ranges == []


def test_a_wrong_size_is_refused_before_the_body(fetch, make_site):
    site = make_site()
    assert f"the file has {len(BODY)} bytes, expected 7" in fetch.fails(site.url, size=7)
    assert len(site.ranges) == 1 and fetch.part.stat().st_size == 0


@pytest.mark.parametrize("algorithm, digits", [("sha256", 64), ("md5", 32)])
def test_a_wrong_checksum_is_refused(fetch, make_site, algorithm, digits):
    site = make_site()
    message = fetch.fails(site.url, **{algorithm: "0" * digits})
    assert f"{hashlib.new(algorithm, BODY).hexdigest()}, expected {'0' * digits}" in message
    assert fetch.part.stat().st_size == 0 and len(site.ranges) == 1


def test_a_wrong_copy_is_replaced_by_the_next_mirror(fetch, make_site):
    fetch(make_site(partial(whole, body=BODY[::-1])).url, make_site().url, sha256=SHA256)


def hang_up(handler):
    handler.close_connection = True


def test_busy_servers_are_tried_again(fetch, make_site):
    site = make_site(partial(status, code=503), hang_up, partial(status, code=500), whole)
    fetch(site.url)
    assert fetch.pauses == [2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "value, pause",
    [("7", 7.0), ("99999", LONGEST_PAUSE), ("Fri, 21 Nov 2014 10:00:00 GMT", 0.0), ("soon", 2.0)],
)
def test_the_server_says_how_long_to_wait(fetch, make_site, value, pause):
    fetch(make_site(partial(status, code=429, Retry_After=value), whole).url)
    assert fetch.pauses == [pause]


def test_a_mirror_that_never_recovers_is_given_up(fetch, make_site):
    site = make_site(partial(status, code=503))
    assert f"{site.url}: HTTP 503 ({ATTEMPTS} times)" in fetch.fails(site.url)
    assert fetch.pauses == [2.0, 4.0, 8.0, 16.0] and len(site.ranges) == ATTEMPTS


def test_attempts_that_bring_something_do_not_count(fetch, make_site):
    steps = [partial(whole, cut=end) for end in range(10_000, len(BODY), 10_000)]
    fetch(make_site(*steps, whole).url, sha256=SHA256)
    assert set(fetch.pauses) == {2.0} and len(fetch.pauses) == len(steps)


def test_a_server_that_always_cuts_at_the_same_place_is_given_up(fetch, make_site):
    site = make_site(partial(whole, ranges=False, cut=HALF))
    assert "IncompleteRead" in fetch.fails(site.url)
    assert len(site.ranges) == ATTEMPTS


def test_a_dead_mirror_is_followed_by_the_next(fetch, make_site):
    dead = make_site()
    dead.stop()
    good = make_site(whole)
    fetch(dead.url, make_site(partial(status, code=404)).url, good.url)
    assert json.loads((fetch.folder / "downloads.json").read_text())["file.tgz"]["url"] == good.url


def test_the_message_lists_what_each_mirror_said(fetch, make_site):
    dead, gone = make_site(), make_site(partial(status, code=404))
    dead.stop()
    message = fetch.fails(dead.url, gone.url)
    assert f"{gone.url}: HTTP 404 Not Found." in message and f"put it at {fetch.target}" in message
    assert f"; {gone.url}" in message and "Failed to establish a new connection: [Errno 111] Connection ref" in message
    assert "\n" not in message and "object at 0x" not in message


@pytest.mark.parametrize("complete", [False, True])
def test_a_truncated_body_without_a_length_is_noticed(fetch, make_site, complete):
    fetch(make_site(partial(chunked, complete=complete), whole).url, make_site().url, size=len(BODY))


def test_a_body_without_an_end_is_given_up(fetch, make_site):
    stopped = threading.Event()

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"%x\r\n%s\r\n" % (HALF, bytes(HALF)))
        except OSError:
            stopped.set()
        handler.close_connection = True

    site = make_site(endless)
    assert f"sends more than the {len(BODY)} bytes" in fetch.fails(site.url, size=len(BODY))
    assert stopped.wait(DEADLINE)
    assert fetch.part.stat().st_size == 0 and len(site.ranges) == 1


def test_redirects_are_followed(fetch, make_site):
    target = make_site()
    fetch(make_site(partial(status, code=302, Location=target.url)).url)


@pytest.fixture
def make_secure_site(make_site, tmp_path):
    """Make a site with a certificate of its own, which is the second thing returned."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=DEADLINE)

    def make(*answers):
        site = make_site(*answers)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        site.server.socket = context.wrap_socket(site.server.socket, server_side=True)
        site.url = site.url.replace("http:", "https:")
        return site, certificate

    return make


def test_a_certificate_that_nobody_vouches_for_is_refused(fetch, make_secure_site):
    site, _ = make_secure_site()
    assert "CERTIFICATE_VERIFY_FAILED" in fetch.fails(site.url)
    assert fetch.pauses == [] and site.ranges == []


def test_a_redirect_from_https_to_http_is_refused(fetch, make_site, make_secure_site, monkeypatch):
    plain = make_site()
    site, certificate = make_secure_site(partial(status, code=302, Location=plain.url))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert f"{site.url}: redirects to {plain.url}, which is not encrypted" in fetch.fails(site.url)
    assert fetch.pauses == [] and plain.ranges == []
    site.answers = [partial(status, code=302, Location="/moved"), whole]
    fetch(site.url)


def test_a_body_that_calls_itself_compressed_is_kept_as_it_is(fetch, make_site):
    def labelled(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "x-gzip")
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        handler.wfile.write(BODY)

    fetch(make_site(labelled).url, sha256=SHA256)


@pytest.mark.parametrize(
    "facts, reason",
    [({"size": 5}, "has 4 bytes, expected 5"), ({"sha256": "0" * 64}, "SHA-256 is"), ({"md5": "0" * 32}, "MD5 is")],
)
def test_a_file_that_is_not_the_archive_is_kept(fetch, make_site, facts, reason):
    site = make_site()
    fetch.folder.mkdir()
    fetch.target.write_bytes(b"mine")
    with pytest.raises(ValueError, match=rf"file.tgz: .*{reason}.* move or delete it"):
        download(dataset(site.url, **facts), fetch.folder)
    assert fetch.target.read_bytes() == b"mine" and site.ranges == []


def test_a_file_that_changed_since_its_download_is_noticed(fetch, make_site):
    site = make_site()
    fetch(site.url)
    fetch.target.write_bytes(b"changed")
    with pytest.raises(ValueError, match=f"but was {SHA256} when it was downloaded"):
        download(dataset(site.url), fetch.folder)


def test_a_broken_record_is_named(fetch, make_site):
    fetch.folder.mkdir()
    (fetch.folder / "downloads.json").write_text("{")
    with pytest.raises(ValueError, match="downloads.json: not JSON"):
        download(dataset(make_site().url), fetch.folder)


def test_a_file_in_place_of_the_folder(tmp_path, make_site):
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeError, match="file: cannot make the folder .*--to"):
        download(dataset(make_site().url), tmp_path / "file")


def test_a_read_only_folder(fetch, make_site, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(partfile, "FileIO", refuse)
    assert "file.tgz.part: cannot write (Permission denied)" in fetch.fails(make_site().url)


def test_a_full_disk_keeps_what_arrived(fetch, make_site, monkeypatch):
    class Full(FileIO):
        def write(self, data):
            if os.fstat(self.fileno()).st_size + len(data) > HALF:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr("data_prep.transfer._CHUNK", 1 << 12)
    monkeypatch.setattr(partfile, "FileIO", Full)
    site = make_site()
    assert "file.tgz.part: cannot write (No space left on device); what has arrived is kept" in fetch.fails(site.url)
    assert fetch.part.read_bytes() == BODY[:HALF] and fetch.pauses == []
    monkeypatch.undo()
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [None, f"bytes={HALF}-"]


SCRIPT = """
import logging, sys
from pathlib import Path
from data_prep.datasets import Archive, Dataset
from data_prep.download import download
logging.basicConfig(level=logging.INFO, format="%(message)s")
archive = Archive("file.tgz", (sys.argv[1],))
download(Dataset("d", "en-de", "", (archive,), (), {}, licence="", citation="", homepage=""), Path(sys.argv[2]))
"""


def start_process(site, folder):
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", SCRIPT, site.url, str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def wait_until(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_a_killed_download_is_resumed(fetch, make_site):
    hold = threading.Event()
    site = make_site(partial(whole, cut=HALF, hold=hold), whole)
    with start_process(site, fetch.folder) as process:
        wait_until(lambda: fetch.part.exists() and fetch.part.stat().st_size == HALF)
        process.send_signal(signal.SIGKILL)
        assert process.wait(DEADLINE) == -signal.SIGKILL
    hold.set()
    fetch(site.url, sha256=SHA256)
    assert site.ranges == [None, f"bytes={HALF}-"]


def test_a_second_process_waits_for_the_first(fetch, make_site):
    hold = threading.Event()
    site = make_site(partial(whole, cut=HALF, hold=hold))
    with start_process(site, fetch.folder) as first:
        wait_until(lambda: fetch.part.exists() and fetch.part.stat().st_size == HALF)
        with start_process(site, fetch.folder) as second:
            line = second.stderr.readline()
            hold.set()
            assert line == f"{fetch.target}: process {first.pid} is downloading it; waiting until that ends\n"
            assert first.wait(DEADLINE) == 0 and second.wait(DEADLINE) == 0
            assert second.stderr.read() == f"{fetch.target}: is there\n"
    assert len(site.ranges) == 1
    assert sorted(path.name for path in fetch.folder.iterdir()) == ["downloads.json", "file.tgz"]


def test_a_second_process_takes_over_from_a_killed_one(fetch, make_site):
    hold = threading.Event()
    site = make_site(partial(whole, cut=HALF, hold=hold), whole)
    with start_process(site, fetch.folder) as first:
        wait_until(lambda: fetch.part.exists() and fetch.part.stat().st_size == HALF)
        with start_process(site, fetch.folder) as second:
            assert "is downloading it" in second.stderr.readline()
            first.kill()
            assert second.wait(DEADLINE) == 0
    hold.set()
    assert fetch.target.read_bytes() == BODY and site.ranges[1] == f"bytes={HALF}-"


def test_the_command(tmp_path, make_site, monkeypatch, capsys):
    site = make_site(whole, partial(status, code=404))
    monkeypatch.setattr(__main__, "COMMANDS", ("download",))
    monkeypatch.setattr(datasets, "DATASETS", {"d": dataset(site.url)})
    assert __main__.main(["download", "d", "--to", str(tmp_path / "one"), "--quiet"]) == 0
    assert (tmp_path / "one" / "file.tgz").read_bytes() == BODY and capsys.readouterr().err == ""
    assert __main__.main(["download", "d", "--to", str(tmp_path / "two"), "--quiet"]) == 1
    assert capsys.readouterr().err.startswith("data_prep download: error: file.tgz: no mirror gave it: http://127")
    assert __main__.main(["download", "e"]) == 1
