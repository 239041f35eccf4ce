"""kill -9 of each process at random moments while posts come in. What could go wrong: an acknowledged record is missing
from a stage, one is in the lake or in a table twice, or the pipeline does not come back by itself.

How: a client of our own posts rows by both ways and remembers each acknowledged (topic, partition, offset) and each row it
had to send again; meanwhile the processes are killed. Afterwards `pinrail audit` must agree, and the tables are read
back and compared with what was acknowledged. The seed of the moments is printed; PINRAIL_KILL_SEED repeats it."""

import collections
import json
import os
import random
import threading
import time

import pytest

from pinrail import Serve, http, wait_until

KILLS = int(os.environ.get("PINRAIL_KILLS", "30"))
RECORDS = int(os.environ.get("PINRAIL_KILL_RECORDS", "300000"))
PER_REQUEST = 100
JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}


def pin(index):
    return {"index": index, "unique_id": f"00000000-0000-4000-8000-{index:012d}", "title": f"Title {index}", "description": "words",
            "poster_name": f"Poster {index % 97}", "follower_count": f"{index % 900}k", "tag_list": "a,b,c", "is_image_or_video": "image",
            "image_src": f"https://i.pinrail.example/{index}.jpg", "downloaded": 1, "save_location": "Local save in /data/art", "category": "art"}


def geo(index):
    return {"ind": index, "timestamp": "2020-01-02T03:04:05", "latitude": 1.5, "longitude": -2.5, "country": "Albania"}


def user(index):
    return {"ind": index, "first_name": "Ada", "last_name": "Byron", "age": 30, "date_joined": "2016-01-02T03:04:05"}


ROWS = {"pin": pin, "geo": geo, "user": user}


class Client(threading.Thread):
    """Posts its share of one kind of row by one way, trying again until it is acknowledged."""

    def __init__(self, serve, entity, way, count):
        super().__init__()
        self.serve, self.entity, self.way, self.count = serve, entity, way, count
        self.acknowledged = {}  # row index -> set of acknowledged offsets
        self.sent_again = set()
        self.failure = None

    def send(self, rows):
        if self.way == "batch":
            body = {"records": [{"value": ROWS[self.entity](i)} for i in rows]}
            status, _, answer = http("POST", f"{self.serve.url}/topics/demo.{self.entity}", json.dumps(body), JSON)
            if status != 200:
                raise OSError(f"status {status}: {answer[:200]}")
            return [(slot["partition"], slot["offset"]) for slot in json.loads(answer)["offsets"]]
        records = [{"data": json.dumps(ROWS[self.entity](i)), "partition-key": str(i)} for i in rows]
        status, _, answer = http("PUT", f"{self.serve.url}/streams/streaming-demo-{self.entity}/records", json.dumps({"records": records}),
                                 {"Content-Type": "application/json"})
        answer = json.loads(answer) if status == 200 else answer
        if status != 200 or answer["FailedRecordCount"]:
            raise OSError(f"status {status}: {str(answer)[:200]}")
        return [(slot["ShardId"], slot["SequenceNumber"]) for slot in answer["Records"]]

    def run(self):
        try:
            for start in range(0, self.count, PER_REQUEST):
                rows = range(start, min(start + PER_REQUEST, self.count))
                give_up = time.monotonic() + 120
                while True:
                    try:
                        places = self.send(rows)
                        break
                    except (OSError, ValueError, FileNotFoundError) as error:
                        assert time.monotonic() < give_up, f"no answer for two minutes: {error}"
                        self.sent_again.update(rows)
                        time.sleep(0.02)
                for row, place in zip(rows, places):
                    self.acknowledged[row] = place
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failure = error


def table_counts(serve, table):
    """row index -> how often it is in the table"""
    rows = serve.json("sql", f"SELECT ind, count(*) AS n FROM {table} GROUP BY ind", timeout=600)
    return {row["ind"]: row["n"] for row in rows}


@pytest.mark.parametrize("role", ["ingest", "lakehouse"])
def test_kills(tmp_path, role):
    seed = int(os.environ.get("PINRAIL_KILL_SEED", time.time_ns() % 1_000_000))
    print(f"PINRAIL_KILL_SEED={seed}")
    chance = random.Random(seed)
    settings = {"lake-rotate-schedule-interval-ms": 300, "stream-trigger-ms": 200, "lake-flush-size": 5000}
    with Serve(tmp_path / "data", settings=settings) as serve:
        clients = [Client(serve, entity, way, RECORDS // 6) for entity in ROWS for way in ("batch", "stream")]
        for client in clients:
            client.start()
        kills = 0
        while kills < KILLS:
            time.sleep(chance.uniform(0.05, 0.6))
            try:
                serve.kill(role)
                kills += 1
            except (FileNotFoundError, ProcessLookupError, ValueError):
                pass  # it is just being started again
            assert serve.process.poll() is None, serve.output()[-3000:]
        for client in clients:
            client.join()
            assert client.failure is None, f"{client.entity} {client.way}: {client.failure}"

        def all_landed():
            counts = json.loads(serve.command("audit", "--json", check=False, timeout=600).stdout or '{"partitions": []}')["partitions"]
            return counts and all(c["landed"] in (None, c["acknowledged"]) for c in counts)

        wait_until(all_landed, 300, 1)
        serve.command("batch", timeout=600)
        audit = serve.command("audit", "--wait", "120", "--json", check=False, timeout=600)
        assert audit.returncode == 0, f"seed {seed}\n{audit.stdout}\n{audit.stderr}\n{serve.output()[-4000:]}"
        counts = json.loads(audit.stdout)
        assert counts["agree"] and all(c["duplicates"] == 0 and c["quarantined"] == 0 for c in counts["partitions"])

        for client in clients:
            table = f"demo_{client.entity}_{'table' if client.way == 'batch' else 'stream'}"
            found = table_counts(serve, table)
            missing = [row for row in client.acknowledged if row not in found]
            assert not missing, f"seed {seed}: {table} lacks acknowledged rows {missing[:10]}"
            twice = [row for row, n in found.items() if n > 1 and row not in client.sent_again]
            assert not twice, f"seed {seed}: {table} has rows twice that were sent once: {twice[:10]}"
            places = collections.Counter(client.acknowledged.values())
            assert max(places.values()) == 1, f"seed {seed}: one place was acknowledged for two rows"
        restarts = serve.output().count(f"{role} was ended by signal 9")
        assert restarts >= KILLS // 2, "the kills did not hit"
