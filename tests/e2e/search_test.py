#!/usr/bin/env python3
"""Events posted to the gateway are found by the search port within a second, by `honryu search` too; the indexer as a daemon of its own
fills its store again after it lost it.
"""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402


def events(count, offset=0):
    for i in range(offset, offset + count):
        yield {"event_id": f"00000000-0000-4000-8000-{i:012d}", "event_type": "error" if i % 10 == 0 else "page_view", "user_id": f"u{i % 17}",
               "location": {"latitude": 35.68 if i % 2 == 0 else 34.7, "longitude": 139.76 if i % 2 == 0 else 135.5, "accuracy": 10},
               "properties": {"message": f"request {i} 東京都で失敗" if i % 10 == 0 else f"request {i} served 🎉"}}


def post(server, batch):
    body = "\n".join(json.dumps(e, ensure_ascii=False) for e in batch).encode()
    status, answer = server.json("http", "POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
    assert status == 200, answer
    return answer


def count(server, query="*"):
    status, answer = server.json("search", "POST", "/events/_count", {"query": {"query_string": {"query": query}}})
    return answer["count"] if status == 200 else 0


def terminal(columns, *command, environment=None):
    """What a command writes to a terminal of so many columns."""
    process, descriptor = pty.fork()
    if process == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execve(hp.BINARY, [hp.BINARY, *command], dict(os.environ, **(environment or {})))
    out = b""
    while True:
        try:
            some = os.read(descriptor, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not some:
            break
        out += some
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, out
    return out.decode().replace("\r\n", "\n")


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in re.sub("\x1b\\[[0-9;]*m", "", text))


def on_a_terminal(server, url):
    query = ("search", "event_type:error AND 京都", "-n", "7", *url)
    for columns in (80, 140):
        shown = terminal(columns, *query).splitlines()
        assert "\x1b[1;33m" in "".join(shown) and any(bar in shown[0] for bar in "▁▂▃▄▅▆▇█"), shown
        assert all(width(line) <= columns for line in shown), [width(line) for line in shown]
        assert sum("で失敗" in line for line in shown) == 7, shown
        assert "51 found" in shown[-1] and "newest 7 shown" in shown[-1], shown
    assert "\x1b" not in terminal(80, *query, environment={"NO_COLOR": "1"})
    whole = terminal(80, *query, "--wrap", "--no-color")
    assert "…" not in whole and "event_id=" in whole, whole
    lines = hp.run_cli(*query, "-o", "json").stdout.decode().splitlines()
    assert len(lines) == 7 and all(json.loads(line)["event_type"] == "error" for line in lines), lines
    fields = hp.run_cli(*query, "--fields", "user_id,event_type").stdout.decode().splitlines()
    assert len(fields) == 7 and all(re.fullmatch(r"\S+Z  user_id=\S+  event_type=error", line) for line in fields), fields
    none = hp.run_cli("search", "nothing_like_this", *url)
    assert none.returncode == 0 and none.stdout == b"" and b"nothing found from 20" in none.stderr, none
    when = hp.run_cli("search", "--from", "lunchtime", *url, check=False)
    assert when.returncode == 1 and b"today, yesterday" in when.stderr, when
    down = hp.run_cli("search", "--url", "http://127.0.0.1:9", check=False)
    assert down.returncode == 1 and b"Connection refused" in down.stderr, down
    # A reader that has seen enough ends it without a word.
    with subprocess.Popen([hp.BINARY, "search", "-n", "400", *url], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as piped:
        piped.stdout.readline()
        piped.stdout.close()
        assert piped.wait(20) in (0, -signal.SIGPIPE) and b"rror" not in piped.stderr.read()
    # Events that come later, also such with an older time, each once.
    with subprocess.Popen([hp.BINARY, "search", "user_id:tailed", "--follow", "--fields", "properties.n", *url], stdout=subprocess.PIPE) as tail:
        expected = []
        for first in (1000, 1003, 1006):
            made = list(events(3, first))
            for i, event in enumerate(made):
                event.update(user_id="tailed", properties={"n": first + i}, timestamp=int(time.time() * 1000) - 120_000 * i)
            post(server, made)
            expected.append({f"properties.n={first + i}" for i in range(3)})
            got = {tail.stdout.readline().decode().split()[-1] for _ in range(3)}
            assert got == expected[-1], (got, expected[-1])
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == -signal.SIGINT
        assert tail.stdout.read() == b""


def tail_of_aggregates(server):
    """An aggregate may have more events than one answer: --follow shows all of them."""
    command = [hp.BINARY, "search", "user_id:packed", "--follow", "--fields", "n", "--url", server.url("search")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
        for numbers in ([-1], list(range(2500))):
            lines = "\n".join(json.dumps({"user_id": "packed", "n": n}) for n in numbers)
            hp.run_cli("put", "events", "--aggregate", "--lines", "--endpoint", server.url("kinesis"), input=lines.encode())
            got = sorted(int(tail.stdout.readline().decode().rsplit("n=", 1)[1]) for _ in numbers)
            assert got == numbers, (len(got), got[:5], got[-5:])
        tail.send_signal(signal.SIGINT)
        tail.wait(10)


def all_in_one():
    with hp.temporary_directory() as directory, hp.Server(directory) as server:
        post(server, events(1))
        hp.eventually(lambda: count(server) == 1, timeout=30, what="the first event")
        waits = []
        for i in range(1, 11):
            post(server, events(50, 50 * i))
            posted = time.monotonic()
            hp.eventually(lambda total=50 * i + 1: count(server) == total, timeout=30, what="an event to be found")
            waits.append(time.monotonic() - posted)
        print(f"found after at most {max(waits):.2f} s")
        assert sorted(waits)[len(waits) // 2] < 1, waits  # the middle one: a busy machine may delay others
        post(server, events(50, 50))  # what is there already
        assert count(server, "properties.message:京都") == 50 + 1 and count(server) == 501
        assert count(server, "🎉") == 501 - 51
        # The events' location is a place for queries and aggregations, and nobody said so before.
        status, answer = server.json("search", "POST", "/events/_search", {
            "size": 1, "track_total_hits": True, "query": {"geo_distance": {"distance": "10km", "location": {"lat": 35.7, "lon": 139.7}}},
            "sort": [{"_geo_distance": {"location": "35.7,139.7", "unit": "km"}}], "aggs": {"cells": {"geohash_grid": {"field": "location", "precision": 4}}}})
        assert status == 200 and answer["hits"]["total"]["value"] == 251, answer
        assert 5 < answer["hits"]["hits"][0]["sort"][0] < 6 and answer["aggregations"]["cells"]["buckets"] == [{"key": "xn76", "doc_count": 251}], answer
        assert server.json("search", "GET", "/events/_mapping")[1]["events"]["mappings"]["properties"]["location"]["type"] == "geo_point"
        url = ("--url", server.url("search"))
        shown = hp.run_cli("search", "event_type:error AND 京都", "--size", "5", "--histogram", *url)
        lines = shown.stdout.decode().splitlines()
        assert "most" in lines[1] and any(bar in lines[0] for bar in "▁▂▃▄▅▆▇█"), lines
        found = [line for line in lines if "東京都で失敗" in line]
        assert len(found) == 5 and "\x1b" not in shown.stdout.decode(), lines
        assert b"51 found" in shown.stderr, shown.stderr
        raw = json.loads(hp.run_cli("search", "user_id:u3", "--json", "--size", "1", *url).stdout)
        hit = raw["hits"]["hits"][0]
        assert hit["_source"]["user_id"] == "u3" and hit["_id"] == hit["_source"]["event_id"], hit
        assert server.json("search", "GET", "/events/_doc/" + hit["_id"])[1]["_source"] == hit["_source"]
        on_a_terminal(server, url)
        wrong = hp.run_cli("search", "((", *url, check=False)
        assert wrong.returncode == 1 and b"400" in wrong.stderr, wrong
        metrics = server.request("admin", "GET", "/metrics")[1].decode()
        assert "honryu_indexer_documents_total 5" in metrics, [line for line in metrics.splitlines() if "indexer" in line]
        assert server.stop() == 0
        server.start()
        assert count(server) == 501 + 9
        tail_of_aggregates(server)


def separate_daemon():
    with hp.temporary_directory() as directory:
        with hp.Server(os.path.join(directory, "broker"), ["broker", "gateway"], name="broker") as broker:
            indexer = hp.Server(os.path.join(directory, "indexer"), ["indexer"], ["broker.endpoint=" + broker.url("kinesis")], name="indexer")
            with indexer:
                post(broker, events(300))
                hp.eventually(lambda: count(indexer) == 300, what="the daemon to index")
                status, answer = indexer.json("search", "PUT", "/notes/_doc/1?refresh=true", {"text": "kept"})
                assert status == 201, answer
                assert indexer.stop() == 0
                shutil.rmtree(os.path.join(directory, "indexer", "data", "search"))
                post(broker, events(100, 300))
                indexer.start()
                hp.eventually(lambda: count(indexer) == 400, what="the store to be filled again")
                hp.eventually(lambda: indexer.json("search", "GET", "/notes/_doc/1")[0] == 200, what="the document to be back")


if __name__ == "__main__":
    all_in_one()
    separate_daemon()
