"""Our tables in the hands of other readers and writers of Delta: delta-rs, and DuckDB (a newer one, from PyPI).

What could go wrong: a log, a checkpoint, a type or a statistic that only we understand. How: a pipeline runs both ways
with dirty rows among them until every stream table has checkpoints; then each table is read by the peers, as of several
versions, from the checkpoint alone, and through filters that leave files out by their statistics; everything must equal
what pinrail says itself. Last, delta-rs appends to a table of ours, and the pipeline goes on with it."""

import json
import shutil

import pytest

duckdb = pytest.importorskip("duckdb")
pc = pytest.importorskip("pyarrow.compute")
deltalake = pytest.importorskip("deltalake")

from deltalake import DeltaTable, write_deltalake  # noqa: E402

from pinrail import Serve, http, wait_until  # noqa: E402

COMMITS_WANTED = 12  # a checkpoint is written every ten


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    settings = {"lake-rotate-schedule-interval-ms": 200, "stream-trigger-ms": 20, "num-partitions": 2}
    with Serve(tmp_path_factory.mktemp("deltalake") / "data", settings=settings) as serve:
        seed = 0
        while min(versions(serve, "stream"), default=0) < COMMITS_WANTED:
            seed += 1
            assert seed < 100, "the streams do not commit"
            serve.command("emulate", "--mode", "streaming", "--batch", "50", "--count", "100", "--seed", str(seed), "--url", serve.url)
        for seed in range(3):
            serve.command("emulate", "--count", "500", "--seed", str(seed), "--url", serve.url)
            bad = {"records": [{"value": {"ind": f"not a number {seed}"}}, {"value": [seed]}]}
            post(serve, "demo.pin", bad)
            wait_until(lambda: landed(serve), 60, 0.2)
            serve.command("batch")
        serve.command("audit", "--wait", "60")
        yield serve


def post(serve, topic, body):
    status, _, answer = http(
        "POST", f"{serve.url}/topics/{topic}", json.dumps(body), {"Content-Type": "application/vnd.kafka.json.v2+json"}
    )
    assert status == 200, answer


def versions(serve, kind):
    return [t["version"] for t in serve.json("table", "list") if t["name"].endswith("_" + kind)]


def landed(serve):
    counts = json.loads(serve.command("audit", "--json", check=False).stdout)["partitions"]
    return all(c["landed"] in (None, c["acknowledged"]) for c in counts)


def folder(serve, name):
    return str(serve.folder / "tables" / name)


def tables(serve):
    found = serve.json("table", "list")
    assert {f"demo_{e}_{k}" for e in ("pin", "geo", "user") for k in ("table", "stream")} <= {t["name"] for t in found}
    assert "demo_quarantine" in {t["name"] for t in found}
    return found


def sums(serve, name):
    """Count and sums of a table by our own SQL: sums of numbers, lengths of texts, microseconds of times."""
    columns = serve.json("sql", f'SELECT column_name AS c, data_type AS t FROM duckdb_columns() WHERE table_name = \'{name}\'')
    parts = ["count(*) AS n"] + [f'{expression(c["c"], c["t"])} AS "{c["c"]}"' for c in columns]
    return ", ".join(parts)


def expression(column, kind):
    column = f'"{column}"'
    if kind in ("INTEGER", "BIGINT"):
        return f"sum({column}::HUGEINT)::VARCHAR"
    if kind == "DOUBLE":
        return f"round(sum({column}), 3)"
    if kind.startswith("TIMESTAMP"):
        return f"sum(epoch_us({column})::HUGEINT)::VARCHAR"
    if kind == "DOUBLE[]":
        return f"round(sum(list_sum({column})), 3)"
    if kind == "BLOB":
        return f"sum(octet_length({column}))::VARCHAR"
    return f"sum(length({column}::VARCHAR))::VARCHAR || md5(string_agg({column}::VARCHAR, '' ORDER BY {column}))"


def test_every_table_reads_the_same(pipeline):
    for table in tables(pipeline):
        name = table["name"]
        peer = DeltaTable(folder(pipeline, name))
        select = sums(pipeline, name)
        ours = pipeline.json("sql", f'SELECT {select} FROM "{name}"')
        rows = peer.to_pyarrow_table()
        assert rows.num_rows == table["rows"] == ours[0]["n"], name
        assert peer.version() == table["version"], name
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("through_delta_rs", rows)
        files = peer.file_uris()
        for relation in ("through_delta_rs", f"read_parquet({files!r})") if files else ("through_delta_rs",):
            row = connection.execute(f"SELECT {select} FROM {relation}")
            theirs = dict(zip([d[0] for d in row.description], row.fetchone()))
            assert json.loads(json.dumps(theirs)) == ours[0], f"{name} through {relation[:20]}"


def test_types_are_deltas_own(pipeline):
    fields = {f.name: f.type for f in DeltaTable(folder(pipeline, "demo_geo_table")).schema().fields}
    assert fields["timestamp"].type == "timestamp"
    assert fields["coordinates"].element_type.type == "double"
    assert fields["_offset"].type == "long"
    protocol = DeltaTable(folder(pipeline, "demo_geo_table")).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_positions_are_visible(pipeline):
    """What audit calls acknowledged is what the txn actions say: the last offset of each partition."""
    counts = json.loads(pipeline.command("audit", "--json").stdout)["partitions"]
    assert any(c["partition"] == 1 for c in counts)
    for count in counts:
        if not count["acknowledged"]:
            continue
        kind = "stream" if count["topic"].startswith("streaming-") else "table"
        entity = count["topic"].replace("-", ".").rsplit(".", 1)[1]
        peer = DeltaTable(folder(pipeline, f"demo_{entity}_{kind}"))
        assert peer.transaction_version(f"{count['topic']}-{count['partition']}") == count["acknowledged"] - 1


def test_every_version_can_be_read(pipeline):
    for name in ("demo_pin_stream", "demo_pin_table", "demo_quarantine"):
        rows = 0
        for event in reversed(pipeline.json("table", "history", name)):
            rows += event["rows"]
            assert DeltaTable(folder(pipeline, name), version=event["version"]).to_pyarrow_table().num_rows == rows


def test_the_checkpoint_alone_is_enough(pipeline, tmp_path):
    whole = DeltaTable(folder(pipeline, "demo_pin_stream"))
    copy = tmp_path / "copy"
    shutil.copytree(folder(pipeline, "demo_pin_stream"), copy)
    checkpoint = json.loads((copy / "_delta_log" / "_last_checkpoint").read_text())
    for version in range(checkpoint["version"]):
        (copy / "_delta_log" / f"{version:020}.json").unlink()
    for path in (copy / "_delta_log").glob("*.checkpoint.parquet"):
        if int(path.name[:20]) < checkpoint["version"]:
            path.unlink()
    peer = DeltaTable(copy)
    assert peer.version() == whole.version()
    assert sorted(peer.to_pyarrow_table()["ind"].to_pylist()) == sorted(whole.to_pyarrow_table()["ind"].to_pylist())
    assert peer.transaction_version("streaming-demo-pin-0") == whole.transaction_version("streaming-demo-pin-0")


def test_statistics_lose_no_rows(pipeline):
    """For each column, the rows at its very ends are found through a filter: a wrong bound would leave their file out."""
    peer = DeltaTable(folder(pipeline, "demo_pin_stream"))
    rows = peer.to_pyarrow_table()
    assert len(peer.file_uris()) > 5
    stats = peer.get_add_actions(flatten=True)
    assert sum(stats.column("num_records").to_pylist()) == rows.num_rows
    dataset = peer.to_pyarrow_dataset()
    for column in ("ind", "title", "description", "follower_count", "_offset", "_ingested_at"):
        values = rows[column].drop_null()
        for value in (pc.min(values), pc.max(values)):
            want = pc.sum(pc.equal(rows[column], value)).as_py()
            assert dataset.to_table(filter=pc.field(column) == value).num_rows == want, column


def test_what_delta_rs_appends_is_read_and_gone_on_from(pipeline):
    name = "demo_user_table"
    peer = DeltaTable(folder(pipeline, name))
    before = peer.to_pyarrow_table()
    row = before.slice(0, 1)
    row = row.set_column(row.schema.get_field_index("ind"), row.schema.field("ind"), [[999999999]])
    write_deltalake(peer, row, mode="append")
    assert pipeline.json("sql", f"SELECT count(*) AS n FROM {name} WHERE ind = 999999999") == [{"n": 1}]
    pipeline.command("emulate", "--count", "20", "--seed", "77", "--url", pipeline.url)
    wait_until(lambda: landed(pipeline), 60, 0.2)
    pipeline.command("batch")
    peer = DeltaTable(folder(pipeline, name))
    assert peer.to_pyarrow_table().num_rows == before.num_rows + 21
    assert pipeline.json("sql", f"SELECT count(*) AS n FROM {name}") == [{"n": before.num_rows + 21}]
