"""What could go wrong: a client newer or older than Debian's that speaks versions which no other test does. How we look:
Apache Kafka's own tools, KafkaJS, and the Python clients of today, unmodified, each there and back."""

import asyncio
import json
import os
import re
import subprocess

import pytest


def java(peers, door, tool, *args, text=None):
    jars = peers / "kafka"
    if not (jars / "have").is_file():
        pytest.skip("Apache Kafka's tools are not there (tools/setup-peers, Maven)")
    done = subprocess.run(
        ["java", "-Xmx256m", "-cp", f"{jars}/*", f"org.apache.kafka.tools.{tool}", "--bootstrap-server", door.kafka, *args],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_apache_kafka_tools(ingest, peers):
    lines = [str(number) for number in range(500)]
    java(peers, ingest, "TopicCommand", "--create", "--topic", "java", "--partitions", "3", "--config", "retention.ms=9")
    described = java(peers, ingest, "TopicCommand", "--describe", "--topic", "java")
    assert re.search(r"PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: retention.ms=9", described)
    java(peers, ingest, "ConsoleProducer", "--topic", "java", "--compression-codec", "zstd", text="\n".join(lines) + "\n")
    read = java(
        peers, ingest, "consumer.ConsoleConsumer", "--topic", "java", "--from-beginning", "--max-messages", "500", "--group", "j"
    )
    assert sorted(read.split(), key=int) == lines
    group = java(peers, ingest, "consumer.group.ConsumerGroupCommand", "--describe", "--group", "j")
    assert sum(int(row.split()[3]) for row in group.splitlines() if row.startswith("j ")) == 500
    assert all(row.split()[5] == "0" for row in group.splitlines() if row.startswith("j "))
    java(peers, ingest, "consumer.group.ConsumerGroupCommand", "--delete", "--group", "j")
    java(peers, ingest, "TopicCommand", "--delete", "--topic", "java")
    assert "java" not in java(peers, ingest, "TopicCommand", "--list").split()


def test_kafkajs(ingest, peers):
    modules = peers / "node" / "node_modules"
    if not (modules / "kafkajs").is_dir():
        pytest.skip("KafkaJS is not there (tools/setup-peers, npm)")
    script = __file__.replace("test_kafka_clients.py", "kafkajs.js")
    environment = {**os.environ, "NODE_PATH": str(modules)}
    done = subprocess.run(
        ["node", script, ingest.kafka], capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert sorted(answer["read"]) == sorted(f"k{n}=v{n}/x" for n in range(100))
    assert answer["ends"] == 100
    assert "script" not in answer["topics"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_confluent_kafka(ingest, codec):
    confluent_kafka = pytest.importorskip("confluent_kafka")
    failed = []
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": ingest.kafka, "enable.idempotence": True, "compression.type": codec}
    )
    for number in range(1000):
        producer.produce("new", str(number), key=str(number), on_delivery=lambda error, _: error and failed.append(error))
    assert producer.flush(60) == 0 and not failed
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": ingest.kafka, "group.id": "new", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["new"])
    read = []
    while len(read) < 1000:
        message = consumer.poll(60)
        assert message and not message.error()
        read.append(message.value().decode())
    consumer.commit(asynchronous=False)
    assert consumer.committed([confluent_kafka.TopicPartition("new", 0)])[0].offset == 1000
    consumer.close()
    assert read == [str(number) for number in range(1000)]


def test_aiokafka(ingest):
    aiokafka = pytest.importorskip("aiokafka")

    async def there_and_back():
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=ingest.kafka, enable_idempotence=True)
        await producer.start()
        await asyncio.gather(*[producer.send_and_wait("async", b"%d" % number) for number in range(200)])
        await producer.stop()
        consumer = aiokafka.AIOKafkaConsumer(
            "async", bootstrap_servers=ingest.kafka, group_id="async", auto_offset_reset="earliest"
        )
        await consumer.start()
        read = {(await asyncio.wait_for(consumer.getone(), 60)).value for _ in range(200)}
        await consumer.stop()
        return read

    assert asyncio.run(there_and_back()) == {b"%d" % number for number in range(200)}


def test_kafka_python_of_today(ingest):
    kafka = pytest.importorskip("kafka")
    producer = kafka.KafkaProducer(bootstrap_servers=ingest.kafka)
    sent = [producer.send("today", b"%d" % number) for number in range(200)]
    producer.flush()
    assert [future.get().offset for future in sent] == list(range(200))
    producer.close()
    consumer = kafka.KafkaConsumer(
        "today", bootstrap_servers=ingest.kafka, group_id="today", auto_offset_reset="earliest", consumer_timeout_ms=60000
    )
    read = []
    for record in consumer:
        read.append(record.value)
        if len(read) == 200:
            break
    consumer.close()
    assert read == [b"%d" % number for number in range(200)]
