"""`pinrail emulate` against a door that misbehaves. What could go wrong: a body that the real services would not take,
a row lost or counted when the door failed, a row sent twice that was acknowledged, a refusal tried for ever. How: a
small door here answers as told, keeps what it was sent, and the rows it acknowledged are compared with the source."""

import collections
import fcntl
import http.server
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

import pinrail


class Door(http.server.ThreadingHTTPServer):
    """Acknowledges rows as REST Proxy and Kinesis do, unless `script` has another answer for the request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.requests = []  # (method, path, content type, body)
        self.taken = collections.defaultdict(list)  # path -> rows acknowledged
        self.script = lambda number, path, body: None
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def handle_rows(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        door = self.server
        with door.lock:
            number = len(door.requests)
            door.requests.append((self.command, self.path, self.headers["Content-Type"], body))
            told = door.script(number, self.path, body)
            if told == "hang up":
                self.close_connection = True
                return
            if isinstance(told, tuple):
                return self.answer(*told)
            failed = told or {}  # place in the request -> error
            if self.path.endswith("/record"):
                door.taken[self.path].append(body["Data"])
                return self.answer(200, {"ShardId": "shardId-000000000000", "SequenceNumber": "1"})
            rows = [r["value"] if "value" in r else json.loads(r["data"]) for r in body["records"]]
            door.taken[self.path] += [row for place, row in enumerate(rows) if place not in failed]
            if self.path.endswith("/records"):
                answers = [failed.get(i, {"ShardId": "shardId-000000000000", "SequenceNumber": "1"}) for i in range(len(rows))]
                return self.answer(200, {"FailedRecordCount": len(failed), "Records": answers})
            good = {"partition": 0, "offset": 1, "error_code": None, "error": None}
            self.answer(200, {"offsets": [failed.get(i, good) for i in range(len(rows))]})

    do_POST = do_PUT = handle_rows


@pytest.fixture
def door():
    door = Door()
    yield door
    door.shutdown()
    door.server_close()


def rows_of(count, table):
    lines = pinrail.run("emulate", "--dry-run", "--count", count).stdout.splitlines()
    return [json.loads(line)[table] for line in lines]


def emulate(door, *args, **kwargs):
    done = pinrail.run("emulate", "--url", door.url, "--json", *args, **kwargs)
    return done, json.loads(done.stdout) if done.stdout else None


def by_key(rows):
    return sorted(rows, key=lambda row: row.get("index", row.get("ind")))


def assert_all_taken(door, count, path="/topics/demo.{}"):
    for table in ("pin", "geo", "user"):
        assert by_key(door.taken[path.format(table)]) == rows_of(count, table)


def test_batch_mode_speaks_as_to_a_rest_proxy(door):
    done, result = emulate(door, "--count", 250, "--batch", 100)
    assert result == {**result, "posts": 250, "pins": 250, "geos": 250, "users": 250, "retries": 0}
    assert "250 posts acknowledged" in done.stderr
    assert len(door.requests) == 9
    for method, path, content_type, body in door.requests:
        assert method == "POST" and content_type == "application/vnd.kafka.json.v2+json"
        assert list(body) == ["records"] and all(list(record) == ["value"] for record in body["records"])
    assert_all_taken(door, 250)


def test_streaming_mode_speaks_as_to_the_gateway_one_by_one(door):
    _, result = emulate(door, "--count", 20, "--mode", "streaming")
    assert result["posts"] == 20 and len(door.requests) == 60
    for method, path, content_type, body in door.requests:
        assert method == "PUT" and content_type == "application/json"
        assert list(body) == ["StreamName", "Data", "PartitionKey"]
        assert path == f"/streams/{body['StreamName']}/record"
        assert body["PartitionKey"] == str(body["Data"].get("index", body["Data"].get("ind")))
    assert_all_taken(door, 20, "/streams/streaming-demo-{}/record")


def test_streaming_mode_in_batches_under_a_stage_and_for_a_user(door):
    _, result = emulate(door, "--count", 95, "--mode", "streaming", "--batch", 10, "--user", "12ab", "--url", door.url + "/test/")
    assert result["posts"] == 95
    for method, path, _, body in door.requests:
        assert method == "PUT" and path.startswith("/test/streams/streaming-12ab-") and path.endswith("/records")
        for record in body["records"]:
            assert list(record) == ["data", "partition-key"]
            row = json.loads(record["data"])
            assert record["partition-key"] == str(row.get("index", row.get("ind")))
    assert_all_taken(door, 95, "/test/streams/streaming-12ab-{}/records")


@pytest.mark.parametrize("failure", [(503, {"message": "not now"}), (429, {"message": "slow down"}), (500, b"<html>"), "hang up"])
def test_failures_that_pass_are_tried_again(door, failure):
    door.script = lambda number, path, body: failure if number in (1, 4, 7) else None
    done, result = emulate(door, "--count", 100, "--batch", 10)
    assert result["posts"] == 100 and result["retries"] > 0
    assert "does not take rows" in done.stderr and "takes rows again" in done.stderr
    assert_all_taken(door, 100)


def test_a_throttled_gateway_is_tried_again_though_it_says_400(door):
    throttled = (400, {"__type": "ProvisionedThroughputExceededException", "message": "Rate exceeded"})
    door.script = lambda number, path, body: throttled if number < 3 else None
    _, result = emulate(door, "--count", 5, "--mode", "streaming")
    assert result["posts"] == 5 and result["retries"] == 3
    assert_all_taken(door, 5, "/streams/streaming-demo-{}/record")


def test_only_rows_that_failed_are_sent_again(door):
    kafka = {"partition": None, "offset": None, "error_code": 50003, "error": "not leader"}
    door.script = lambda number, path, body: {0: kafka, 7: kafka} if number < 3 else None
    _, result = emulate(door, "--count", 10, "--batch", 10)
    assert result == {**result, "posts": 10, "pins": 10, "geos": 10, "users": 10, "retries": 3}
    assert sorted(len(body["records"]) for _, _, _, body in door.requests) == [2, 2, 2, 10, 10, 10]
    assert_all_taken(door, 10)


def test_only_records_that_failed_are_put_again(door):
    slow = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
    door.script = lambda number, path, body: {9: slow} if number < 3 else None
    _, result = emulate(door, "--count", 10, "--batch", 10, "--mode", "streaming")
    assert result["posts"] == 10 and result["retries"] == 3
    assert sorted(len(body["records"]) for _, _, _, body in door.requests) == [1, 1, 1, 10, 10, 10]
    assert_all_taken(door, 10, "/streams/streaming-demo-{}/records")


@pytest.mark.parametrize(
    "answer, said",
    [
        ((404, {"error_code": 40401, "message": "Topic not found."}), "status 404: Topic not found."),
        ((403, {"message": "Missing Authentication Token"}), "Missing Authentication Token"),
        ((200, b"welcome"), "no answer of a REST Proxy"),
        ((200, {"offsets": []}), "speaks of 0 rows"),
        ({3: {"partition": None, "offset": None, "error_code": 42203, "error": "not JSON"}}, "error code 42203: not JSON"),
    ],
)
def test_a_refusal_ends_the_run_with_the_doors_words(door, answer, said):
    door.script = lambda number, path, body: answer if path.endswith(".geo") else None
    done, result = emulate(door, "--count", 1000, "--batch", 10, check=False)
    assert done.returncode == 65
    assert said in done.stderr and "refused a geo row" in done.stderr
    assert result is None or result["posts"] == 0


def test_a_door_that_stays_away_is_given_up(door):
    door.script = lambda number, path, body: (503, {"message": "closed"})
    done, result = emulate(door, "--count", 10, "--retry", 1, check=False)
    assert done.returncode == 69 and "closed" in done.stderr and result["posts"] == 0


def test_interrupted_it_finishes_what_it_began(door):
    begun = threading.Event()
    door.script = lambda number, path, body: begun.set() if number > 20 else None
    with subprocess.Popen(
        [str(pinrail.PROGRAM), "emulate", "--url", door.url, "--json", "--rate", "200", "--batch", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert begun.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["posts"] == result["pins"] == result["geos"] == result["users"] > 0
    assert_all_taken(door, result["posts"])


def test_a_terminal_gets_a_bar_and_others_do_not(door):
    """Drawn over itself, with rate and time left; --quiet draws nothing."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
    seen = b""
    with subprocess.Popen(
        [str(pinrail.PROGRAM), "emulate", "--url", door.url, "--count", "60", "--rate", "100", "--batch", "1"], stderr=theirs
    ) as process:
        os.close(theirs)
        while True:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    drawn = seen.decode().split("\r\x1b[K")
    assert re.match(r"\[#+-+\]  *\d+%  \d+ of 60 posts, \d+ a second, \d+ s left$", drawn[2]), drawn
    assert re.match(r"\[#{30}\] 100%  60 of 60 posts, \d+ a second\s", drawn[-1]), drawn
    done, _ = emulate(door, "--count", 10)
    assert "\x1b" not in done.stderr and "[" not in done.stderr
    done, _ = emulate(door, "--count", 10, "--quiet")
    assert done.stderr == ""


@pytest.mark.parametrize("args", [["--mode", "both"], ["--order", "random"], ["--rate", "-1"], ["--rate", "fast"], ["--count", "-5"]])
def test_wrong_options_are_said(args):
    done = pinrail.run("emulate", *args, check=False)
    assert done.returncode == 64 and args[0] in done.stderr


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://127.0.0.1:1/?a=b", "nonsense://", "http://u:hunter2@127.0.0.1:1/?x"])
def test_wrong_urls_are_said_without_their_password(url):
    done = pinrail.run("emulate", "--url", url, "--count", "1", check=False)
    assert done.returncode == 65 and "hunter2" not in done.stderr
