#!/usr/bin/env python3
"""Two aggregators, one runs the key figures: killed with kill -9 in mid-window, restarted, a shard split in mid-window. Every
window's final row is in the query store exactly once, with the value that the events give, and wherever the row came
again in the stream it was the same. `--lanes N`: several threads work on the shards of each cut, and what takes over has one more of them.
"""
import argparse
import json
import os
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

FAST = ["aggregator.idle_timeout=4s", "aggregator.lease_duration=2s", "aggregator.emit_interval=100ms", "aggregator.checkpoint_interval=1s"]
DAY = ("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z")


def batch(first, count):
    """Events a second apart, from 10:00:00 on; users and types repeat."""
    lines = []
    for i in range(first, first + count):
        time = f"2024-05-01T{10 + i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z"
        lines.append(json.dumps({"event_id": f"00000000-0000-4000-8000-{i:012d}", "event_type": ("a", "b", "error")[i % 3],
                                 "timestamp": time, "user_id": f"u{i % 23}"}))
    return "\n".join(lines).encode()


def post(server, first, count):
    def send():
        status, answer = server.json("http", "POST", "/v1/events", batch(first, count), {"Content-Type": "application/x-ndjson"})
        return status == 200 and answer["accepted"] + answer["duplicates"] == count
    hp.eventually(send, what=f"events {first} to {first + count} taken")


def rows(server, metric, window):
    query = urllib.parse.urlencode({"metric": metric, "window": window, "from": DAY[0], "to": DAY[1]})
    status, answer = server.json("http", "GET", "/v1/kpi?" + query)
    assert status == 200, answer
    return [row for row in answer["rows"] if row["final"]]


def owns(aggregator):
    status, text = aggregator.request("admin", "GET", "/metrics")
    return status == 200 and b'honryu_sql_owner{application="kpi"} 1' in text


def owner_of(aggregators):
    return hp.eventually(lambda: next((a for a in aggregators if a.process.poll() is None and owns(a)), None), what="an owner of the key figures")


def lane_cuts(aggregator):
    text = aggregator.request("admin", "GET", "/metrics")[1].decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith('honryu_sql_lane_cuts_total{application="kpi"}'))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--lanes", type=int, default=1)
    lanes = arguments.parse_args().lanes
    with hp.temporary_directory() as directory:
        servers = []
        try:
            center = hp.Server(os.path.join(directory, "center"), ["broker", "gateway", "query"], FAST, "center").start()
            servers.append(center)
            remote = FAST + [f"broker.endpoint={center.url('kinesis')}"]
            pair = [hp.Server(os.path.join(directory, name), ["aggregator"], remote + [f"aggregator.lanes={lanes + (i if lanes > 1 else 0)}"], name).start()
                    for i, name in enumerate(("one", "two"))]
            servers += pair
            post(center, 0, 400)
            first = owner_of(pair)
            hp.eventually(lambda: len(rows(center, "events", "1m")) >= 3, what="the first windows final")
            post(center, 400, 50)
            first.kill()  # 450 s: in the middle of the eighth minute
            post(center, 450, 350)
            second = owner_of([server for server in pair if server is not first])
            hp.eventually(lambda: len(rows(center, "events", "1m")) >= 11, what="windows after the take-over")
            print("ok: taken over after kill -9")

            status, answer = center.kinesis("ListShards", {"StreamName": "events"})
            shard = answer["Shards"][0]
            low, high = (int(shard["HashKeyRange"][key]) for key in ("StartingHashKey", "EndingHashKey"))
            status, answer = center.kinesis("SplitShard", {"StreamName": "events", "ShardToSplit": shard["ShardId"],
                                                          "NewStartingHashKey": str((low + high) // 2)})
            assert status == 200, answer
            post(center, 800, 400)
            hp.eventually(lambda: len(rows(center, "events", "1m")) >= 17, what="windows after the split")
            assert (lane_cuts(second) > 0) == (lanes > 1), lane_cuts(second)
            print("ok: split in mid-window")

            post(center, 1200, 33)
            assert second.stop() == 0  # gracefully, in mid-window
            second.start()
            post(center, 1233, 267)
            owner_of(pair[:1] if pair[0].process.poll() is None else [second])
            hp.eventually(lambda: len(rows(center, "users", "1h")) == 1 and len(rows(center, "events", "1m")) == 25, timeout=120, what="all windows final")
            print("ok: restart in mid-window")

            for metric, expected in (("events", 60), ("users", 23), ("errors", 20)):
                found = rows(center, metric, "1m")
                assert len(found) == 25 and len({row["start"] for row in found}) == 25, found
                assert all(row["value"] == expected for row in found), (metric, found)
                fives = rows(center, metric, "5m")
                assert [row["value"] for row in fives] == [{"events": 300, "users": 23, "errors": 100}[metric]] * 5, fives
            assert [row["value"] for row in rows(center, "events", "1h")] == [1500]
            read = subprocess.run([hp.BINARY, "get", "kpi", "--endpoint", center.url("kinesis")], capture_output=True, check=True, timeout=60)
            values, again = {}, 0
            for line in read.stdout.decode().splitlines():
                row = json.loads(line)
                if not row["final"]:
                    continue
                again += row["id"] in values
                assert values.setdefault(row["id"], row["value"]) == row["value"], f"{row['id']} came again with another value"
            print(f"ok: {len(values)} final rows, {again} of them told again after a crash, each with one value")
            for name in ("late-events", "kpi-errors"):
                done = subprocess.run([hp.BINARY, "get", name, "--endpoint", center.url("kinesis")], capture_output=True, timeout=60)
                assert not done.stdout, f"{name}: {done.stdout[:300]}"
        finally:
            for server in servers:
                server.kill()


if __name__ == "__main__":
    main()
