"""Bad records that a door takes in (a topic takes any bytes) are set aside with their reason, and everything else goes on.
How: good and bad records through the Kafka-REST door and the streams; the good ones must be rows, each bad one must be
in the quarantine with a reason that names what is wrong and with its original bytes, and the audit must agree."""

import base64
import json

from pinrail import http, wait_until

GOOD = {"ind": 1, "timestamp": "2020-01-02T03:04:05", "latitude": 1.5, "longitude": -2.5, "country": "Albania"}
BAD = {  # what is sent -> a word of the reason
    b"not json at all": "JSON",
    b'{"ind": 2, "timestamp"': "JSON",
    b'\xff\xfe{"ind": 3}': "JSON",
    json.dumps({**GOOD, "ind": 4, "country": 7}).encode(): "country",
    json.dumps({k: v for k, v in GOOD.items() if k != "latitude"}).encode(): "latitude",
    json.dumps({**GOOD, "ind": 6, "colour": "red"}).encode(): "colour",
    json.dumps({**GOOD, "ind": 7, "timestamp": "yesterday"}).encode(): "timestamp",
    json.dumps({**GOOD, "ind": "eight"}).encode(): "ind",
    b"[1, 2, 3]": "object",
}


def test_bad_records_are_set_aside_and_nothing_stops(serve):
    values = [json.dumps({**GOOD, "ind": 100}).encode(), *BAD, json.dumps({**GOOD, "ind": 101}).encode()]
    body = {"records": [{"value": base64.b64encode(value).decode()} for value in values]}
    status, _, answer = http("POST", f"{serve.url}/topics/demo.geo", json.dumps(body), {"Content-Type": "application/vnd.kafka.binary.v2+json"})
    assert status == 200, answer
    records = [{"Data": base64.b64encode(value).decode(), "PartitionKey": "k"} for value in values]
    status, _, answer = http(
        "POST", serve.url + "/", json.dumps({"StreamName": "streaming-demo-geo", "Records": records}),
        {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecords"})
    assert status == 200 and json.loads(answer)["FailedRecordCount"] == 0, answer

    def counted(topic):
        counts = json.loads(serve.command("audit", "--json", check=False).stdout)["partitions"]
        return next(c for c in counts if c["topic"] == topic)

    wait_until(lambda: counted("demo.geo")["landed"] == len(values), 60, 0.3)
    serve.command("batch")
    wait_until(lambda: counted("streaming-demo-geo")["agree"], 60, 0.3)
    for topic in ("demo.geo", "streaming-demo-geo"):
        count = counted(topic)
        assert (count["cleaned"], count["quarantined"], count["agree"]) == (2, len(BAD), True)
        aside = serve.json("sql", f"SELECT reason, hex(original) AS original FROM demo_quarantine WHERE _topic = '{topic}'")
        reasons = {bytes.fromhex(row["original"]): row["reason"] for row in aside}
        for value, word in BAD.items():
            compact = json.dumps(json.loads(value), separators=(",", ":")).encode() if word != "JSON" else value
            reason = reasons.get(value) or reasons.get(compact)
            assert reason, f"{value} is not in the quarantine with its bytes: {list(reasons)}"
            assert word in reason, f"{value}: '{reason}' does not name {word}"
    shown = serve.command("quarantine", "show", "--limit", "20").stdout
    assert "not json at all" in shown
    assert serve.command("quarantine", "list").stdout.count("geo") >= 1
