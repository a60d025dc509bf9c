#!/usr/bin/env python3
"""Real data: the lines of five event sets, put into streams as they are, give the known answers through SQL. `--lanes N`: as many threads
work on the shards of a query."""
import argparse
import base64
import gzip
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

CHECKS = []
ALL = "STEP(ROWTIME BY INTERVAL '36500' DAY)"  # everything in one window


def expect(name, found, wanted):
    assert found == wanted, f"{name}: found {found}, expected {wanted}"
    CHECKS.append(name)


def put(server, stream, file, key):
    status, answer = server.kinesis("CreateStream", {"StreamName": stream, "ShardCount": 3})
    assert status == 200, answer
    hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": stream})[1]["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE",
                  what=f"stream {stream}")
    with gzip.open(file, "rb") as data:
        batch = []
        for line in data:
            value = json.loads(line)[key]
            batch.append({"Data": base64.b64encode(line.rstrip(b"\n")).decode(), "PartitionKey": str(value)[:100] or "none"})
            if len(batch) == 500:
                send(server, stream, batch)
                batch = []
        if batch:
            send(server, stream, batch)


def send(server, stream, batch):
    status, answer = server.kinesis("PutRecords", {"StreamName": stream, "Records": batch})
    assert status == 200 and answer["FailedRecordCount"] == 0, answer


def ask(server, declaration, *queries):
    """One pass over the stream answers all queries: each goes to a stream of its own name."""
    text = declaration + "".join(f"INSERT INTO q{i} {query};\n" for i, query in enumerate(queries))
    status, answer = server.request("http", "POST", "/v1/sql/query?from=trim_horizon&to_end=true", text.encode(), timeout=300)
    assert status == 200, answer[:2000]
    results = [[] for _ in queries]
    for line in answer.decode().splitlines():
        row = json.loads(line) if line else {"_stream": ""}
        assert "_error" not in row, row
        stream = row.pop("_stream", "Q0")
        assert stream not in ("ERROR_STREAM", "LATE_ROWS"), row
        if stream.startswith("Q"):
            results[int(stream[1:])].append(row)
    return results


def top(rows, key, count, most=10):
    ordered = sorted(((row[key], row[count]) for row in rows if row[key] is not None), key=lambda pair: (-pair[1], str(pair[0])))
    return [list(pair) for pair in ordered[:most]]


def minute(text):
    return text[:16].replace(" ", "T")


def wiki(server, want):
    stream = ('CREATE STREAM edits ("time" TIMESTAMP, channel VARCHAR, "user" VARCHAR, page VARCHAR, "comment" VARCHAR, "countryName" VARCHAR, '
              '"cityName" VARCHAR, namespace VARCHAR, added BIGINT, deleted BIGINT, delta BIGINT, "isRobot" BOOLEAN, "isAnonymous" BOOLEAN, '
              '"isNew" BOOLEAN, "isMinor" BOOLEAN, "isUnpatrolled" BOOLEAN, WATERMARK FOR "time" AS "time" - INTERVAL \'1\' DAY) WITH (stream = \'wiki\');\n')
    five = 'FROM TABLE(TUMBLE(TABLE edits, DESCRIPTOR("time"), INTERVAL \'5\' MINUTE)) GROUP BY window_start, window_end'
    keys = ("channel", "page", '"user"', '"countryName"', '"cityName"', "namespace")
    flags = ("isRobot", "isAnonymous", "isNew", "isMinor", "isUnpatrolled")
    words = list(want["substring_page"])
    rows = ask(
        server, stream,
        'SELECT window_start AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE edits, DESCRIPTOR("time"), INTERVAL \'1\' MINUTE)) GROUP BY window_start, window_end',
        f'SELECT window_start AS s, COUNT(*) AS n, SUM(added) AS a, SUM(deleted) AS d, MAX(delta) AS hi, MIN(delta) AS lo, AVG(delta) AS mean, COUNT(DISTINCT "user") AS u {five}',
        f'SELECT window_start AS s, channel AS k, COUNT(*) AS n {five}, channel',
        'SELECT COUNT(*) AS n, COUNT(DISTINCT "user") AS "user", COUNT(DISTINCT channel) AS "channel", COUNT(DISTINCT namespace) AS "namespace", '
        'COUNT(DISTINCT "cityName") AS "cityName", SUM(added) AS "added", SUM(deleted) AS "deleted", SUM(delta) AS "delta", '
        + ", ".join(f'SUM(CASE WHEN "{flag}" THEN 1 ELSE 0 END) AS "{flag}"' for flag in flags)
        + f", SUM(CASE WHEN deleted >= 1000 THEN 1 ELSE 0 END) AS big FROM edits GROUP BY {ALL}",
        *(f"SELECT {key} AS k, COUNT(*) AS n FROM edits GROUP BY {key}, {ALL}" for key in keys),
        'SELECT window_start AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE edits, DESCRIPTOR("time"), INTERVAL \'1\' HOUR)) WHERE channel = \'#en.wikipedia\' GROUP BY window_start, window_end',
        "SELECT " + ", ".join(f"SUM(CASE WHEN page LIKE '%{word}%' THEN 1 ELSE 0 END) AS w{i}" for i, word in enumerate(words)) + f" FROM edits GROUP BY {ALL}",
        f"SELECT APPROX_PERCENTILE(added, 0.5) AS p50, APPROX_PERCENTILE(added, 0.9) AS p90, APPROX_PERCENTILE(added, 0.99) AS p99 FROM edits GROUP BY {ALL}")
    minutes = {minute(row["S"]): row["N"] for row in rows[0]}
    expect("wiki minutes", len(minutes), want["minutes_non_empty"])
    for key, count in [*want["events_per_minute"].items(), *want["busiest_minutes"]]:
        expect("wiki " + key, minutes[key], count)
    windows = {minute(row["S"]): row for row in rows[1]}
    expect("wiki windows", len(windows), want["windows_5min"]["non_empty"])
    for start, values in want["windows_5min"]["picked"].items():
        found = windows[start]
        expect("wiki window " + start, [found["N"], found["A"], found["D"], found["HI"], found["LO"], round(found["MEAN"], 6), found["U"]],
               [values[key] for key in ("count", "sum_added", "sum_deleted", "max_delta", "min_delta", "avg_delta", "distinct_users")])
        expect("wiki channels " + start, top([row for row in rows[2] if minute(row["S"]) == start], "K", "N", 3), values["top_channel"])
    whole = rows[3][0]
    expect("wiki rows", whole["N"], want["rows"])
    for key in ("user", "channel", "namespace", "cityName"):
        expect("wiki distinct " + key, whole[key], want["distinct_" + key])
    for key in ("added", "deleted", "delta"):
        expect("wiki sum " + key, whole[key], want["sum_" + key])
    for flag in flags:
        expect("wiki " + flag, whole[flag], want["count_" + flag])
    expect("wiki deleted", whole["BIG"], want["deleted_ge_1000"])
    for i, key in enumerate(keys):
        expect("wiki top " + key, top(rows[4 + i], "K", "N"), want["top10_" + key.strip('"')])
    at = 4 + len(keys)
    expect("wiki en by hour", {row["S"][:13].replace(" ", "T"): row["N"] for row in rows[at]}, want["channel_by_hour_en"])
    expect("wiki pages", [rows[at + 1][0][f"W{i}"] for i in range(len(words))], [want["substring_page"][word] for word in words])
    for name in ("p50", "p90", "p99"):
        found, exact = rows[at + 2][0][name.upper()], want["percentiles_added"][name]
        assert abs(found - exact) <= 0.011 * exact, f"wiki {name}: found {found}, expected {exact} within 1 %"
        CHECKS.append(name)


def access(server, want):
    stream = ('CREATE STREAM log ("time" TIMESTAMP, remote_ip VARCHAR, path VARCHAR, agent VARCHAR, referrer VARCHAR, "method" VARCHAR, response INT, bytes BIGINT, '
              'WATERMARK FOR "time" AS "time" - INTERVAL \'1\' DAY) WITH (stream = \'access\');\n')
    keys = ("path", "remote_ip", "agent", "referrer")
    rows = ask(
        server, stream,
        'SELECT window_start AS s, COUNT(*) AS n, COUNT(DISTINCT remote_ip) AS ips, SUM(bytes) AS b FROM TABLE(TUMBLE(TABLE log, DESCRIPTOR("time"), INTERVAL \'1\' HOUR)) '
        'GROUP BY window_start, window_end',
        "SELECT COUNT(*) AS n, COUNT(DISTINCT remote_ip) AS ip, COUNT(DISTINCT path) AS p, COUNT(DISTINCT agent) AS a, SUM(bytes) AS b, COUNT(*) FILTER (WHERE response >= 500) AS errors, "
        f"COUNT(*) FILTER (WHERE response = 404) AS missing FROM log GROUP BY {ALL}",
        f"SELECT response AS k, COUNT(*) AS n FROM log GROUP BY response, {ALL}", f'SELECT "method" AS k, COUNT(*) AS n FROM log GROUP BY "method", {ALL}',
        f"SELECT path AS k, COUNT(*) AS n FROM log WHERE response = 404 GROUP BY path, {ALL}",
        *(f"SELECT {key} AS k, COUNT(*) AS n FROM log GROUP BY {key}, {ALL}" for key in keys))
    hours = {row["S"][:13].replace(" ", "T"): row for row in rows[0]}
    expect("access hours", {hour: row["N"] for hour, row in hours.items()}, want["events_per_hour"])
    expect("access ips", {hour: hours[hour]["IPS"] for hour in want["distinct_ip_per_hour_picked"]}, want["distinct_ip_per_hour_picked"])
    expect("access bytes", [[hour, row["B"]] for hour, row in sorted(hours.items(), key=lambda item: -item[1]["B"])[:3]], want["bytes_by_hour_top3"])
    whole = rows[1][0]
    expect("access whole", [whole[key] for key in ("N", "IP", "P", "A", "B", "ERRORS", "MISSING")],
           [want[key] for key in ("rows", "distinct_remote_ip", "distinct_path", "distinct_agent", "sum_bytes", "status_ge_500", "status_404")])
    expect("access status", {str(row["K"]): row["N"] for row in rows[2]}, want["status"])
    expect("access method", {row["K"]: row["N"] for row in rows[3]}, want["method"])
    expect("access 404", top(rows[4], "K", "N"), want["top10_path_404"])
    for i, key in enumerate(keys):
        expect("access top " + key, top(rows[5 + i], "K", "N"), want["top10_" + key])


def reviews(server, want):
    stream = ('CREATE STREAM reviews ("date" TIMESTAMP, "reviewerId" BIGINT, "vendorId" BIGINT, rating BIGINT, WATERMARK FOR "date" AS "date" - INTERVAL \'1\' DAY) '
              "WITH (stream = 'reviews');\n")
    rows = ask(
        server, stream,
        'SELECT window_start AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE reviews, DESCRIPTOR("date"), INTERVAL \'1\' MINUTE)) GROUP BY window_start, window_end',
        'SELECT window_start AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE reviews, DESCRIPTOR("date"), INTERVAL \'1\' DAY)) GROUP BY window_start, window_end',
        'SELECT window_start AS s, COUNT(*) AS n, AVG(rating) AS mean, MIN(rating) AS lo, COUNT(DISTINCT "vendorId") AS v FROM TABLE(TUMBLE(TABLE reviews, DESCRIPTOR("date"), '
        "INTERVAL '5' MINUTE)) GROUP BY window_start, window_end",
        f'SELECT COUNT(*) AS n, COUNT(DISTINCT "vendorId") AS v, COUNT(DISTINCT "reviewerId") AS r, AVG(rating) AS mean FROM reviews GROUP BY {ALL}',
        f"SELECT rating AS k, COUNT(*) AS n FROM reviews GROUP BY rating, {ALL}",
        f'SELECT "vendorId" AS k, COUNT(*) AS n, AVG(rating) AS mean, COUNT(*) FILTER (WHERE rating <= 2) AS bad FROM reviews GROUP BY "vendorId", {ALL}',
        f'SELECT "reviewerId" AS k, COUNT(*) AS n FROM reviews GROUP BY "reviewerId", {ALL}')
    minutes, days = {row["S"][:16]: row["N"] for row in rows[0]}, {row["S"][:10]: row["N"] for row in rows[1]}
    expect("reviews minutes", len(minutes), want["minutes_non_empty"])
    for key, count in [*want["events_per_minute"].items(), *want["busiest_minutes"]]:
        expect("reviews " + key, minutes[key], count)
    expect("reviews days", len(days), want["days_non_empty"])
    for key, count in [*want["events_per_day"].items(), *want["busiest_days"]]:
        expect("reviews " + key, days[key], count)
    windows = {row["S"][:16]: row for row in rows[2]}
    expect("reviews windows", len(windows), want["windows_5min"]["non_empty"])
    for start, values in want["windows_5min"]["picked"].items():
        found = windows[start]
        expect("reviews window " + start, [found["N"], round(found["MEAN"], 6), found["LO"], found["V"]],
               [values[key] for key in ("count", "avg_rating", "min_rating", "distinct_vendors")])
    whole = rows[3][0]
    expect("reviews whole", [whole["N"], whole["V"], round(whole["MEAN"], 6)], [want["rows"], want["distinct_vendorId"], want["avg_rating"]])
    exact = want["distinct_reviewerId"]  # beyond 16384: estimated
    assert abs(whole["R"] - exact) < 0.025 * exact, whole
    CHECKS.append("reviewers")
    expect("reviews reviewers by groups", len(rows[6]), exact)
    expect("reviews rating", {str(row["K"]): row["N"] for row in rows[4]}, want["rating"])
    expect("reviews vendors", top(rows[5], "K", "N"), want["top10_vendor"])
    means = {row["K"]: round(row["MEAN"], 6) for row in rows[5]}
    expect("reviews means", [[vendor, means[vendor]] for vendor, _ in want["avg_rating_of_top10_vendor"]], want["avg_rating_of_top10_vendor"])
    expect("reviews bad", top(rows[5], "K", "BAD", 5), want["rating_le_2_by_vendor_top5"])
    expect("reviews top reviewers", top(rows[6], "K", "N"), want["top10_reviewer"])


def flights(server, want):
    keys = ("origin", "destination", "airline", "origin_state", "origin_city")
    stream = ("CREATE STREAM flights (time_local TIMESTAMP, airline VARCHAR, flight_number VARCHAR, tail_number VARCHAR, origin VARCHAR, destination VARCHAR, origin_state VARCHAR, "
              "origin_city VARCHAR, origin_lat DOUBLE, origin_lon DOUBLE, departure_delay BIGINT, distance BIGINT, cancelled BIGINT, diverted BIGINT, cancellation_reason VARCHAR, "
              "WATERMARK FOR time_local AS time_local - INTERVAL '1' DAY) WITH (stream = 'flights');\n")
    boxes = list(want["geo_box_count"])
    limits = [(37, 38.5, -123, -121), (40, 41.5, -75, -73), (18, 23, -161, -154)]
    rows = ask(
        server, stream,
        "SELECT window_start AS s, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(time_local), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
        "SELECT window_start AS s, COUNT(*) AS n, SUM(cancelled) AS c, AVG(departure_delay) AS mean, COUNT(DISTINCT airline) AS a FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(time_local), "
        "INTERVAL '1' HOUR)) GROUP BY window_start, window_end",
        "SELECT COUNT(*) AS n, SUM(cancelled) AS c, SUM(diverted) AS d, COUNT(departure_delay) AS delays, SUM(departure_delay) AS delay, AVG(departure_delay) AS mean, "
        "MIN(departure_delay) AS lo, MAX(departure_delay) AS hi, SUM(distance) AS far, " + ", ".join(f"COUNT(DISTINCT {key}) AS d_{key}" for key in ("tail_number", "origin", "destination", "airline"))
        + ", " + ", ".join(f"COUNT(*) FILTER (WHERE origin_lat BETWEEN {a} AND {b} AND origin_lon BETWEEN {c} AND {d}) AS box{i}" for i, (a, b, c, d) in enumerate(limits))
        + f" FROM flights GROUP BY {ALL}",
        f"SELECT cancellation_reason AS k, COUNT(*) AS n FROM flights WHERE cancellation_reason IS NOT NULL GROUP BY cancellation_reason, {ALL}",
        f"SELECT airline AS k, CAST(SUM(cancelled) AS DOUBLE) / COUNT(*) AS rate FROM flights GROUP BY airline, {ALL}",
        *(f"SELECT {key} AS k, COUNT(*) AS n FROM flights GROUP BY {key}, {ALL}" for key in keys))
    minutes = {minute(row["S"]): row["N"] for row in rows[0]}
    for key, count in [*want["events_per_minute"].items(), *want["busiest_minutes"]]:
        expect("flights " + key, minutes[key], count)
    hours = {row["S"][:13].replace(" ", "T"): row for row in rows[1]}
    expect("flights hours", {hour: row["N"] for hour, row in hours.items()}, want["events_per_hour"])
    for start, values in want["windows_1h"]["picked"].items():
        found = hours[start]
        expect("flights window " + start, [found["N"], found["C"], round(found["MEAN"] or 0, 6), found["A"]],
               [values[key] for key in ("count", "cancelled", "avg_departure_delay", "distinct_airlines")])
    whole, delay = rows[2][0], want["departure_delay"]
    expect("flights whole", [whole["N"], whole["C"], whole["D"], whole["FAR"]], [want[key] for key in ("rows", "cancelled", "diverted", "sum_distance")])
    expect("flights delays", [whole["DELAYS"], whole["DELAY"], round(whole["MEAN"], 6), whole["LO"], whole["HI"]],
           [delay[key] for key in ("count_non_null", "sum", "avg", "min", "max")])
    for key in ("tail_number", "origin", "destination", "airline"):
        expect("flights distinct " + key, whole["D_" + key.upper()], want["distinct_" + key])
    expect("flights boxes", [whole[f"BOX{i}"] for i in range(3)], [want["geo_box_count"][box] for box in boxes])
    expect("flights reasons", {row["K"]: row["N"] for row in rows[3]}, want["cancellation_reason"])
    expect("flights rates", {row["K"]: round(row["RATE"], 6) for row in rows[4]}, want["cancel_rate_by_airline"])
    for i, key in enumerate(keys):
        expect("flights top " + key, top(rows[5 + i], "K", "N"), want["top10_" + key])


def ja(server, want):
    words, prefixes = list(want["substring_message_rows"]), list(want["path_prefix_rows"])
    stream = ('CREATE STREAM edits ("time" TIMESTAMP, "user" VARCHAR, event VARCHAR, "commit" VARCHAR, path VARCHAR, message VARCHAR) WITH (stream = \'ja\');\n')
    rows = ask(
        server, stream,
        'SELECT COUNT(*) AS n, COUNT(DISTINCT "user") AS u, COUNT(DISTINCT "commit") AS c, COUNT(DISTINCT path) AS p, '
        + ", ".join(f"COUNT(*) FILTER (WHERE message LIKE '%{word}%') AS w{i}" for i, word in enumerate(words)) + ", "
        + ", ".join(f"COUNT(DISTINCT CASE WHEN message LIKE '%{word}%' THEN \"commit\" END) AS c{i}" for i, word in enumerate(words)) + ", "
        + ", ".join(f"COUNT(*) FILTER (WHERE path LIKE '{prefix.replace('_', '!_')}%' ESCAPE '!') AS x{i}" for i, prefix in enumerate(prefixes)) + ", "
        + "COUNT(*) FILTER (WHERE message LIKE '%検索%' AND message LIKE '%修正%') AS both_, COUNT(*) FILTER (WHERE message LIKE '%追加%' AND NOT message LIKE '%削除%') AS only_ "
        + f"FROM edits GROUP BY {ALL}",
        f"SELECT event AS k, COUNT(*) AS n FROM edits GROUP BY event, {ALL}", f"SELECT path AS k, COUNT(*) AS n FROM edits GROUP BY path, {ALL}",
        f'SELECT "user" AS k, COUNT(*) AS n FROM edits GROUP BY "user", {ALL}',
        f'SELECT EXTRACT(YEAR FROM "time") AS k, COUNT(*) AS n FROM edits GROUP BY EXTRACT(YEAR FROM "time"), {ALL}')
    whole = rows[0][0]
    expect("ja whole", [whole[key] for key in ("N", "U", "C", "P")], [want[key] for key in ("rows", "distinct_user", "distinct_commit", "distinct_path")])
    expect("ja words", [whole[f"W{i}"] for i in range(len(words))], [want["substring_message_rows"][word] for word in words])
    expect("ja commits", [whole[f"C{i}"] for i in range(len(words))], [want["substring_message_commits"][word] for word in words])
    expect("ja prefixes", [whole[f"X{i}"] for i in range(len(prefixes))], [want["path_prefix_rows"][prefix] for prefix in prefixes])
    expect("ja and", [whole["BOTH_"], whole["ONLY_"]], list(want["substring_and_rows"].values()))
    expect("ja events", {row["K"]: row["N"] for row in rows[1]}, want["event"])
    expect("ja paths", top(rows[2], "K", "N"), want["top10_path"])
    expect("ja users", top(rows[3], "K", "N"), want["top10_user"])
    expect("ja years", {str(row["K"]): row["N"] for row in rows[4]}, want["events_per_year"])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lanes", type=int, default=1)
    lanes = arguments.parse_args().lanes
    sets = (("wiki", "wiki-edits", "user", wiki), ("access", "access-log", "remote_ip", access), ("reviews", "reviews", "reviewerId", reviews),
            ("flights", "flights", "tail_number", flights), ("ja", "ja-edits", "commit", ja))
    files = {name: hp.data_file(name + ".ndjson.gz") for _, name, _, _ in sets}
    with open(hp.data_file("answers.json"), encoding="utf-8") as file:
        answers = json.load(file)
    with hp.temporary_directory() as directory, hp.Server(directory, settings=["storage.durability=none", f"aggregator.lanes={lanes}"]) as server:
        for stream, name, key, check in sets:
            before = len(CHECKS)
            put(server, stream, files[name], key)
            check(server, answers[name])
            print(f"ok: {name}: {len(CHECKS) - before} answers")
        assert server.stop() == 0, "graceful stop failed"
    print(f"ok: {len(CHECKS)} answers through SQL")


if __name__ == "__main__":
    main()
