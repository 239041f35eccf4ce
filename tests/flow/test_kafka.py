"""What could go wrong at the Kafka door: a stock client that cannot find its versions, records that come back changed,
a group that loses records when a member dies, offsets that a restart forgets. How we look: kcat and kafka-python,
unmodified, against the ingest process; what they get is compared with what they sent."""

import os
import signal
import socket
import struct
import subprocess
import threading

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import (
    InvalidConfigurationError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    TopicAlreadyExistsError,
)
from pinrail import Serve, wait_until


@pytest.fixture
def door(tmp_path):
    """The Kafka door of an ingest process that takes short sessions, so that nobody waits long for the dead."""
    with Serve(tmp_path / "data", role="ingest", settings={"group-min-session-timeout-ms": 100}) as running:
        yield running


def kcat(door, *args, text=None, check=True):
    done = subprocess.run(
        ["kcat", "-b", door.kafka, *args], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def produce(door, topic, lines, *args):
    kcat(door, "-P", "-t", topic, *args, text="".join(f"{line}\n" for line in lines))


def consume(door, topic, *args):
    return kcat(door, "-C", "-t", topic, "-o", "beginning", "-e", "-q", *args).stdout.splitlines()


@pytest.fixture
def admin(door):
    client = KafkaAdminClient(bootstrap_servers=door.kafka)
    yield client
    client.close()


# ---- kcat ----


def test_metadata_names_the_address_by_which_we_came(door, admin):
    admin.create_topics([NewTopic("three", 3, 1)])
    listing = kcat(door, "-L").stdout
    assert f"broker 1 at {door.kafka} (controller)" in listing
    assert 'topic "three" with 3 partitions:' in listing


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_each_codec_comes_back(door, codec):
    lines = [f"{number} {'x' * (number % 100)}" for number in range(2000)]
    produce(door, "codecs", lines, "-z", codec)
    assert consume(door, "codecs") == lines


def test_keys_headers_and_tombstones_come_back(door):
    produce(door, "keyed", ["k1:v1", "k2:", "k3:v3"], "-K:", "-Z", "-H", "colour=red", "-H", "size=9")
    assert consume(door, "keyed", "-f", "%k|%S|%s|%h|%o\n") == [
        "k1|2|v1|colour=red,size=9|0",
        "k2|-1||colour=red,size=9|1",
        "k3|2|v3|colour=red,size=9|2",
    ]


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_every_level_of_acknowledgement(door, acks):
    lines = [str(number) for number in range(100)]
    kcat(door, "-L", "-t", "acked")
    produce(door, "acked", lines, "-X", f"acks={acks}")
    assert wait_until(lambda: consume(door, "acked") == lines)


def test_an_idempotent_producer(door):
    lines = [str(number) for number in range(5000)]
    produce(door, "once", lines, "-X", "enable.idempotence=true", "-X", "batch.num.messages=100")
    assert consume(door, "once") == lines


def test_reading_from_an_offset_from_the_end_and_from_a_time(door):
    produce(door, "places", [str(number) for number in range(10)])
    assert kcat(door, "-C", "-t", "places", "-o", "7", "-e", "-q").stdout.split() == ["7", "8", "9"]
    assert kcat(door, "-C", "-t", "places", "-o", "-2", "-e", "-q").stdout.split() == ["8", "9"]
    assert kcat(door, "-C", "-t", "places", "-o", "s@1", "-e", "-q").stdout.split()[0] == "0"


# ---- groups ----


class Member:
    """A kcat in a group, writing down what it reads."""

    def __init__(self, door, group, topic, folder, name):
        self.path = folder / name
        self.errors = folder / f"{name}.err"
        with open(self.path, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(
                ["kcat", "-b", door.kafka, "-G", group, "-u", "-X", "auto.offset.reset=earliest"]
                + ["-X", "session.timeout.ms=1000", "-X", "heartbeat.interval.ms=200", topic],
                stdout=out,
                stderr=errors,
            )

    def partitions(self):
        """The partitions it was given last."""
        lines = [line for line in self.errors.read_text().splitlines() if "assigned:" in line or "revoked:" in line]
        if not lines or "revoked:" in lines[-1]:
            return set()
        return set(lines[-1].split("assigned: ")[1].split(", "))

    def read(self):
        return self.path.read_text().split()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait()


def test_a_group_goes_on_when_a_member_is_killed(door, admin, tmp_path):
    admin.create_topics([NewTopic("shared", 4, 1)])
    first, second = (Member(door, "team", "shared", tmp_path, name) for name in ("first", "second"))
    try:
        wait_until(lambda: len(first.partitions()) == 2 and len(second.partitions()) == 2)
        assert not first.partitions() & second.partitions()
        produce(door, "shared", [f"{number}:{number}" for number in range(500)], "-K:")
        wait_until(lambda: len(first.read()) + len(second.read()) >= 500)
        assert first.read() and second.read()
        first.stop(signal.SIGKILL)
        wait_until(lambda: len(second.partitions()) == 4)
        produce(door, "shared", [f"{number}:{number}" for number in range(500, 1000)], "-K:")
        wait_until(lambda: {*first.read(), *second.read()} == {str(number) for number in range(1000)})
    finally:
        first.stop(signal.SIGKILL)
        second.stop()


def test_members_of_two_kinds_share_a_topic(door, admin, tmp_path):
    admin.create_topics([NewTopic("mixed", 2, 1)])
    member = Member(door, "both", "mixed", tmp_path, "kcat")
    consumer = KafkaConsumer(
        "mixed",
        bootstrap_servers=door.kafka,
        group_id="both",
        auto_offset_reset="earliest",
        session_timeout_ms=3000,
        heartbeat_interval_ms=200,
    )
    read = []
    try:

        def shared():
            read.extend(record.value.decode() for batch in consumer.poll(50).values() for record in batch)
            return len(consumer.assignment()) == 1 and len(member.partitions()) == 1

        wait_until(shared)
        produce(door, "mixed", [f"{number}:{number}" for number in range(200)], "-K:")

        def all_read():
            shared()
            return {*read, *member.read()} == {str(number) for number in range(200)}

        wait_until(all_read)
        assert read and member.read()
    finally:
        consumer.close()
        member.stop()


def test_a_group_lists_describes_and_dies(door, admin):
    produce(door, "told", ["a", "b"])
    consumer = KafkaConsumer("told", bootstrap_servers=door.kafka, group_id="tellers", auto_offset_reset="earliest")
    wait_until(lambda: consumer.poll(50))
    consumer.commit()
    described = admin.describe_consumer_groups(["tellers"])[0]
    assert (described.state, described.protocol_type, len(described.members)) == ("Stable", "consumer", 1)
    assert ("tellers", "consumer") in admin.list_consumer_groups()
    (name, error), *_ = admin.delete_consumer_groups(["tellers"])
    assert error.errno == 68  # it has members
    consumer.close()
    assert admin.describe_consumer_groups(["tellers"])[0].state == "Empty"
    assert admin.list_consumer_group_offsets("tellers")[TopicPartition("told", 0)].offset == 2
    assert admin.delete_consumer_groups(["tellers"])[0][1].errno == 0
    assert admin.list_consumer_group_offsets("tellers") == {}


def test_offsets_and_records_survive_a_kill(door):
    lines = [str(number) for number in range(100)]
    produce(door, "kept", lines)

    def consumer(group):
        return KafkaConsumer(
            "kept", bootstrap_servers=door.kafka, group_id=group, auto_offset_reset="earliest", max_poll_records=40
        )

    reader = consumer("keepers")
    first = wait_until(lambda: [record for batch in reader.poll(50).values() for record in batch])
    reader.commit()
    reader.close(autocommit=False)
    door.kill("ingest")
    door.process.wait()
    door.start()
    reader = consumer("keepers")
    rest = []
    wait_until(
        lambda: (rest.extend(r for batch in reader.poll(50).values() for r in batch), len(rest) >= 100 - len(first))[1]
    )
    reader.close()
    assert [record.value.decode() for record in first + rest] == lines
    assert consume(door, "kept") == lines


# ---- kafka-python ----


def test_kafka_python_produces_and_consumes(door, admin):
    admin.create_topics([NewTopic("python", 3, 1)])
    producer = KafkaProducer(bootstrap_servers=door.kafka, compression_type="gzip", acks="all")
    sent = [producer.send("python", b"v%d" % n, key=b"k%d" % n, headers=[("h", b"x")]) for n in range(300)]
    producer.flush()
    offsets = {(future.get().partition, future.get().offset) for future in sent}
    assert len(offsets) == 300
    consumer = KafkaConsumer(
        "python", bootstrap_servers=door.kafka, auto_offset_reset="earliest", consumer_timeout_ms=60000
    )
    read = {}
    for record in consumer:
        read[record.partition, record.offset] = (record.key, record.value, record.headers)
        if len(read) == 300:
            break
    assert set(read) == offsets
    assert {value for _, value, _ in read.values()} == {b"v%d" % n for n in range(300)}
    assert all(headers == [("h", b"x")] for _, _, headers in read.values())
    ends = consumer.end_offsets([TopicPartition("python", partition) for partition in range(3)])
    assert sum(ends.values()) == 300
    consumer.close()
    producer.close()


def test_topics_are_made_grown_set_and_deleted(door, admin):
    admin.create_topics([NewTopic("made", 2, 1, topic_configs={"retention.ms": "1000"})])
    topic = ConfigResource(ConfigResourceType.TOPIC, "made")

    def settings():
        resource = admin.describe_configs([topic])[0].resources[0]
        return {name: (value, source) for name, value, _, source, *_ in resource[4]}

    assert settings()["retention.ms"] == ("1000", 1)
    assert settings()["cleanup.policy"] == ("delete", 5)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "made", configs={"segment.bytes": "2000000"})])
    assert settings()["segment.bytes"] == ("2000000", 1)
    assert settings()["retention.ms"][1] == 5  # not named, so back to its default
    admin.create_partitions({"made": NewPartitions(5)})
    assert len(admin.describe_topics(["made"])[0]["partitions"]) == 5
    admin.delete_topics(["made"])
    assert "made" not in admin.list_topics()


@pytest.mark.parametrize(
    "topic, error",
    [
        (NewTopic("twice", 1, 1), TopicAlreadyExistsError),
        (NewTopic("wide", 1, 3), InvalidReplicationFactorError),
        (NewTopic("not a name", 1, 1), InvalidTopicError),
        (NewTopic("odd", 1, 1, topic_configs={"no.such.setting": "1"}), InvalidConfigurationError),
        (NewTopic("late", 1, 1, topic_configs={"message.timestamp.type": "LogAppendTime"}), InvalidConfigurationError),
    ],
)
def test_bad_topics_are_refused(door, admin, topic, error):
    admin.create_topics([NewTopic("twice", 1, 1)])
    with pytest.raises(error):
        admin.create_topics([topic])


def test_internal_topics_are_not_for_clients(door, admin):
    kcat(door, "-G", "anyone", "-c", "1", "-X", "auto.offset.reset=earliest", "-e", "nothing-here", check=False)
    for name in ("__consumer_offsets", "__pinrail_made_up"):
        done = kcat(door, "-P", "-t", name, "-X", "message.timeout.ms=3000", text="x\n", check=False)
        assert done.returncode != 0
    assert "__pinrail_made_up" not in admin.list_topics()


def test_unknown_topics_are_only_made_when_that_is_allowed(tmp_path):
    with Serve(tmp_path / "data", role="ingest", settings={"auto-create-topics-enable": "false"}) as door:
        done = kcat(door, "-P", "-t", "unknown", "-X", "message.timeout.ms=3000", text="x\n", check=False)
        assert done.returncode != 0
        assert '"unknown"' not in kcat(door, "-L").stdout


# ---- bad input ----


def raw(door, data, answers=True):
    """What the door says to these bytes; b"" when it closes the connection, which a client whose bytes were still on
    their way sees as a reset."""
    host, port = door.kafka.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(data)
            if answers:
                size = connection.recv(4, socket.MSG_WAITALL)
                return connection.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL) if len(size) == 4 else b""
            return connection.recv(4)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def request(key, version, body=b"", correlation=7):
    frame = struct.pack(">hhih", key, version, correlation, -1) + body
    return struct.pack(">i", len(frame)) + frame


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        struct.pack(">i", -1) + b"x" * 100,
        struct.pack(">i", 2**30) + b"x" * 100,
        struct.pack(">i", 8) + b"x" * 8,
        request(999, 0),
        request(0, 99),
        request(3, 1, struct.pack(">i", 2**31 - 1)),
        request(3, 1, struct.pack(">ih", 1, 500)),
    ],
)
def test_nonsense_closes_only_its_own_connection(door, data):
    assert raw(door, data, answers=False) == b""
    kcat(door, "-L")


def test_a_newer_api_versions_gets_the_oldest_form(door):
    assert raw(door, request(18, 77)) == struct.pack(">ihihhh", 7, 35, 1, 18, 0, 4)


def test_old_produce_and_fetch_versions_get_error_35(door, admin):
    admin.create_topics([NewTopic("old", 1, 1)])
    topic = struct.pack(">ih3s", 1, 3, b"old")
    answer = raw(door, request(0, 2, struct.pack(">hi", 1, 1000) + topic + struct.pack(">iii", 1, 0, 0)))
    assert answer == struct.pack(">i", 7) + topic + struct.pack(">iihqqi", 1, 0, 35, -1, -1, 0)
    answer = raw(door, request(1, 2, struct.pack(">iii", -1, 100, 1) + topic + struct.pack(">iiqi", 1, 0, 0, 1000)))
    assert answer == struct.pack(">ii", 7, 0) + topic + struct.pack(">iihqi", 1, 0, 35, -1, 0)


def test_a_damaged_batch_is_refused(door, admin):
    """A batch as kcat sends it (key k, value v, header h=x), as it is and with one bit of its value turned."""
    admin.create_topics([NewTopic("golden", 1, 1)])
    batch = bytes.fromhex(
        "00000000000000000000003e0000000002eee0ba52000000000000000001a1fe15de01000001a1fe15de01"
        "00000000000003e80000000000000000000118000000026b02760202680278"
    )
    damaged = batch[:-8] + bytes([batch[-8] ^ 1]) + batch[-7:]
    start = struct.pack(">hhi", -1, -1, 5000) + struct.pack(">ih6sii", 1, 6, b"golden", 1, 0)

    def code(records):
        answer = raw(door, request(0, 3, start + struct.pack(">i", len(records)) + records))
        return struct.unpack(">h", answer[24:26])[0]

    assert code(damaged) == 2
    assert consume(door, "golden") == []
    assert code(batch[:-1]) in (2, 87)
    assert code(batch) == 0
    assert consume(door, "golden") == ["v"]


def test_answers_keep_the_order_of_requests(door, admin):
    """Twenty requests in one write, a waiting fetch among them."""
    admin.create_topics([NewTopic("order", 1, 1)])
    fetch = struct.pack(">iiiib", -1, 200, 1, 1 << 20, 0) + struct.pack(">ih5s", 1, 5, b"order") + struct.pack(">iiqi", 1, 0, 0, 1 << 20)
    requests = [request(1, 4, fetch, n) if n == 5 else request(3, 0, struct.pack(">i", 0), n) for n in range(20)]
    host, port = door.kafka.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"".join(requests))
        for n in range(20):
            size = struct.unpack(">i", connection.recv(4, socket.MSG_WAITALL))[0]
            assert struct.unpack(">i", connection.recv(size, socket.MSG_WAITALL)[:4])[0] == n


def test_connections_over_the_limit_are_closed(tmp_path):
    with Serve(tmp_path / "data", role="ingest", settings={"kafka-connections-max": 4}) as door:
        host, port = door.kafka.rsplit(":", 1)
        held = [socket.create_connection((host, int(port)), timeout=30) for _ in range(4)]
        for connection in held:
            connection.sendall(request(18, 0))
            assert connection.recv(4)
        with socket.create_connection((host, int(port)), timeout=30) as fifth:
            assert fifth.recv(1) == b""
        held.pop().close()
        wait_until(lambda: raw(door, request(18, 0)) != b"")
        for connection in held:
            connection.close()


def test_a_slow_reader_does_not_fill_memory(door, admin):
    """A client that asks for 8 MB a hundred times and reads nothing: the door stops taking its requests, and goes on
    serving others."""
    admin.create_topics([NewTopic("slow", 1, 1)])
    producer = KafkaProducer(bootstrap_servers=door.kafka, batch_size=500000, linger_ms=20)
    for _ in range(40):
        producer.send("slow", os.urandom(250000))
    producer.flush()
    producer.close()
    fetch = struct.pack(">iiiib", -1, 0, 1, 1 << 30, 0) + struct.pack(">ih4s", 1, 4, b"slow") + struct.pack(">iiqi", 1, 0, 0, 1 << 30)
    host, port = door.kafka.rsplit(":", 1)

    def resident():
        pages = int(open(f"/proc/{door.pid('ingest')}/statm", encoding="ascii").read().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        sender = threading.Thread(target=lambda: connection.sendall(request(1, 4, fetch) * 100))
        sender.start()
        sender.join()
        for _ in range(5):
            kcat(door, "-L")
        assert resident() < before + (64 << 20)
