#!/usr/bin/env python3
"""From cause to notice: the demo's incidents reach a webhook within seconds; the command line shows and silences alerts.

alerts_test.py [--runs N] [--rate R]: N incidents of both kinds together in one session (default 1). Prints cause-to-notice times; the cause is when
the incident begins in the sender. Fails if any notice is missing, unsigned, comes twice by its idempotency key, or (N >= 20) if the 95th
percentile is not under 10 s for error-burst and 30 s for traffic-drop.

alerts_test.py --ready-rules: broker, gateway, aggregator, query, indexer, detector and alerter as processes of their own, with API keys; every
other ready rule, and a rule in SQL, leads from its incident to the webhook. Slack's chart is fetched without a key, and the raw events that an
anomaly names are read from the log and counted.
"""
import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

SECRET = "the-secret-of-the-webhook"
LIMITS = {"error-rate": 10, "traffic-drop": 30}
WARM, LENGTH, PAUSE = 45, 15, 30  # seconds: before the first incident, of an incident, from one to the next


class Receiver:
    """Takes webhooks; answers the first attempt of every third notification with 500."""

    def __init__(self):
        receiver = self
        self.lock, self.got, self.refused, self.faults, self.chat = threading.Lock(), {}, set(), [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(time.time(), self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def take(self, now, headers, body):
        if "X-Honryu-Timestamp" not in headers:  # Slack's format has no such thing
            with self.lock:
                self.chat.append(json.loads(body))
            return 200
        key, stamp = headers["Idempotency-Key"], headers["X-Honryu-Timestamp"]
        signature = "v1=" + hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        with self.lock:
            if headers["X-Honryu-Signature"] != signature:
                self.faults.append(f"{key}: wrong signature")
            if abs(now - int(stamp)) > 60:
                self.faults.append(f"{key}: stamped {stamp} at {now}")
            note = json.loads(body)
            if note["id"] != key:
                self.faults.append(f"{key}: the key is not the id {note['id']}")
            if note["test"] and key not in self.refused:
                self.refused.add(key)
                return 500
            if key in self.got:
                self.faults.append(f"{key}: came twice")
            self.got[key] = (now, note)
        return 200

    def notes(self, rule):
        with self.lock:
            return sorted(((when, note) for when, note in self.got.values() if note["rule"] == rule), key=lambda e: e[0])


def rules(path, changes=None):
    """The ready rules, with a shorter memory (a test cannot wait ten minutes for the usual traffic to be known) and room for as many
    messages as there are incidents; or with these changes."""
    with open(os.path.join(hp.REPOSITORY, "config", "alerts.yaml")) as file:
        text = file.read()
    for old, new in (changes or {"against: 10m": "against: 1m", "clear_for: 30s": "clear_for: 3s\n    flood: {limit: 1000}"}).items():
        assert old in text, old
        text = text.replace(old, new)
    with open(path, "w") as file:
        file.write(text)


def cli(*arguments):
    return subprocess.run([hp.BINARY, "alerts", *arguments], capture_output=True, text=True, timeout=60)


def check_cli(server, receiver):
    url = ["--url", server.url("http")]
    sent = cli("test", *url)
    assert sent.returncode == 0 and "on its way to: ops" in sent.stdout, sent.stdout + sent.stderr
    hp.eventually(lambda: len(receiver.notes("test")) == 1, what="the test notification, at the second attempt")
    assert cli("test", "nobody", *url).returncode == 1
    made = cli("silence", "--rule", "none*", "--for", "1h", "--comment", "why not", *url)
    assert made.returncode == 0, made.stderr
    silence = made.stdout.split()[0]
    listed = cli("list", *url)
    assert listed.returncode == 0 and silence in listed.stdout and "why not" in listed.stdout, listed.stdout + listed.stderr
    assert "no alerts" in listed.stdout, listed.stdout
    assert cli("silence", "--end", silence, *url).returncode == 0
    assert silence not in cli("list", *url).stdout
    for wrong in (["silence", "--rule", "none"], ["silence", "--for", "1h"], ["silence", "--rule", "none", "--for", "soon"], ["silence", "--end", "x"]):
        refused = cli(*wrong, *url)
        assert refused.returncode == 1 and refused.stderr, (wrong, refused.stdout, refused.stderr)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def read_shard(broker, stream, shard, kind, **place):
    """[(sequence, arrival in ms, data)] of a shard from a place on, to its end."""
    status, answer = broker.kinesis("GetShardIterator", {"StreamName": stream, "ShardId": shard, "ShardIteratorType": kind, **place})
    assert status == 200, answer
    records, iterator = [], answer["ShardIterator"]
    while iterator:
        status, answer = broker.kinesis("GetRecords", {"ShardIterator": iterator, "Limit": 10000})
        assert status == 200, answer
        records += [(int(r["SequenceNumber"]), round(r["ApproximateArrivalTimestamp"] * 1000), base64.b64decode(r["Data"])) for r in answer["Records"]]
        if answer["MillisBehindLatest"] == 0:
            break
        iterator = answer.get("NextShardIterator")
    return records


def check_raw_events(broker):
    """The first anomaly of the errors: what it says, and that the records it names in the log are those behind it."""
    found = [json.loads(data) for _, _, data in read_shard(broker, "anomalies", "shardId-000000000000", "TRIM_HORIZON")]
    anomaly = next(a for a in found if a["watch"] == "errors" and a["grade"] > 0 and a["direction"] == "high")
    assert anomaly["score"] > 1 and anomaly["expected"]["high"] < anomaly["value"], anomaly
    parts = anomaly["attribution"]["parts"]
    of_cause = [p for p in parts if p["view"] == anomaly["attribution"]["cause"]]
    assert abs(sum(p["high"] + p["low"] for p in of_cause) - anomaly["score"]) < 1e-6, anomaly
    assert sum(p["high"] for p in of_cause) > sum(p["low"] for p in of_cause), anomaly
    rows = next(a for a in found if a["watch"] == "rows" and a["grade"] > 0)
    assert rows["attribution"]["cause"] == "above" and rows["attribution"]["limit"] == 6 and rows["value"] > 6 and rows["key"].startswith("SERIES=user-"), rows
    raw, named, meant = anomaly["raw"], 0, 0
    assert raw["stream"] == "events" and raw["from"] <= anomaly["from"] and raw["to"] == anomaly["to"], anomaly
    ranges = {s["shard"]: s for s in raw["shards"]}
    status, answer = broker.kinesis("ListShards", {"StreamName": "events"})
    assert status == 200, answer
    for shard in (s["ShardId"] for s in answer["Shards"]):
        everything = read_shard(broker, "events", shard, "TRIM_HORIZON")
        wanted = {sequence for sequence, arrival, _ in everything if raw["from"] <= arrival < raw["to"]}
        assert bool(wanted) == (shard in ranges), (shard, raw)
        if not wanted:
            continue
        records = read_shard(broker, "events", shard, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=ranges[shard]["first"])
        last = int(ranges[shard].get("last", int(ranges[shard].get("before", 0)) - 1))
        inside = [r for r in records if r[0] <= last]
        assert {r[0] for r in inside} == wanted, f"{shard}: {len(inside)} records named, {len(wanted)} meant"
        for _, arrival, data in inside:
            errors = len(re.findall(rb'"event_type":"(?:error|crash)"', data))
            named += errors
            meant += errors if anomaly["from"] <= arrival < anomaly["to"] else 0
    # The range begins a little earlier than the five seconds, for events came before the rows that tell of them.
    assert anomaly["value"] <= named + 1 <= 3 * anomaly["value"], f"{named} errors in the range, the anomaly is about {anomaly['value']}"
    print(f"ok: an anomaly of {anomaly['value']:.0f} errors names records with {named} ({meant} without the seconds before)")


SQL_RULE = """
CREATE STREAM events (event_type VARCHAR, user_id VARCHAR, event_time TIMESTAMP, "timestamp" TIMESTAMP,
  WATERMARK FOR event_time AS event_time - INTERVAL '1' MINUTE) WITH (stream = 'events', timestamp_else = 'timestamp, arrival');
CREATE STREAM told (rule VARCHAR, series VARCHAR, value DOUBLE, limit_value DOUBLE, severity VARCHAR, summary VARCHAR) WITH (stream = 'sql-alerts');
INSERT INTO told SELECT 'many-reservations', user_id, COUNT(*), 5, 'critical', '{key} reserved {value} times, more than {limit}'
FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' HOUR)) WHERE event_type = 'reserve'
GROUP BY window_start, window_end, user_id HAVING COUNT(*) > 5 EMIT EVERY INTERVAL '1' SECOND;
"""

SLOW_PROGRAM = """
CREATE STREAM events (user_id VARCHAR, "timestamp" TIMESTAMP,
  WATERMARK FOR "timestamp" AS "timestamp" - INTERVAL '1' MINUTE) WITH (stream = 'events', timestamp_else = 'arrival');
CREATE STREAM slow (text VARCHAR) WITH (stream = 'slow');
INSERT INTO slow SELECT user_id FROM events WHERE REGEX_REPLACE(LPAD(user_id, 60000, 'ab'), 'a', 'c') = user_id;
"""


def ready_rules(rate):
    key = "the-key-of-everything"
    with hp.temporary_directory() as directory:
        receiver, daemons = Receiver(), []
        rules_file = os.path.join(directory, "rules.yaml")
        # As shipped, but for what a test cannot wait for: ten minutes of usual traffic, five until a watch speaks.
        rules(rules_file, {"against: 10m": "against: 1m", "  - name: errors\n": "  - name: errors\n    silent_rows: 15\n"})
        with open(rules_file, "a") as file:  # a watch of a program's rows that are no key figures
            file.write("  - name: rows\n    stream: sql-alerts\n    series: {key: [SERIES], value: VALUE}\n    conditions: [{is: above, limit: 6}]\n")
        common = ["gateway.api_keys.0.name=all", f"gateway.api_keys.0.key={key}", "gateway.api_keys.0.scopes=[write,read,admin]",
                  f"alerts.files=[{rules_file}]", f"aggregator.apps_dir={os.path.join(hp.REPOSITORY, 'config', 'apps')}",
                  "search.store.retention=0s"]

        def daemon(role, *settings):
            daemons.append(hp.Server(os.path.join(directory, role), [role], [*common, *settings], role).start())
            return daemons[-1]

        try:
            broker = daemon("broker")
            common.append(f"broker.endpoint={broker.url('kinesis')}")
            gateway, query, indexer = daemon("gateway"), daemon("query"), daemon("indexer")
            daemon("aggregator")
            daemon("detector")
            channels = [f"alerts.public_url={query.url('http')}"]
            for i, (name, kind) in enumerate((("ops", "webhook"), ("chat", "slack"))):
                channels += [f"alerts.channels.{i}.name={name}", f"alerts.channels.{i}.kind={kind}", f"alerts.channels.{i}.url={receiver.url}"]
            targets = ",".join(one.url("admin") for one in daemons)
            daemon("alerter", *channels, f"alerts.channels.0.secret={SECRET}", f"alerts.metrics_targets=[{targets}]")
            allowed = {"Authorization": "Bearer " + key}
            status, answer = gateway.request("http", "PUT", "/v1/sql/apps/many", SQL_RULE, allowed)
            assert status == 200, answer
            command = [hp.BINARY, "demo", "--url", gateway.url("http"), "--api-key", key, "--rate", str(rate), "--flat"]
            causes = {"traffic-drop-platform": 75, "error-rate": 120, "crash-free-rate": 120, "hot-shard": 120, "reserve-cancel": 120,
                      "many-reservations": 120}
            for incident in ("platform-drop@75s+40s", "error-burst@120s+120s", "hot-user@120s+100s", "reserve-cancel@120s+20s"):
                command += ["--incident", incident]
            begin = time.time()
            demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

            def told(rule):
                return [when - begin for when, note in receiver.notes(rule) if note["status"] == "firing"]

            try:
                while time.time() < begin + 270 and not all(told(rule) for rule in causes):
                    assert demo.poll() is None, "the demo ended"
                    time.sleep(0.5)
                # A program that cannot keep up with what comes.
                causes["consumer-lag"] = time.time() - begin
                status, answer = gateway.request("http", "PUT", "/v1/sql/apps/slow?from=trim_horizon", SLOW_PROGRAM, allowed)
                assert status == 200, answer
                while time.time() < begin + causes["consumer-lag"] + 120 and not told("consumer-lag"):
                    time.sleep(0.5)
            finally:
                demo.terminate()
                demo.wait()
            missing = [rule for rule in causes if not told(rule)]
            if missing:  # what may be behind it
                for one in daemons:
                    status, page = one.request("admin", "GET", "/metrics")
                    print(one.name, [line for line in page.decode().splitlines() if "_lag_seconds{" in line and not line.endswith((" 0", "Nan"))])
                    print(one.log_tail(10))
                for path in ("/v1/alerts/history?limit=40", "/v1/kpi?metric=crash_free_sessions&window=5m", "/v1/kpi?metric=app_sessions&window=5m"):
                    print(path, query.request("http", "GET", path, headers=allowed)[1].decode()[:4000])
                print(gateway.request("http", "GET", "/v1/sql/apps", headers=allowed)[1].decode())
            assert not missing, f"no notice: {missing}"
            for rule, after in causes.items():
                first = told(rule)[0]
                assert first >= after, f"{rule}: told {first:.1f} s after the begin, its cause began at {after} s"
                note = next(note for _, note in receiver.notes(rule) if note["status"] == "firing")
                print(f"ok: {rule}: {first - after:.1f} s after its cause: {note['alerts'][0]['summary']}")
            assert not receiver.faults, receiver.faults
            sql = next(note for _, note in receiver.notes("many-reservations"))
            assert sql["severity"] == "critical" and sql["alerts"][0]["limit"] == 5, sql
            drops = {alert["key"] for _, note in receiver.notes("traffic-drop-platform") for alert in note["alerts"]}
            assert "group=platform=android" in drops, drops

            check_raw_events(broker)
            status, _ = query.request("http", "GET", "/v1/alerts")
            assert status == 401, "the API must need its key here"
            with receiver.lock:
                blocks = [block for chat in receiver.chat for one in chat["attachments"] for block in one["blocks"]]
            pictures = [block["image_url"] for block in blocks if block["type"] == "image"]
            assert pictures and all(len(url) < 3000 for url in pictures), "Slack takes at most 3,000 characters"
            with urllib.request.urlopen(pictures[0], timeout=10) as answer:
                assert answer.headers["Content-Type"] == "image/png" and answer.read(8) == b"\x89PNG\r\n\x1a\n"
            assert any("```" in block["text"]["text"] for block in blocks if block["type"] == "section"), "the rows that fired"
            print(f"ok: Slack's chart needs no key ({len(pictures[0])} characters)")

            gone = time.time()
            indexer.kill()
            down = hp.eventually(lambda: [w for w, n in receiver.notes("daemon-down") if n["status"] == "firing" and w > gone], what="daemon-down")
            print(f"ok: daemon-down: {down[0] - gone:.1f} s after its cause")
        finally:
            for one in daemons:
                one.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--ready-rules", action="store_true")
    options = parser.parse_args()
    if options.ready_rules:
        ready_rules(options.rate)
        return
    with hp.temporary_directory() as directory:
        receiver = Receiver()
        rules_file = os.path.join(directory, "rules.yaml")
        rules(rules_file)
        settings = [f"alerts.files={rules_file}", "alerts.channels.0.name=ops", "alerts.channels.0.kind=webhook",
                    f"alerts.channels.0.url={receiver.url}", f"alerts.channels.0.secret={SECRET}"]
        with hp.Server(os.path.join(directory, "all"), settings=settings) as server:
            check_cli(server, receiver)
            causes = {"error-rate": [], "traffic-drop": []}
            command = [hp.BINARY, "demo", "--url", server.url("http"), "--rate", str(options.rate), "--flat"]
            for i in range(options.runs):
                for rule, kind in (("error-rate", "error-burst"), ("traffic-drop", "traffic-drop")):
                    after = WARM + i * PAUSE
                    causes[rule].append(after)
                    command += ["--incident", f"{kind}@{after}s+{LENGTH}s"]
            begin = time.time()
            demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                end = begin + WARM + options.runs * PAUSE
                while time.time() < end:
                    assert demo.poll() is None, "the demo ended"
                    time.sleep(0.2)
                listed = cli("list", "--history", "--url", server.url("http"))
                assert listed.returncode == 0 and "error-rate" in listed.stdout, listed.stdout + listed.stderr
                status, chart = server.request("http", "GET", "/v1/alerts/chart.png?alert=error-rate%7B%7D")
                assert status == 200 and chart.startswith(b"\x89PNG"), (status, chart[:100])
            finally:
                demo.terminate()
                demo.wait()
            assert not receiver.faults, receiver.faults
            failed = []
            for rule, limit in LIMITS.items():
                notes = receiver.notes(rule)
                times = []
                for after in causes[rule]:
                    told = [when - begin - after for when, note in notes
                            if note["status"] == "firing" and 0 <= when - begin - after < PAUSE]
                    if told:
                        times.append(told[0])
                    else:
                        failed.append(f"{rule}: no notice of the incident at {after} s")
                false = [when - begin for when, note in notes if note["status"] == "firing"
                         and not any(0 <= when - begin - after < PAUSE for after in causes[rule])]
                if false:
                    failed.append(f"{rule}: notices without a cause at {false}")
                if times:
                    p95 = percentile(times, 0.95)
                    print(f"{rule}: {len(times)} of {len(causes[rule])} noticed, cause to notice min {min(times):.1f} s, "
                          f"median {percentile(times, 0.5):.1f} s, p95 {p95:.1f} s, max {max(times):.1f} s")
                    if options.runs >= 20 and p95 >= limit:
                        failed.append(f"{rule}: p95 {p95:.1f} s, limit {limit} s")
            others = [note["rule"] for _, note in receiver.got.values() if note["rule"] not in (*LIMITS, "test")]
            print(f"other notifications: {others}")
            if failed:
                print(server.log_tail(60))
            assert not failed, failed


if __name__ == "__main__":
    main()
