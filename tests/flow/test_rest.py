"""The REST door as its clients see it: the documented v2 calls, and every kind of bad input with the status and code that
Kafka REST Proxy gives, a sentence that helps, and nothing stored."""

import base64
import json
import socket

import pytest

from pinrail import Serve, http, wait_until

JSON = "application/vnd.kafka.json.v2+json"
BINARY = "application/vnd.kafka.binary.v2+json"
V2 = "application/vnd.kafka.v2+json"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    settings = {"num-partitions": 3, "http-body-max-bytes": "2MiB"}
    with Serve(tmp_path_factory.mktemp("rest") / "data", role="ingest", settings=settings) as running:
        yield running


def call(door, method, path, body=None, content_type=None, **headers):
    """One request; gives (status, decoded answer)."""
    if content_type:
        headers["Content-Type"] = content_type
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    status, answered, text = http(method, door.url + path, body, headers)
    assert answered["Content-Type"].startswith("application/"), answered
    return status, json.loads(text)


def post(door, topic, *records, content_type=JSON):
    status, answer = call(door, "POST", f"/topics/{topic}", {"records": list(records)}, content_type)
    assert status == 200, answer
    assert answer["key_schema_id"] is None and answer["value_schema_id"] is None
    return answer["offsets"]


def end_offsets(door, topic):
    return [
        call(door, "GET", f"/topics/{topic}/partitions/{p['partition']}/offsets")[1]["end_offset"]
        for p in call(door, "GET", f"/topics/{topic}/partitions")[1]
    ]


def stored(door, topic):
    """All values and keys of a topic, read through the Kinesis door: [(partition, key, value)]."""
    found = []
    for shard in range(len(end_offsets(door, topic))):
        iterator = kinesis(door, "GetShardIterator", StreamName=topic, ShardId=f"shardId-{shard:012}",
                           ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        for record in kinesis(door, "GetRecords", ShardIterator=iterator)["Records"]:
            found.append((shard, record["PartitionKey"], base64.b64decode(record["Data"])))
    return found


def kinesis(door, operation, **members):
    status, _, text = http("POST", door.url, json.dumps(members), {
        "X-Amz-Target": f"Kinesis_20131202.{operation}", "Content-Type": "application/x-amz-json-1.1"})
    assert status == 200, text
    return json.loads(text)


def test_what_is_there_is_told(door):
    assert call(door, "GET", "/") == (200, {})
    assert call(door, "GET", "/brokers") == (200, {"brokers": [1]})
    topics = call(door, "GET", "/topics")[1]
    assert {"demo.pin", "demo.geo", "demo.user"} <= set(topics)
    assert not [name for name in topics if name.startswith("__")]
    status, topic = call(door, "GET", "/topics/demo.pin/")
    assert status == 200 and topic["name"] == "demo.pin" and isinstance(topic["configs"], dict)
    one = {"partition": 1, "leader": 1, "replicas": [{"broker": 1, "leader": True, "in_sync": True}]}
    assert topic["partitions"][1] == one
    assert call(door, "GET", "/topics/demo.pin/partitions")[1] == topic["partitions"]
    assert call(door, "GET", "/topics/demo.pin/partitions/1") == (200, one)
    assert call(door, "GET", "/topics/demo.pin/partitions/1/offsets") == (200, {"beginning_offset": 0, "end_offset": 0})
    for path, word in (("/healthz", b"ok"), ("/readyz", b"ready"), ("/metrics", b"pinrail_http_requests_total "),
                       ("/version", b'"pinrail"')):
        status, _, text = http("GET", door.url + path)
        assert status == 200 and word in text
    assert http("HEAD", door.url + "/topics")[0] == 200


def test_json_values_come_back_compact_and_otherwise_as_sent(door):
    body = ' { "records" : [ {"value": { "b" : 1.50 , "a":"x  \\u00e9 \\" y", "a":[ ] } } , {"value":"text"}, {"value":17},\n' \
           '{"value":null}, {"value":{"emoji":"🍂"}} ] , "value_schema_id": null } '
    status, answer = call(door, "POST", "/topics/json.values", body, JSON)
    assert status == 200
    assert [slot["offset"] for slot in answer["offsets"]] == [0, 1, 2, 3, 4]
    assert len({slot["partition"] for slot in answer["offsets"]}) == 1
    assert [value for _, _, value in stored(door, "json.values")] == [
        b'{"b":1.50,"a":"x  \\u00e9 \\" y","a":[]}', b'"text"', b"17", b"", '{"emoji":"🍂"}'.encode()]


def test_binary_values_come_back_as_the_bytes(door):
    raw = bytes(range(256))
    post(door, "binary.values", {"value": base64.b64encode(raw).decode()}, {"value": ""}, content_type=BINARY)
    assert [value for _, _, value in stored(door, "binary.values")] == [raw, b""]


@pytest.mark.parametrize("content_type", ["application/json", None, V2])
def test_without_an_embedded_type_strings_are_base64_and_the_rest_is_json(door, content_type):
    topic = "either." + str(content_type).replace("/", ".").replace("+", ".")
    headers = {"Content-Type": content_type} if content_type else {}
    connection = socket.create_connection(door.address("http").split(":"))
    body = json.dumps({"records": [{"value": "aGVsbG8="}, {"value": {"a": 1}}]})
    lines = [f"POST /topics/{topic} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join(lines + ["", body]).encode())
    answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 200 OK\r\n" in answer
    assert [value for _, _, value in stored(door, topic)] == [b"hello", b'{"a":1}']


def test_keys_and_partitions_decide_where_records_go(door):
    slots = post(door, "keyed", {"key": "a", "value": 1}, {"key": "a", "value": 2}, {"partition": 2, "value": 3},
                 {"key": {"id": 1}, "value": 4})
    assert slots[0]["partition"] == slots[1]["partition"] and slots[1]["offset"] == slots[0]["offset"] + 1
    assert slots[2]["partition"] == 2
    assert {(key, value) for _, key, value in stored(door, "keyed")} == {
        ('"a"', b"1"), ('"a"', b"2"), ("", b"3"), ('{"id":1}', b"4")}
    status, answer = call(door, "POST", "/topics/keyed/partitions/1", {"records": [{"value": 5}, {"partition": 0, "value": 6}]}, JSON)
    assert status == 200 and [slot["partition"] for slot in answer["offsets"]] == [1, 0]


def test_keys_hash_as_with_javas_producer(door):
    """kafka-python's murmur2 partitioner is Java's; both over the bytes of the key."""
    partitioner = pytest.importorskip("kafka.partitioner.default")
    for key in ("", "a", "pin", "partition-1", "ключ", "0" * 1000):
        expected = (partitioner.murmur2(key.encode()) & 0x7FFFFFFF) % 3
        slot = post(door, "hashed", {"key": base64.b64encode(key.encode()).decode(), "value": ""}, content_type=BINARY)[0]
        assert slot["partition"] == expected, key


def test_keyless_requests_take_partitions_in_turn(door):
    seen = [post(door, "in.turn", {"value": 1}, {"value": 2})[0]["partition"] for _ in range(6)]
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]


def test_a_stage_may_stand_before_the_path(door):
    status, answer = call(door, "POST", "/prod/topics/staged", {"records": [{"value": {"a": 1}}]}, JSON, Accept=V2)
    assert status == 200 and answer["offsets"][0]["offset"] == 0
    assert call(door, "GET", "/prod/nothing/here") == (404, call(door, "GET", "/prod/nothing/here")[1])
    assert call(door, "GET", "/prod/topics/a/b/c") == (403, {"message": "Missing Authentication Token"})


BAD_BODIES = [
    ("", 422, 422, "empty"),
    ("hello", 400, 400, "byte 0"),
    ('{"records":[{"value":{"a":1}}', 400, 400, "byte 29"),
    ('{"records":[{"value":{"a":1}}]}x', 400, 400, "byte 31"),
    ('{"records":[{"value":{"a":01}}]}', 400, 400, "number"),
    (b'{"records":[{"value":"\xff\xfe"}]}', 400, 400, "UTF-8"),
    (b'{"records":[{"value":"\xed\xa0\x80"}]}', 400, 400, "UTF-8"),
    ("[" * 100000, 422, 422, None),
    ('{"records":' + "[" * 100000, 422, 422, "record 1"),
    ('{"records":[{"value":' + "[" * 100000, 400, 400, "deeply"),
    ("[]", 422, 422, "records"),
    ("17", 422, 422, "records"),
    ("{}", 422, 422, "records"),
    ('{"records":[]}', 422, 422, "records"),
    ('{"records":null}', 422, 422, "records"),
    ('{"records":{"value":1}}', 422, 422, "records"),
    ('{"records":[1]}', 422, 422, "record 1"),
    ('{"records":[{"value":1},{"values":1}]}', 422, 422, "record 2"),
    ('{"record":[{"value":1}]}', 422, 422, "record"),
    ('{"records":[{"value":1,"partition":"0"}]}', 422, 422, "partition"),
    ('{"records":[{"value":1,"partition":-1}]}', 422, 422, "partition"),
    ('{"records":[{"value":1,"partition":1.5}]}', 422, 422, "partition"),
]


@pytest.mark.parametrize("body,status,code,word", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_bodies_are_refused_whole(door, body, status, code, word):
    before = end_offsets(door, "demo.pin")
    if body == "[" * 100000:
        status, code = 400, 400  # not even JSON, as it is too deep to look at
    got, answer = call(door, "POST", "/topics/demo.pin", body, JSON)
    assert (got, answer["error_code"]) == (status, code), answer
    assert word is None or word in answer["message"], answer
    assert end_offsets(door, "demo.pin") == before


@pytest.mark.parametrize("value", ["not base64!", "abc", "YWJj\n", "YW=j", 17, {"a": 1}])
def test_bad_base64_is_refused(door, value):
    before = end_offsets(door, "demo.pin")
    status, answer = call(door, "POST", "/topics/demo.pin", {"records": [{"value": "YWJj"}, {"value": value}]}, BINARY)
    assert (status, answer["error_code"]) == (422, 422) and "record 2" in answer["message"] and "base64" in answer["message"]
    assert end_offsets(door, "demo.pin") == before


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml",
                                          "application/vnd.kafka.avro.v2+json", "application/vnd.kafka.json.v3+json"])
def test_wrong_content_types_are_415(door, content_type):
    status, answer = call(door, "POST", "/topics/demo.pin", {"records": [{"value": 1}]}, content_type)
    assert (status, answer["error_code"]) == (415, 415) and "application/vnd.kafka.json.v2+json" in answer["message"]


def test_answers_nobody_accepts_are_406(door):
    status, answer = call(door, "POST", "/topics/demo.pin", {"records": [{"value": 1}]}, JSON, Accept="text/html")
    assert (status, answer["error_code"]) == (406, 406)
    for accept in (V2, "application/json", "*/*", "text/html, application/json;q=0.9", JSON):
        status, headers, _ = http("GET", door.url + "/topics", headers={"Accept": accept})
        assert status == 200
        assert headers["Content-Type"] == ("application/json" if "json;q" in accept or accept == "application/json" else V2)


def test_unknown_things_are_404(door):
    for path in ("/topics/no.such", "/topics/no.such/partitions", "/topics/no.such/partitions/0", "/topics/no.such/partitions/0/offsets",
                 "/topics/bad%20name"):
        status, answer = call(door, "GET", path)
        assert (status, answer["error_code"]) == (404, 40403), path
    for path in ("/topics/demo.pin/partitions/3", "/topics/demo.pin/partitions/3/offsets", "/topics/demo.pin/partitions/x",
                 "/topics/demo.pin/partitions/-1", "/topics/demo.pin/partitions/99999999999999999999"):
        status, answer = call(door, "GET", path)
        assert (status, answer["error_code"]) == (404, 40402), path
    assert "no.such" not in call(door, "GET", "/topics")[1]
    status, answer = call(door, "POST", "/topics/demo.pin/partitions/3", {"records": [{"value": 1}]}, JSON)
    assert (status, answer["error_code"]) == (404, 40402)
    status, answer = call(door, "POST", "/topics/bad%20name", {"records": [{"value": 1}]}, JSON)
    assert (status, answer["error_code"]) == (400, 40002)
    status, answer = call(door, "POST", "/topics/__consumer_offsets", {"records": [{"value": 1}]}, JSON)
    assert status in (403, 404), answer
    status, answer = call(door, "GET", "/nothing")
    assert (status, answer["error_code"]) == (404, 404)
    status, answer = call(door, "POST", "/consumers/my_group", {}, V2)
    assert (status, answer["error_code"]) == (404, 404) and "consumer" in answer["message"]
    status, headers, text = http("DELETE", door.url + "/topics/demo.pin")
    assert status == 405 and headers["Allow"] == "GET,POST" and json.loads(text)["error_code"] == 405


def test_one_bad_partition_spares_the_other_records(door):
    slots = post(door, "spared", {"value": 1}, {"value": 2, "partition": 3}, {"value": 3})
    assert slots[0]["error_code"] is None and slots[2]["offset"] == slots[0]["offset"] + 1
    assert slots[1]["partition"] is None and slots[1]["offset"] is None
    assert slots[1]["error_code"] == 40401 and "partition 3" in slots[1]["error"]


def test_a_record_over_the_limit_spares_the_other_records(door):
    large = "x" * (1 << 20)
    slots = post(door, "large", {"value": 1}, {"value": large}, {"value": 3})
    assert [slot["error_code"] for slot in slots] == [None, 50002, None]
    assert [value for _, _, value in stored(door, "large")] == [b"1", b"3"]


def test_a_large_request_becomes_several_batches(door):
    values = [{"n": n, "text": "x" * 5000} for n in range(350)]
    slots = post(door, "several", *({"value": value} for value in values))
    assert [slot["offset"] for slot in slots] == list(range(350))
    assert [json.loads(value)["n"] for _, _, value in stored(door, "several")] == list(range(350))


def raw(door, data):
    """Send bytes as they are; gives all that comes back until the door closes."""
    connection = socket.create_connection(door.address("http").split(":"), timeout=30)
    try:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    except ConnectionResetError:
        return b""
    finally:
        connection.close()


def test_a_body_over_the_limit_is_413(door):
    before = end_offsets(door, "demo.pin")
    body = json.dumps({"records": [{"value": "x" * (3 << 20)}]})
    status, answer = call(door, "POST", "/topics/demo.pin", body, JSON)
    assert (status, answer["error_code"]) == (413, 413) and "http.body.max.bytes" in answer["message"]
    head = f"POST /topics/demo.pin HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nConnection: close\r\n"
    assert b" 413 " in raw(door, (head + "Content-Length: 99999999999\r\n\r\n{}").encode())
    assert b" 413 " in raw(door, (head + f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n").encode())
    chunk = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    assert b" 413 " in raw(door, (head + "Transfer-Encoding: chunked\r\n\r\n" + chunk).encode())
    assert end_offsets(door, "demo.pin") == before


def half(door, data):
    """Send bytes that are less than a request, and end; gives what has come back when the door, which takes one thing after
    the other, has answered somebody else. It may close the connection only when that was idle for long: an end that comes
    together with the last bytes is not seen by libmicrohttpd 0.9.75."""
    with socket.create_connection(door.address("http").split(":"), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        call(door, "GET", "/topics")
        connection.setblocking(False)
        try:
            return connection.recv(65536)
        except (BlockingIOError, ConnectionResetError):
            return b""


def test_half_a_body_stores_nothing(door):
    before = end_offsets(door, "demo.pin")
    body = json.dumps({"records": [{"value": 1}]})
    head = f"POST /topics/demo.pin HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: {len(body) + 5}\r\n\r\n"
    assert b" 200 " not in half(door, (head + body).encode())
    assert b" 200 " not in half(door, b"POST /topics/demo.pin HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert b" 200 " not in half(door, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100))
    assert end_offsets(door, "demo.pin") == before
    post(door, "demo.pin", {"value": 1})


def test_chunked_and_pipelined_requests_are_answered_in_order(door):
    body = json.dumps({"records": [{"value": 1}]})
    head = f"POST /topics/pipelined HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
    chunked = head + f"Transfer-Encoding: chunked\r\n\r\n5\r\n{body[:5]}\r\n{len(body) - 5:x}\r\n{body[5:]}\r\n0\r\n\r\n"
    plain = head + f"Content-Length: {len(body)}\r\n\r\n{body}"
    last = head + f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    answer = raw(door, (chunked + plain * 8 + last).encode())
    assert answer.count(b"HTTP/1.1 200 OK") == 10
    assert sum(end_offsets(door, "pipelined")) == 10


def test_topics_are_not_made_when_that_is_off(tmp_path):
    with Serve(tmp_path / "data", role="ingest", settings={"auto-create-topics-enable": "false"}) as door:
        status, answer = call(door, "POST", "/topics/no.such", {"records": [{"value": 1}]}, JSON)
        assert (status, answer["error_code"]) == (404, 40401)
        assert "pinrail topic create" in answer["message"]
        assert "no.such" not in call(door, "GET", "/topics")[1]


def test_what_was_answered_is_there_after_a_kill(tmp_path):
    with Serve(tmp_path / "data", role="ingest") as door:
        for n in range(20):
            post(door, "kept", {"value": n})
        door.kill("ingest")
        door.process.wait()
    with Serve(tmp_path / "data", role="ingest") as door:
        assert [value for _, _, value in stored(door, "kept")] == [str(n).encode() for n in range(20)]
        wait_until(lambda: post(door, "kept", {"value": 20})[0]["offset"] == 20)
