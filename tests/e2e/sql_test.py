#!/usr/bin/env python3
"""honryu sql and /v1/sql: queries on past and live rows, applications applied, stopped, gone on with; errors that show the place;
the two-stage Random Cut Forest program of the users, as it stands."""
import base64
import gzip
import json
import os
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

KEYS = ("gateway.api_keys=[{name: app, key: key-of-the-app, scopes: [write]}, {name: eyes, key: key-to-read, scopes: [read]}, "
        "{name: boss, key: key-of-the-boss, scopes: [admin]}]")


def sql(server, *arguments, check=True, key="key-of-the-boss", **more):
    return hp.run_cli("sql", *arguments, "--url", server.url("http"), "--api-key", key, check=check, **more)


def lines(done):
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def post(server, events):
    body = "\n".join(json.dumps(event) for event in events).encode()
    status, answer = server.json("http", "POST", "/v1/events", body, {"Content-Type": "application/x-ndjson", "X-Api-Key": "key-of-the-app"})
    assert status == 200 and answer["accepted"] == len(events), answer


def records(server, stream):
    done = hp.run_cli("get", stream, "--endpoint", server.url("kinesis"), check=False)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def events(first, count, kind="view"):
    return [{"event_type": kind, "user_id": f"u{i % 5}", "timestamp": f"2024-05-01T10:{i // 60 % 60:02d}:{i % 60:02d}Z"} for i in range(first, first + count)]


def asking(server):
    minute = "SELECT COUNT(*) AS n, COUNT(DISTINCT user_id) AS users FROM events GROUP BY FLOOR(ROWTIME TO MINUTE)"
    found = lines(sql(server, "query", minute, "--from", "trim_horizon", "--to-end", key="key-to-read"))
    assert found == [{"N": 60, "USERS": 5}] * 3, found
    assert lines(sql(server, "query", minute, "--from", "trim_horizon", "--to-end", "--limit", "2")) == [{"N": 60, "USERS": 5}] * 2
    wrong = sql(server, "query", "SELECT usr_id FROM events", check=False)
    text = wrong.stderr.decode()
    assert wrong.returncode == 1 and "line 1, column 8" in text and "did you mean 'user_id'" in text and "^" in text, text
    plan = sql(server, "explain", minute, key="key-to-read").stdout.decode()
    assert "events" in plan and "query_1 -> stream query_1" in plan, plan
    refused = sql(server, "stop", "kpi", key="key-to-read", check=False)
    assert refused.returncode == 1 and b"admin" in refused.stderr, refused.stderr
    table = "CREATE REFERENCE TABLE t (a INT) WITH (source = 'file:/etc/passwd'); SELECT e.user_id FROM events e JOIN t ON t.a = 1"
    refused = sql(server, "query", table, key="key-to-read", check=False)
    assert refused.returncode == 1 and b"admin" in refused.stderr, refused.stderr
    status, _ = server.request("http", "POST", "/v1/sql/apps/kpi/stop", b"", {"X-Api-Key": "key-of-the-boss", "Origin": "https://evil.example"})
    assert status == 403, status
    # From the past into the present, without a gap: 180 rows that are there and 20 that come meanwhile.
    live = subprocess.Popen([hp.BINARY, "sql", "query", "SELECT user_id, event_type FROM events", "--from", "trim_horizon", "--limit", "200",
                             "--url", server.url("http"), "--api-key", "key-to-read"], stdout=subprocess.PIPE)
    post(server, events(180, 20, "live"))
    out, _ = live.communicate(timeout=60)
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 200 and sum(row["event_type"] == "live" for row in found) == 20, len(found)
    print("ok: queries")


def applying(server, directory):
    path = os.path.join(directory, "by_user.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write("CREATE STREAM by_user (user_id VARCHAR, n BIGINT) WITH (stream = 'by-user', partition_key = 'user_id');\n"
                   "INSERT INTO by_user SELECT user_id, COUNT(*) FROM events GROUP BY user_id, FLOOR(ROWTIME TO MINUTE);\n")
    sql(server, "run", path, "--from", "trim_horizon")
    applied = hp.eventually(lambda: [a for a in json.loads(sql(server, "list", "--json").stdout)["applications"] if a["name"] == "by_user" and a.get("owner")],
                            what="the application runs")
    assert applied[0]["running"] and applied[0]["version"] == 1, applied
    hp.eventually(lambda: len(records(server, "by-user")) >= 20, what="rows of the application")  # 4 minutes, 5 users
    found = records(server, "by-user")
    assert len(found) == 20 and sum(row["N"] for row in found) == 200 and len({row["_id"] for row in found}) == 20, found
    sql(server, "savepoint", "by_user", "before")
    hp.eventually(lambda: "before" in json.loads(sql(server, "list", "--json").stdout)["applications"][0].get("savepoints", []), what="the savepoint")
    sql(server, "stop", "by_user")
    hp.eventually(lambda: "stopped" in sql(server, "list").stdout.decode(), what="the application stopped")
    time.sleep(3)
    post(server, [{"event_type": "late", "user_id": "u9", "timestamp": "2024-05-01T11:00:00Z"}])
    assert not records(server, "by_user-late")
    sql(server, "start", "by_user")  # it goes on where it was; all its windows are closed long since, so that row is late
    late = hp.eventually(lambda: records(server, "by_user-late"), what="rows after the start")
    assert len(late) == 1 and late[0]["DATA_ROW"]["user_id"] == "u9" and len(records(server, "by-user")) == 20, late
    status, shown = server.json("http", "GET", "/v1/sql/apps/by_user", headers={"X-Api-Key": "key-to-read"})
    assert status == 200 and shown["sql"].startswith("CREATE STREAM") and shown["rows_in"] > 0, shown
    wrong = sql(server, "run", path, "--name", "a/b", check=False)
    assert wrong.returncode == 1
    # What is said on the command line goes before the environment.
    os.environ["HONRYU_URL"], os.environ["HONRYU_API_KEY"] = "http://127.0.0.1:1", "no-key"
    try:
        assert "by_user" in sql(server, "list").stdout.decode()
    finally:
        del os.environ["HONRYU_URL"], os.environ["HONRYU_API_KEY"]
    # A program of a file can still be stopped when it was taken out of the catalogue.
    removed = sql(server, "remove", "kpi").stdout.decode()
    assert "is of a file" in removed, removed
    hp.eventually(lambda: sql(server, "stop", "kpi", check=False).returncode == 0, what="the program of a file in the catalogue again")
    sql(server, "start", "kpi")
    sql(server, "remove", "by_user")
    hp.eventually(lambda: "by_user" not in sql(server, "list").stdout.decode(), what="the application removed")
    print("ok: applications")


def opening(server, directory):
    """Packed records of a stream become rows, for a query and for an application; what is broken is a row of its errors."""
    assert server.kinesis("CreateStream", {"StreamName": "packed", "ShardCount": 1})[0] == 200
    hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": "packed"})[1]["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE",
                  what="the stream")

    def one(n):
        return json.dumps({"n": n}).encode()

    def put(datas):
        entries = [{"Data": base64.b64encode(data).decode(), "PartitionKey": "k"} for data in datas]
        status, answer = server.kinesis("PutRecords", {"StreamName": "packed", "Records": entries})
        assert status == 200 and answer["FailedRecordCount"] == 0, answer

    put([one(0), gzip.compress(one(1) + b"\n" + one(2)), gzip.compress(one(99))[:-5], zlib.compress(b"[" + one(3) + b"," + one(4) + b"]")])
    hp.run_cli("put", "packed", "--aggregate", "--lines", "--endpoint", server.url("kinesis"), input=b"\n".join(one(n) for n in range(5, 15)))
    put([gzip.compress(bytes(70 << 20)), one(15)])
    program = "CREATE STREAM packed (n INT); INSERT INTO opened SELECT n FROM packed;"
    rows = lines(sql(server, "query", program, "--from", "trim_horizon", "--to-end"))
    assert [row["N"] for row in rows if "N" in row] == list(range(16)), rows
    reasons = [row["MESSAGE"].split(":")[0] for row in rows if row.get("ERROR_NAME") == "Unopenable"]
    assert reasons == ["broken", "too_large"], rows
    path = os.path.join(directory, "opens.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(program)
    sql(server, "run", path, "--from", "trim_horizon")
    hp.eventually(lambda: len(records(server, "opened")) >= 16 and len(records(server, "opens-errors")) >= 2, what="opened rows and errors")
    assert [row["N"] for row in records(server, "opened")] == list(range(16))
    assert [row["MESSAGE"].split(":")[0] for row in records(server, "opens-errors")] == reasons
    sql(server, "remove", "opens")
    print("ok: packed records")


def preview(server, directory):
    """A table's file before a program joins it: here, read by the server, and as a program declares it."""
    path = os.path.join(directory, "cities.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write('id,city,since\n007,"Sendai, Miyagi",2026-11-21\n12,Oslo,\n')
    here = sql(server, "preview", path).stdout.decode()
    assert "2 rows" in here and "since                            DATE" in here and "id                               VARCHAR" in here, here
    declaration = here.splitlines()[-1]
    assert declaration.startswith("CREATE REFERENCE TABLE cities (id VARCHAR, city VARCHAR, since DATE) WITH (source = 'file:/"), declaration
    there = json.loads(sql(server, "preview", "file:" + path, "--json", "-n", "1").stdout)["tables"]
    assert len(there) == 1 and there[0]["row_count"] == 2 and there[0]["rows"] == [{"id": "007", "city": "Sendai, Miyagi", "since": "2026-11-21"}], there
    program = os.path.join(directory, "joins.sql")
    with open(program, "w", encoding="utf-8") as file:
        file.write(declaration.replace("since DATE", "since INT") + " SELECT c.city FROM events e JOIN cities c ON c.id = e.user_id;")
    wrong = sql(server, "preview", program, check=False)
    assert wrong.returncode == 1 and b"line 2, column 'SINCE'" in wrong.stderr, wrong.stderr
    refused = sql(server, "preview", "file:" + path, key="key-to-read", check=False)
    assert refused.returncode == 1 and b"admin" in refused.stderr, refused.stderr
    print("ok: preview")


def tables(directory):
    """Windows whose rows were joined before a kill -9 keep what the table had then, whatever its file has when they are repeated."""
    path = os.path.join(directory, "teams.csv")

    def team(name):
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write("user_id,team\n" + "".join(f"u{i},{name}\n" for i in range(5)))
        os.rename(path + ".new", path)

    def joined():
        found = {}
        for row in records(server, "joined"):
            assert found.setdefault(row["_id"], row["TEAM"]) == row["TEAM"], f"{row['_id']} came again with another team"
        return found

    def await_rows(posted, team_name):
        hp.eventually(lambda: len(joined()) >= posted and team_name in joined().values(), what=f"rows of team {team_name}")

    team("red")
    program = os.path.join(directory, "teams.sql")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"CREATE REFERENCE TABLE teams (user_id VARCHAR, team VARCHAR) WITH (source = 'file:{path}', refresh = '100ms');\n"
                   "CREATE STREAM joined (team VARCHAR) WITH (stream = 'joined');\n"
                   "INSERT INTO joined SELECT t.team FROM events e JOIN teams t ON e.user_id = t.user_id;\n"
                   "INSERT INTO counts SELECT team, COUNT(*) AS n FROM joined GROUP BY team, FLOOR(ROWTIME TO HOUR);\n")
    server = hp.Server(os.path.join(directory, "tables"), settings=["aggregator.idle_timeout=60s", "aggregator.checkpoint_interval=10m",
                                                                   "aggregator.lease_duration=2s", "aggregator.emit_interval=50ms", KEYS]).start()
    try:
        post(server, events(0, 100))
        sql(server, "run", program, "--from", "trim_horizon")
        await_rows(100, "red")
        team("blue")
        time.sleep(0.5)
        post(server, events(100, 50))
        await_rows(150, "blue")
        before = joined()
        server.kill()
        team("green")
        server.start()
        hp.eventually(lambda: json.loads(sql(server, "preview", "--app", "teams", "--json").stdout)["tables"][0]["rows"][0]["TEAM"] == "green",
                      what="the file's change after the repetition")
        post(server, events(150, 30))
        await_rows(180, "green")
        after = joined()
        assert all(after[key] == value for key, value in before.items())
        # In no team, and enough to reach every shard: the window of 10:00 closes.
        post(server, [{"event_type": "end", "user_id": f"nobody-{i}", "timestamp": "2024-05-01T12:30:00Z"} for i in range(64)])
        hp.eventually(lambda: len(records(server, "counts")) >= 3, what="the window")
        counts = {row["TEAM"]: row["N"] for row in records(server, "counts")}
        expected = {name: sum(value == name for value in after.values()) for name in ("red", "blue", "green")}
        assert counts == expected and sum(counts.values()) == 180, (counts, expected)
        assert server.stop() == 0, "graceful stop failed"
    finally:
        server.kill()
    print("ok: reference tables over a kill -9")


def forest(server):
    """The users' own program, against a clear burst of errors. Its windows are of arrival; so the events arrive as records of the past
    cannot, and what is shown here is that it plans, runs and gives rows: the scores are tested beside the forest."""
    path = hp.data_file("sql/mobile-anomaly.sql")
    plan = sql(server, "explain", path).stdout.decode()
    assert "RANDOM_CUT_FOREST" in plan and "ANOMALY_STREAM -> stream anomaly_stream" in plan, plan
    with open(path, encoding="utf-8") as file:
        text = file.read()
    status, answer = server.json("http", "PUT", "/v1/sql/apps/anomaly?from=trim_horizon", text.encode(), {"X-Api-Key": "key-of-the-boss"})
    assert status == 200, answer
    hp.eventually(lambda: [a for a in json.loads(sql(server, "list", "--json").stdout)["applications"] if a["name"] == "anomaly" and a.get("rows_in", 0) >= 200],
                  what="the forest's application reads")
    changed = text.replace("WHERE ANOMALY_SCORE > 2.0", "WHERE ANOMALY_SCORE >= 0").encode()
    status, answer = server.request("http", "POST", "/v1/sql/query?from=trim_horizon&to_end=true", changed, {"X-Api-Key": "key-to-read"})
    rows = [json.loads(line) for line in answer.decode().splitlines() if line]
    assert status == 200 and rows and sum(row["event_count"] for row in rows) >= 200 and "anomaly_score" in rows[0], answer[:500]
    print("ok: the two-stage forest program")


def functions(server, directory):
    """The other functions that find anomalies, as a query by hand and as an application of the daemon."""
    assert server.kinesis("CreateStream", {"StreamName": "readings", "ShardCount": 1})[0] == 200
    hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": "readings"})[1]["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE",
                  what="the stream")
    readings = [{"place": i, "load": 10 + i * 7 % 5, "heat": 20 + i * 11 % 7} for i in range(100)] + [{"place": 100, "load": 90, "heat": 20}]
    status, answer = server.kinesis("PutRecords", {"StreamName": "readings", "Records": [
        {"Data": base64.b64encode(json.dumps(reading).encode()).decode(), "PartitionKey": "k"} for reading in readings]})
    assert status == 200 and answer["FailedRecordCount"] == 0, answer
    source = "CREATE STREAM readings (\"place\" VARCHAR, \"load\" INTEGER, \"heat\" DOUBLE);"
    explained = (source + "CREATE STREAM explained (\"place\" VARCHAR, score DOUBLE, why VARCHAR); INSERT INTO explained SELECT STREAM \"place\", ANOMALY_SCORE, "
                 "ANOMALY_EXPLANATION FROM TABLE(RANDOM_CUT_FOREST_WITH_EXPLANATION(CURSOR(SELECT STREAM * FROM readings), 100, 64, 100000, 1, true));")
    found = source + ("SELECT STREAM \"place\", HOTSPOTS_RESULT FROM TABLE(HOTSPOTS("
                      "CURSOR(SELECT STREAM \"place\", CAST(\"load\" AS DOUBLE) AS x, \"heat\" FROM readings), 100, 1.5, 5));")
    path = os.path.join(directory, "explains.sql")
    with open(path, "w", encoding="utf-8") as file:
        file.write(explained)
    sql(server, "run", path, "--from", "trim_horizon")
    hp.eventually(lambda: len(records(server, "explained")) >= len(readings), what="explained rows")
    last = records(server, "explained")[-1]
    why = json.loads(last["WHY"])
    assert last["place"] == "100" and last["SCORE"] > 2.5 and why["load"]["DIRECTION"] == "HIGH", last
    assert abs(sum(float(part["ATTRIBUTION_SCORE"]) for part in why.values()) - last["SCORE"]) < 1e-3, last
    sql(server, "remove", "explains")
    rows = lines(sql(server, "query", found, "--from", "trim_horizon", "--to-end"))
    assert len(rows) == len(readings), len(rows)
    boxes = json.loads(rows[-1]["HOTSPOTS_RESULT"])["hotspots"]
    assert boxes and all(box["density"] > 0 and max(box["maxValues"]) < 90 for box in boxes), rows[-1]
    print("ok: explanations and hotspots")


def main():
    with hp.temporary_directory() as directory, hp.Server(os.path.join(directory, "all"), settings=["aggregator.idle_timeout=1s", KEYS]) as server:
        post(server, events(0, 180))
        asking(server)
        applying(server, directory)
        opening(server, directory)
        preview(server, directory)
        forest(server)
        functions(server, directory)
        assert server.stop() == 0, "graceful stop failed"
    with hp.temporary_directory() as directory:
        tables(directory)


if __name__ == "__main__":
    main()
