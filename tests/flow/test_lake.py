"""What could go wrong in the lake: a record that is in no object or in two, an object under another name or with other
lines than its name says, a quiet topic that never lands, a new topic that nobody sees, a killed lakehouse that cuts
ranges differently the second time. How we look: records sent by kafka-python through the Kafka door, and the files
read back as any tool would."""

import os
import pathlib
import random
import re
import threading
import time

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from pinrail import Serve, http, wait_until

NAME = re.compile(r"^(?P<topic>.+)\+(?P<partition>\d+)\+(?P<start>\d{10,})\.json$")


def objects(folder, topic, partition):
    """(start offset, path) of each object, in order; fails on any other name."""
    found = []
    for path in pathlib.Path(folder, "lake", "topics", topic, f"partition={partition}").glob("*"):
        match = NAME.match(path.name)
        assert match and match["topic"] == topic and int(match["partition"]) == partition, f"a stranger: {path}"
        found.append((int(match["start"]), path))
    return sorted(found)


def lines(folder, topic, partition):
    """All lines in order of offset; fails if the objects overlap or leave a gap."""
    gathered = []
    for start, path in objects(folder, topic, partition):
        text = path.read_bytes()
        assert start == len(gathered), f"{path} does not follow offset {len(gathered) - 1}"
        assert text.endswith(b"\n") and text, f"{path} ends within a line"
        gathered += text[:-1].split(b"\n")
    return gathered


@pytest.fixture
def producer(serve):
    client = KafkaProducer(bootstrap_servers=serve.kafka, acks="all", linger_ms=5)
    yield client
    client.close()


def test_every_kind_of_value_takes_one_line(serve, producer):
    values = {
        b'{"a": 1, "b": [1, 2]}': b'{"a":1,"b":[1,2]}',
        b'{"line":"one\\ntwo"}': b'{"line":"one\\ntwo"}',
        b"not json\nat all": b'{"_pinrail_raw":"bm90IGpzb24KYXQgYWxs"}',
        b"\xff\x00": b'{"_pinrail_raw":"/wA="}',
        b"": b'{"_pinrail_raw":""}',
        None: b"null",
        b"null": b'{"_pinrail_raw":"bnVsbA=="}',
        b"12": b"12",
    }
    for value in values:
        producer.send("demo.pin", value, key=b"k").get(30)
    wait_until(lambda: len(lines(serve.folder, "demo.pin", 0)) == len(values))
    assert lines(serve.folder, "demo.pin", 0) == list(values.values())


def test_a_new_topic_lands_and_others_do_not(serve, producer):
    producer.send("demo.brand_new-topic.v2", b"1").get(30)
    producer.send("demonstration", b"1").get(30)
    producer.send("other.demo.pin", b"1").get(30)
    wait_until(lambda: lines(serve.folder, "demo.brand_new-topic.v2", 0) == [b"1"])
    assert sorted(path.name for path in (serve.folder / "lake" / "topics").iterdir()) == ["demo.brand_new-topic.v2"]


def test_objects_close_by_records_and_at_a_stop(tmp_path):
    settings = {"lake-rotate-schedule-interval-ms": -1, "lake-flush-size": 100}
    with Serve(tmp_path / "data", settings=settings) as serve:
        producer = KafkaProducer(bootstrap_servers=serve.kafka, acks="all")
        for i in range(250):
            producer.send("demo.geo", b"%d" % i)
        producer.flush()
        producer.close()
        wait_until(lambda: len(objects(serve.folder, "demo.geo", 0)) == 2)
        lag = 'pinrail_lake_lag_records{topic="demo.geo",partition="0"} 50'
        wait_until(lambda: lag in http("GET", f"{serve.page}/metrics")[2].decode())
        serve.stop()
        assert [start for start, _ in objects(serve.folder, "demo.geo", 0)] == [0, 100, 200]
        assert lines(serve.folder, "demo.geo", 0) == [b"%d" % i for i in range(250)]


def test_objects_close_by_bytes_and_by_record_time(tmp_path):
    settings = {"lake-rotate-schedule-interval-ms": -1, "lake-flush-bytes": "1KiB", "lake-rotate-interval-ms": 60000}
    with Serve(tmp_path / "data", settings=settings) as serve:
        producer = KafkaProducer(bootstrap_servers=serve.kafka, acks="all")
        now = int(time.time() * 1000)
        for i in range(3):  # the second is a minute later by its own clock: it begins another object
            producer.send("demo.user", b"%d" % i, timestamp_ms=now + (0 if i == 0 else 60000)).get(30)
        for i in range(8):
            producer.send("demo.pin", b'"%s"' % (b"x" * 300)).get(30)
        producer.close()
        wait_until(lambda: len(objects(serve.folder, "demo.pin", 0)) == 2)
        assert [start for start, _ in objects(serve.folder, "demo.pin", 0)] == [0, 4]
        assert [start for start, _ in objects(serve.folder, "demo.user", 0)] == [0]
        assert lines(serve.folder, "demo.user", 0) == [b"0"]


def test_a_lake_that_cannot_be_written_keeps_its_records(serve, producer):
    """A file where the folder of a topic belongs; root may write anywhere, so rights alone would not stop the sink."""
    obstacle = serve.folder / "lake" / "topics" / "demo.geo"
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("in the way")
    producer.send("demo.geo", b"1").get(30)
    producer.send("demo.pin", b"1").get(30)
    wait_until(lambda: "demo.geo partition 0" in serve.output())
    wait_until(lambda: lines(serve.folder, "demo.pin", 0) == [b"1"])  # the others go on
    producer.send("demo.geo", b"2").get(30)
    time.sleep(1)
    obstacle.unlink()
    wait_until(lambda: lines(serve.folder, "demo.geo", 0) == [b"1", b"2"])


def test_the_lake_waits_for_ingest(serve, producer):
    producer.send("demo.pin", b"1").get(30)
    wait_until(lambda: lines(serve.folder, "demo.pin", 0) == [b"1"])
    before = serve.pid("ingest")
    serve.kill("ingest")
    wait_until(lambda: (serve.folder / "run" / "ingest.pid").exists() and serve.pid("ingest") != before)

    def send():
        again = KafkaProducer(bootstrap_servers=serve.kafka, acks="all")
        again.send("demo.pin", b"2").get(30)
        again.close()
        return True

    def sent():
        try:
            return send()
        except Exception:  # noqa: BLE001 - the door is still coming up
            return False

    wait_until(sent)
    wait_until(lambda: lines(serve.folder, "demo.pin", 0)[-1] == b"2")


def test_a_killed_lakehouse_lands_every_offset_once(tmp_path):
    seed = int(os.environ.get("PINRAIL_KILL_SEED", time.time_ns() % 1_000_000))
    print(f"PINRAIL_KILL_SEED={seed}")
    chance = random.Random(seed)
    partitions, count = 3, 40000
    settings = {"lake-rotate-schedule-interval-ms": 100, "lake-flush-size": 700, "stream-enable": "false"}
    with Serve(tmp_path / "data", settings=settings) as serve:
        admin = KafkaAdminClient(bootstrap_servers=serve.kafka)
        admin.create_topics([NewTopic("demo.many", partitions, 1)])
        admin.close()
        producer = KafkaProducer(bootstrap_servers=serve.kafka, acks="all", linger_ms=2)
        done = threading.Event()

        def send():
            for i in range(count):
                producer.send("demo.many", b'{"i":%d}' % (i // partitions), partition=i % partitions)
                if i % 500 == 0:
                    time.sleep(0.05)
            producer.flush()
            done.set()

        sender = threading.Thread(target=send)
        sender.start()
        kills, seen = 0, {}
        while not done.is_set() or kills < 8:
            time.sleep(chance.uniform(0.02, 0.8))
            try:
                serve.kill("lakehouse")
                kills += 1
            except (FileNotFoundError, ProcessLookupError):
                continue
            # What was put once stays what it is, whatever is put again.
            for partition in range(partitions):
                for _, path in objects(serve.folder, "demo.many", partition):
                    content = path.read_bytes()
                    assert seen.setdefault(path, content) == content, f"seed {seed}: {path} has changed"
            if kills > 40:
                break
        sender.join()
        producer.close()
        want = [[b'{"i":%d}' % i for i in range(len(range(p, count, partitions)))] for p in range(partitions)]
        for partition in range(partitions):
            wait_until(lambda p=partition: len(lines(serve.folder, "demo.many", p)) >= len(want[p]), 120)
            assert lines(serve.folder, "demo.many", partition) == want[partition], f"seed {seed}"
        assert "lakehouse was ended by signal 9" in serve.output(), "the kills did not hit"


def test_two_lakehouses_share_the_partitions(tmp_path):
    """One consumer group, two processes with a lake each: every record is in one of the two, and only one."""
    settings = {"lake-rotate-schedule-interval-ms": 200, "stream-enable": "false"}
    with Serve(tmp_path / "one", settings={**settings, "num-partitions": 4}) as one:
        producer = KafkaProducer(bootstrap_servers=one.kafka, acks="all")
        sent = 0

        def send(n):
            nonlocal sent
            for _ in range(n):
                producer.send("demo.pin", b"%d" % (sent // 4), partition=sent % 4)
                sent += 1
            producer.flush()

        def landed():
            found = [[], [], [], []]
            for folder in (tmp_path / "one", tmp_path / "two"):
                for partition in range(4):
                    for start, path in objects(folder, "demo.pin", partition):
                        found[partition] += [(start + i, line) for i, line in enumerate(path.read_bytes().splitlines())]
            return [sorted(rows) for rows in found]

        def all_landed():
            found = landed()
            assert all(len({offset for offset, _ in rows}) == len(rows) for rows in found), "a record is in two objects"
            return sum(map(len, found)) == sent

        send(400)
        wait_until(all_landed)
        other = {**settings, "bootstrap-servers": one.kafka, "kinesis-endpoint": one.url}
        with Serve(tmp_path / "two", role="lakehouse", settings=other) as two:
            wait_until(lambda: "reading 6 partitions" in two.output())
            for _ in range(20):
                send(40)
                time.sleep(0.05)
            wait_until(all_landed)
            assert any(objects(tmp_path / "two", "demo.pin", partition) for partition in range(4))
        send(400)  # the other has left: this one takes all again
        wait_until(all_landed)
        for rows in landed():
            assert rows == [(i, b"%d" % i) for i in range(len(rows))]
        producer.close()
