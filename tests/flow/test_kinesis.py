"""The Kinesis door as boto3, the AWS CLI and the students' API-Gateway scripts see it."""

import base64
import datetime
import hashlib
import json
import os
import subprocess
import time

import pytest

from pinrail import Serve, http

boto3 = pytest.importorskip("boto3")
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Serve(tmp_path_factory.mktemp("kinesis") / "data", role="ingest", settings={"num-partitions": 2}) as running:
        yield running


def client_of(door):
    return boto3.client("kinesis", endpoint_url=door.url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y",
                        config=Config(retries={"max_attempts": 0}))


@pytest.fixture(scope="module")
def client(door):
    return client_of(door)


def call(door, operation, body, **headers):
    """A call without the SDK; gives (status, headers, answer)."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Kinesis_20131202.{operation}", **headers}
    headers = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    status, answered, text = http("POST", door.url + "/", body if isinstance(body, (str, bytes)) else json.dumps(body), headers)
    return status, answered, text


def fails(code, function, **arguments):
    with pytest.raises(ClientError) as raised:
        function(**arguments)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return raised.value.response["Error"]["Message"]


def shards(client, stream):
    return [shard["ShardId"] for shard in client.list_shards(StreamName=stream)["Shards"]]


def read_all(client, stream, **get):
    found = []
    for shard in shards(client, stream):
        iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator, **get)
            found += answer["Records"]
            iterator = answer["NextShardIterator"]
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
    return found


def test_a_stream_lives_and_dies(client):
    client.create_stream(StreamName="life", ShardCount=3)
    client.get_waiter("stream_exists").wait(StreamName="life")
    assert "already exists" in fails("ResourceInUseException", client.create_stream, StreamName="life", ShardCount=1)
    description = client.describe_stream(StreamName="life")["StreamDescription"]
    assert description["StreamStatus"] == "ACTIVE" and description["StreamARN"] == "arn:aws:kinesis:us-east-1:000000000000:stream/life"
    ranges = [shard["HashKeyRange"] for shard in description["Shards"]]
    third = 2**128 // 3
    assert [(int(r["StartingHashKey"]), int(r["EndingHashKey"])) for r in ranges] == [
        (0, third - 1), (third, 2 * third - 1), (2 * third, 2**128 - 1)]
    summary = client.describe_stream_summary(StreamName="life")["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 3
    assert abs(summary["StreamCreationTimestamp"].timestamp() - time.time()) < 600
    assert "life" in client.list_streams()["StreamNames"]
    client.delete_stream(StreamName="life")
    assert fails("ResourceNotFoundException", client.describe_stream, StreamName="life") == \
        "Stream life under account 000000000000 not found."


def test_lists_come_in_pages(client):
    for n in range(5):
        client.create_stream(StreamName=f"page-{n}", ShardCount=7)
    names = []
    for page in client.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["StreamNames"]) <= 2
        names += page["StreamNames"]
    assert [name for name in names if name.startswith("page-")] == [f"page-{n}" for n in range(5)]
    assert len(names) == len(set(names)) and sorted(names) == names
    expected = [f"shardId-{n:012}" for n in range(7)]
    found = []
    for page in client.get_paginator("describe_stream").paginate(StreamName="page-0", PaginationConfig={"PageSize": 3}):
        found += [shard["ShardId"] for shard in page["StreamDescription"]["Shards"]]
    assert found == expected
    found, token = [], None
    while True:
        page = client.list_shards(MaxResults=2, **({"NextToken": token} if token else {"StreamName": "page-0"}))
        found += [shard["ShardId"] for shard in page["Shards"]]
        token = page.get("NextToken")
        if not token:
            break
    assert found == expected
    after = client.list_shards(StreamName="page-0", ExclusiveStartShardId=expected[4])["Shards"]
    assert [shard["ShardId"] for shard in after] == expected[5:]
    after = client.list_shards(StreamName="page-0", ShardFilter={"Type": "AFTER_SHARD_ID", "ShardId": expected[5]})["Shards"]
    assert [shard["ShardId"] for shard in after] == expected[6:]
    fails("InvalidArgumentException", client.list_shards, NextToken="AAAA")


def test_records_go_in_by_hash_and_come_out_in_order(client):
    client.create_stream(StreamName="order", ShardCount=4)
    sent = {}
    for n in range(40):
        key, data = f"key-{n % 10}", f"record {n} é".encode()
        answer = client.put_record(StreamName="order", PartitionKey=key, Data=data)
        digest = int(hashlib.md5(key.encode()).hexdigest(), 16)
        assert answer["ShardId"] == f"shardId-{digest // (2**128 // 4):012}"
        sent.setdefault(answer["ShardId"], []).append((answer["SequenceNumber"], key, data))
    for shard, expected in sent.items():
        iterator = client.get_shard_iterator(StreamName="order", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = client.get_records(ShardIterator=iterator)["Records"]
        assert [(r["SequenceNumber"], r["PartitionKey"], r["Data"]) for r in records] == expected
        numbers = [number for number, _, _ in expected]
        assert numbers == sorted(numbers, key=int) and all(len(n) == 56 and n.startswith("49") for n in numbers)
        assert all(abs(r["ApproximateArrivalTimestamp"].timestamp() - time.time()) < 600 for r in records)
    answer = client.put_record(StreamName="order", PartitionKey="x", ExplicitHashKey=str(2**128 - 1), Data=b"last")
    assert answer["ShardId"] == "shardId-000000000003"


def test_put_records_has_a_result_for_each(client):
    client.create_stream(StreamName="many", ShardCount=2)
    answer = client.put_records(StreamName="many", Records=[{"Data": b"%d" % n, "PartitionKey": str(n)} for n in range(500)])
    assert answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500
    found = read_all(client, "many")
    assert {r["Data"] for r in found} == {b"%d" % n for n in range(500)} and len(found) == 500
    numbers = {r["SequenceNumber"] for r in found}
    assert numbers == {r["SequenceNumber"] for r in answer["Records"]}


def test_the_five_kinds_of_iterator(client, door):
    client.create_stream(StreamName="iterators", ShardCount=1)
    shard = "shardId-000000000000"

    def read(**start):
        iterator = client.get_shard_iterator(StreamName="iterators", ShardId=shard, **start)["ShardIterator"]
        return [r["Data"] for r in client.get_records(ShardIterator=iterator)["Records"]], iterator

    first = client.describe_stream(StreamName="iterators")["StreamDescription"]["Shards"][0]["SequenceNumberRange"][
        "StartingSequenceNumber"]
    latest = read(ShardIteratorType="LATEST")[1]
    numbers = []
    for n in range(3):
        numbers.append(client.put_record(StreamName="iterators", PartitionKey="k", Data=b"%d" % n)["SequenceNumber"])
    time.sleep(0.05)
    between = time.time()
    time.sleep(0.05)
    for n in range(3, 5):
        numbers.append(client.put_record(StreamName="iterators", PartitionKey="k", Data=b"%d" % n)["SequenceNumber"])
    everything = [b"0", b"1", b"2", b"3", b"4"]
    assert read(ShardIteratorType="TRIM_HORIZON")[0] == everything
    assert read(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])[0] == everything[1:]
    assert read(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1])[0] == everything[2:]
    assert read(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[4])[0] == []
    assert read(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=first)[0] == everything
    assert read(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first)[0] == everything
    start = {"StreamName": "iterators", "ShardId": shard, "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": between}
    iterator = json.loads(call(door, "GetShardIterator", start)[2])["ShardIterator"]  # boto3 would drop the fraction
    assert [r["Data"] for r in client.get_records(ShardIterator=iterator)["Records"]] == everything[3:]
    assert read(ShardIteratorType="AT_TIMESTAMP", Timestamp=datetime.datetime(2000, 1, 1))[0] == everything
    assert read(ShardIteratorType="LATEST")[0] == []
    assert [r["Data"] for r in client.get_records(ShardIterator=latest)["Records"]] == everything


def test_reading_goes_on_in_pages(client):
    client.create_stream(StreamName="pages", ShardCount=1)
    for start in range(0, 1000, 250):
        client.put_records(StreamName="pages", Records=[{"Data": b"%d" % n, "PartitionKey": "k"} for n in range(start, start + 250)])
    iterator = client.get_shard_iterator(StreamName="pages", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    found = []
    while len(found) < 1000:
        answer = client.get_records(ShardIterator=iterator, Limit=77)
        assert 0 < len(answer["Records"]) <= 77
        found += [int(r["Data"]) for r in answer["Records"]]
        iterator = answer["NextShardIterator"]
    assert found == list(range(1000))
    answer = client.get_records(ShardIterator=iterator)
    assert answer["Records"] == [] and answer["MillisBehindLatest"] == 0
    client.put_record(StreamName="pages", PartitionKey="k", Data=b"1000")
    assert [r["Data"] for r in client.get_records(ShardIterator=answer["NextShardIterator"])["Records"]] == [b"1000"]


def test_an_answer_holds_ten_mebibytes_at_most(client):
    client.create_stream(StreamName="large", ShardCount=1)
    largest = os.urandom(1 << 20)
    for _ in range(12):
        client.put_record(StreamName="large", PartitionKey="k" * 256, Data=largest)
    iterator = client.get_shard_iterator(StreamName="large", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    answer = client.get_records(ShardIterator=iterator)
    assert 1 <= len(answer["Records"]) < 12 and sum(len(r["Data"]) for r in answer["Records"]) <= 10 << 20
    assert all(r["Data"] == largest for r in answer["Records"])
    rest = client.get_records(ShardIterator=answer["NextShardIterator"])["Records"]
    assert len(answer["Records"]) + len(rest) == 12


def test_a_mebibyte_goes_into_a_topic_too(client, door):
    data = os.urandom(1 << 20)
    client.put_record(StreamName="demo.geo", PartitionKey="k", Data=data)
    assert [r["Data"] for r in read_all(client, "demo.geo")] == [data]


def test_limits_are_said_in_the_services_words(client):
    assert fails("ValidationException", client.put_record, StreamName="streaming-demo-pin", PartitionKey="k", Data=bytes((1 << 20) + 1)) == (
        "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1048577 cap=1048577]' at 'data' failed to satisfy "
        "constraint: Member must have length less than or equal to 1048576")
    assert fails("ValidationException", client.put_record, StreamName="streaming-demo-pin", PartitionKey="k" * 257, Data=b"") == (
        f"1 validation error detected: Value '{'k' * 257}' at 'partitionKey' failed to satisfy constraint: Member must have length less "
        "than or equal to 256")
    message = fails("ValidationException", client.put_records, StreamName="streaming-demo-pin",
                    Records=[{"Data": b"", "PartitionKey": "k"}] * 501)
    assert message.endswith("at 'records' failed to satisfy constraint: Member must have length less than or equal to 500")
    message = fails("ValidationException", client.put_records, StreamName="streaming-demo-pin",
                    Records=[{"Data": b"", "PartitionKey": "k"}, {"Data": b"", "PartitionKey": "k" * 300}])
    assert "at 'records.2.member.partitionKey' failed" in message
    assert "10 MB" in fails("InvalidArgumentException", client.put_records, StreamName="streaming-demo-pin",
                            Records=[{"Data": bytes(1 << 20), "PartitionKey": "k"}] * 11)
    fails("InvalidArgumentException", client.put_record, StreamName="streaming-demo-pin", PartitionKey="k", Data=b"",
          ExplicitHashKey=str(2**128))
    fails("LimitExceededException", client.create_stream, StreamName="too-many", ShardCount=10001)
    assert read_all(client, "streaming-demo-pin") == []


def test_unknown_streams_and_shards(client):
    for function, more in ((client.put_record, {"PartitionKey": "k", "Data": b""}), (client.describe_stream, {}), (client.delete_stream, {}),
                           (client.list_shards, {}), (client.put_records, {"Records": [{"PartitionKey": "k", "Data": b""}]}),
                           (client.get_shard_iterator, {"ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"})):
        assert "no-such" in fails("ResourceNotFoundException", function, StreamName="no-such", **more)
    for shard in ("shardId-000000000001", "shardId-999999999999", "other"):
        assert shard in fails("ResourceNotFoundException", client.get_shard_iterator, StreamName="streaming-demo-pin", ShardId=shard,
                              ShardIteratorType="LATEST")
    fails("ResourceNotFoundException", client.describe_stream, StreamName="__consumer_offsets")


def test_wrong_starts_and_iterators(client):
    get = client.get_shard_iterator
    client.create_stream(StreamName="starts", ShardCount=2)
    client.create_stream(StreamName="starts-other", ShardCount=2)
    on = {"StreamName": "starts", "ShardId": "shardId-000000000000"}
    fails("InvalidArgumentException", get, ShardIteratorType="AT_SEQUENCE_NUMBER", **on)
    fails("InvalidArgumentException", get, ShardIteratorType="AT_TIMESTAMP", **on)
    fails("InvalidArgumentException", get, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="12345", **on)
    fails("InvalidArgumentException", get, ShardIteratorType="AT_TIMESTAMP", Timestamp=datetime.datetime(2100, 1, 1), **on)
    fails("ValidationException", get, ShardIteratorType="NEWEST", **on)
    other = client.put_record(StreamName="starts", PartitionKey="k", ExplicitHashKey=str(2**127), Data=b"")["SequenceNumber"]
    assert "shardId-000000000001" in fails("InvalidArgumentException", get, ShardIteratorType="AT_SEQUENCE_NUMBER",
                                           StartingSequenceNumber=other, **on)
    iterator = get(ShardIteratorType="TRIM_HORIZON", **on)["ShardIterator"]
    raw = base64.b64decode(iterator)
    assert raw[:8] == b"\0\0\0\0\0\0\0\1" and len(raw) == 152 + (len("starts") + 2) // 16 * 16
    for wrong in ("x", iterator[:-4], iterator[:60] + ("A" if iterator[60] != "A" else "B") + iterator[61:], iterator + "AAAA"):
        assert fails("InvalidArgumentException", client.get_records, ShardIterator=wrong) == "Invalid ShardIterator."
    client.delete_stream(StreamName="starts")
    fails("ResourceNotFoundException", client.get_records, ShardIterator=iterator)
    client.create_stream(StreamName="starts", ShardCount=2)
    fails("ResourceNotFoundException", client.get_records, ShardIterator=iterator)


def test_a_stream_can_be_named_by_its_arn(door):
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/streaming-demo-user"
    status, _, text = call(door, "DescribeStreamSummary", {"StreamARN": arn, "StreamName": "other"})
    assert status == 200 and json.loads(text)["StreamDescriptionSummary"]["StreamName"] == "streaming-demo-user"
    status, _, text = call(door, "DescribeStreamSummary", {"StreamARN": "streaming-demo-user"})
    assert status == 400 and json.loads(text)["__type"] == "InvalidArgumentException"


BAD_REQUESTS = [
    ("PutRecord", "", {}, 400, "SerializationException"),
    ("PutRecord", "hello", {}, 400, "SerializationException"),
    ("PutRecord", '{"StreamName":"a"', {}, 400, "SerializationException"),
    ("PutRecord", b'{"StreamName":"\xff"}', {}, 400, "SerializationException"),
    ("PutRecord", "[]", {}, 400, "SerializationException"),
    ("PutRecord", '{"StreamName":5}', {}, 400, "SerializationException"),
    ("PutRecord", '{"StreamName":"a","PartitionKey":"k","Data":"not base64"}', {}, 400, "SerializationException"),
    ("PutRecord", '{"StreamName":"a","PartitionKey":"k","Data":17}', {}, 400, "SerializationException"),
    ("PutRecords", '{"StreamName":"a","Records":"x"}', {}, 400, "SerializationException"),
    ("PutRecords", '{"StreamName":"a","Records":[1]}', {}, 400, "SerializationException"),
    ("PutRecords", '{"StreamName":"a","Records":[]}', {}, 400, "ValidationException"),
    ("PutRecord", "{}", {}, 400, "ValidationException"),
    ("NoSuchThing", "{}", {}, 400, "UnknownOperationException"),
    ("PutRecord", "{}", {"X_Amz_Target": "DynamoDB_20120810.ListTables"}, 400, "UnknownOperationException"),
    ("PutRecord", "{}", {"X_Amz_Target": None}, 400, "UnknownOperationException"),
    ("PutRecord", "{}", {"Content_Type": "text/plain"}, 404, "UnknownOperationException"),
    ("PutRecord", "{}", {"Content_Type": "text/plain", "X_Amz_Target": None}, 403, "AccessDeniedException"),
    ("PutRecord", "{}", {"Content_Type": "application/x-amz-cbor-1.1"}, 415, "SerializationException"),
    ("ListStreams", "{}", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}, 400, "IncompleteSignatureException"),
]


@pytest.mark.parametrize("operation,body,headers,status,code", BAD_REQUESTS, ids=range(len(BAD_REQUESTS)))
def test_bad_requests(door, operation, body, headers, status, code):
    if "X_Amz_Target" in headers:
        headers = {**headers, "X-Amz-Target": headers["X_Amz_Target"]}
        del headers["X_Amz_Target"]
    if "Content_Type" in headers:
        headers = {**headers, "Content-Type": headers["Content_Type"]}
        del headers["Content_Type"]
    got, answered, text = call(door, operation, body, **headers)
    assert got == status and code in text.decode(), text
    assert answered["x-amzn-RequestId"] and len(base64.b64decode(answered["x-amz-id-2"])) == 72


def test_other_methods_are_denied(door):
    status, _, text = http("PUT", door.url + "/", "{}", {"X-Amz-Target": "Kinesis_20131202.ListStreams"})
    assert status == 403 and b"<AccessDeniedException>" in text


def test_the_gateways_routes(door, client):
    def ask(method, path, body=None, **headers):
        status, _, text = http(method, door.url + path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json", **headers})
        return status, json.loads(text) if text else None

    stream = "streaming-0a1b2c3d4e5f-pin"
    assert ask("POST", f"/test/streams/{stream}") == (200, None)
    status, answer = ask("GET", f"/test/streams/{stream}")
    assert status == 200 and len(answer["StreamDescription"]["Shards"]) == 5
    assert ask("POST", "/streams/one", {"ShardCount": 1}) == (200, None)
    assert len(shards(client, "one")) == 1
    assert stream in ask("GET", "/prod/streams")[1]["StreamNames"]
    row = {"index": 1, "title": "x é \" y", "downloaded": 1}
    status, answer = ask("PUT", f"/dev/streams/{stream}/record", {"StreamName": "ignored", "Data": row, "PartitionKey": "partition-1"})
    assert status == 200 and answer["ShardId"].startswith("shardId-") and answer["SequenceNumber"].startswith("49")
    assert ask("PUT", f"/streams/{stream}/record", {"Data": "text", "PartitionKey": "partition-1"})[0] == 200
    assert ask("POST", f"/streams/{stream}/record", {"Data": 5, "PartitionKey": 7})[0] == 200
    status, answer = ask("PUT", f"/streams/{stream}/records", {"records": [
        {"data": '{"a":1}', "partition-key": "k"}, {"data": {"b": 2}, "partition-key": "k"}]})
    assert status == 200 and answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 2
    found = {r["Data"]: r["PartitionKey"] for r in read_all(client, stream)}
    assert {json.loads(data): key for data, key in found.items() if data in (b'"text"', b"5")} == {"text": "partition-1", 5: "7"}
    assert row in [json.loads(data) for data in found] and b'{"a":1}' in found and b'{"b":2}' in found
    status, answer = ask("GET", f"/streams/one/sharditerator?shard-id=shardId-000000000000")
    assert status == 200
    status, answer = ask("GET", "/streams/one/records", **{"Shard-Iterator": answer["ShardIterator"]})
    assert status == 200 and answer["Records"] == [] and answer["MillisBehindLatest"] == 0
    status, answer = ask("PUT", "/streams/no-such/record", {"Data": 1, "PartitionKey": "k"})
    assert status == 400 and answer["__type"] == "ResourceNotFoundException"
    status, answer = ask("PUT", f"/streams/{stream}/record", {"Data": 1})
    assert status == 400 and answer["__type"] == "ValidationException" and "partitionKey" in answer["message"]
    status, answer = ask("PUT", f"/streams/{stream}/records", {"records": [{"Data": 1}]})
    assert status == 400 and "records.1.member" in answer["message"]
    status, answer = ask("PUT", f"/streams/{stream}/records", {"records": 1})
    assert status == 400 and "records" in answer["message"]
    status, _, text = http("PUT", f"{door.url}/streams/{stream}/record", "{oops", {"Content-Type": "application/json"})
    assert status == 400 and b"Could not parse request body into json" in text
    assert ask("DELETE", "/streams/one") == (200, None)
    assert ask("GET", "/streams/one")[0] == 400
    for method, path in (("GET", "/test/streams/a/b/c"), ("PATCH", "/streams/a"), ("PUT", "/streams/a/recrod")):
        assert ask(method, path) == (403, {"message": "Missing Authentication Token"})


def test_the_doors_see_the_same_records(door, client):
    client.create_stream(StreamName="shared", ShardCount=2)
    client.put_record(StreamName="shared", PartitionKey="k", ExplicitHashKey="0", Data=b'{"by":"kinesis"}')
    status, _, _ = http("POST", door.url + "/topics/shared", '{"records":[{"value":{"by":"rest"},"key":"k"}]}',
                        {"Content-Type": "application/vnd.kafka.json.v2+json"})
    assert status == 200
    kafka = pytest.importorskip("kafka")
    for codec in (None, "gzip", "lz4"):
        producer = kafka.KafkaProducer(bootstrap_servers=door.kafka, compression_type=codec, linger_ms=50)
        for n in range(30):
            producer.send("shared", key=b"k%d" % n, value=b'{"by":"kafka"}', partition=n % 2)
        producer.flush()
        producer.close()
    consumer = kafka.KafkaConsumer(bootstrap_servers=door.kafka, auto_offset_reset="earliest", consumer_timeout_ms=20000)
    parts = [kafka.TopicPartition("shared", n) for n in range(2)]
    consumer.assign(parts)
    ends = consumer.end_offsets(parts)
    consumer.seek_to_beginning(*parts)
    by_kafka = []
    while sum(ends.values()) > len(by_kafka):
        by_kafka.append(next(consumer))
    consumer.close()
    by_kinesis = read_all(client, "shared", Limit=7)
    assert len(by_kafka) == 92
    assert sorted((r.key, r.value) for r in by_kafka) == sorted((r["PartitionKey"].encode(), r["Data"]) for r in by_kinesis)


def test_the_aws_command_line(door):
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1",
                   "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}

    def aws(*words):
        done = subprocess.run(["/usr/bin/aws", "--endpoint-url", door.url, "--output", "json", "kinesis", *words], capture_output=True, text=True,
                              env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    aws("create-stream", "--stream-name", "cli", "--shard-count", "1")
    aws("wait", "stream-exists", "--stream-name", "cli")
    put = aws("put-record", "--stream-name", "cli", "--partition-key", "k", "--data", base64.b64encode(b"hello").decode())
    iterator = aws("get-shard-iterator", "--stream-name", "cli", "--shard-id", put["ShardId"], "--shard-iterator-type", "TRIM_HORIZON")
    records = aws("get-records", "--shard-iterator", iterator["ShardIterator"])["Records"]
    assert [(base64.b64decode(r["Data"]), r["SequenceNumber"]) for r in records] == [(b"hello", put["SequenceNumber"])]
    assert "cli" in aws("list-streams")["StreamNames"]
    aws("delete-stream", "--stream-name", "cli")


def test_iterators_and_numbers_outlive_a_restart(tmp_path):
    with Serve(tmp_path / "data", role="ingest") as door:
        client = client_of(door)
        number = client.put_record(StreamName="streaming-demo-pin", PartitionKey="k", Data=b"1")["SequenceNumber"]
        iterator = client.get_shard_iterator(StreamName="streaming-demo-pin", ShardId="shardId-000000000000",
                                             ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    with Serve(tmp_path / "data", role="ingest") as door:
        client = client_of(door)
        records = client.get_records(ShardIterator=iterator)["Records"]
        assert [(r["SequenceNumber"], r["Data"]) for r in records] == [(number, b"1")]
