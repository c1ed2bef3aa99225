"""nginx through the daemon, which does not know HTTP: curl and wrk see what nginx sends."""

import hashlib
import re

import pytest

from lib.clients import curl_address, http_url, run_client
from lib.servers import Nginx, find_program


@pytest.fixture
def front(nginx_server, start_proxy, endpoint, engine, family):
    place = endpoint(family)
    start_proxy(f"listen web\nbind {place.text}\nserver nginx {nginx_server.endpoint(family).text}", engine)
    return place


def file_digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_of_every_size_are_whole(front, nginx_server, tmp_path):
    for size in Nginx.sizes:
        run_client("curl", "-sSf", *curl_address(front), "-o", tmp_path / "got", http_url(front, size))
        assert (tmp_path / "got").stat().st_size == size
        assert file_digest(tmp_path / "got") == file_digest(nginx_server.directory / "www" / str(size)), size


def test_one_kept_connection_serves_many_requests(front, nginx_server, tmp_path):
    sizes = [size for size in Nginx.sizes if size <= 1 << 20] * 20
    words = [word for place, size in enumerate(sizes)
             for word in (http_url(front, size), "-o", tmp_path / f"{place}")]
    connects = run_client("curl", "-sSf", *curl_address(front), "-w", "%{num_connects}\n", *words).split()
    assert sum(map(int, connects)) == 1
    for place, size in enumerate(sizes):
        assert file_digest(tmp_path / f"{place}") == file_digest(nginx_server.directory / "www" / str(size))


def test_a_large_upload_arrives_whole(front, nginx_server):
    size = 64 << 20
    file = nginx_server.directory / "www" / str(size)
    code = run_client("curl", "-sS", *curl_address(front), "-T", file, "-o", "/dev/null", "-w", "%{http_code}",
                      http_url(front, "uploaded"))
    assert code in ("201", "204")
    assert file_digest(nginx_server.directory / "www" / "uploaded") == file_digest(file)


@pytest.mark.parametrize("size", [0, 1000, 1 << 20])
def test_wrk_sees_no_error(nginx_server, start_proxy, endpoint, engine, internet_family, size):
    if find_program("wrk") is None:
        pytest.skip("wrk is not installed")
    place = endpoint(internet_family)
    server = nginx_server.endpoint(internet_family).text
    start_proxy(f"listen web\nbind {place.text}\nserver nginx {server}", engine)
    report = run_client("wrk", "-t", 1, "-c", 30, "-d", 1, "--timeout", "10s", http_url(place, size))
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    assert int(re.search(r"(\d+) requests in", report).group(1)) > 30, report
