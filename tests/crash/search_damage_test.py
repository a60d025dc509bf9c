#!/usr/bin/env python3
"""Damaged segments of a real process: noticed before they answer, reported, and rebuilt from the log.

usage: search_damage_test.py [--seed S]

For each kind of damage (bits flipped, cut, emptied, gone, filled with zeros, in one or all segments): the process is stopped and its
segments damaged. From its first answer on, each search either says that shards failed or is whole; `_cluster/health`, `_cat/indices`,
metrics and the log tell of the damage; and after a while every answer is what it was before, with nothing failed.
"""
import argparse
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

SETTINGS = ["search.streams=[]", "search.store.flush_age=150ms", "search.refresh_interval=20ms"]
QUESTION = {"size": 1000, "track_total_hits": True, "query": {"query_string": {"query": "message:write OR n:>=0"}}, "sort": [{"n": "asc"}],
            "aggs": {"groups": {"terms": {"field": "group.keyword"}, "aggs": {"n": {"stats": {"field": "n"}}}},
                     "steps": {"histogram": {"field": "n", "interval": 50}}, "marks": {"cardinality": {"field": "message.keyword"}}}}
KEYS = ["hits", "aggregations"]


def ask(server, body=None):
    status, answer = server.json("search", "POST", "/damage/_search", body or QUESTION, {"Content-Type": "application/json"}, timeout=60)
    assert status == 200, answer
    return answer


def whole_of(answer):
    return {key: answer[key] for key in KEYS}


def write(server, first, last):
    lines = []
    for n in range(first, last):
        # Some replace earlier ones, some are deleted again: neither may come back with a rebuilt segment.
        key = f"k{n % 500}"
        lines += [json.dumps({"index": {"_index": "damage", "_id": key}}),
                  json.dumps({"n": n, "group": f"g{n % 5}", "message": f"write {n} of 東京", "long": "x" * 400})]
        if n % 7 == 0:
            lines.append(json.dumps({"delete": {"_index": "damage", "_id": f"k{(n - 30) % 500}"}}))
    status, answer = server.json("search", "POST", "/_bulk?refresh=true", ("\n".join(lines) + "\n").encode(),
                                 {"Content-Type": "application/x-ndjson"})
    assert status == 200, answer


def folder(server):
    return os.path.join(server.data_dir, "data", "search", "segments")


def segments(server):
    return sorted((os.path.join(folder(server), name) for name in os.listdir(folder(server))), key=os.path.getsize, reverse=True)


def flip(path, dice):
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        for _ in range(3):
            place = dice.randrange(8, size)
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << dice.randrange(8))]))


def fill(path, _):
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.write(b"\0" * size)


DAMAGES = {
    "flipped": flip,
    "flipped again": flip,
    "flipped a third time": flip,
    "cut": lambda path, dice: os.truncate(path, dice.randrange(os.path.getsize(path))),
    "empty": lambda path, dice: os.truncate(path, 0),
    "gone": lambda path, dice: os.unlink(path),
    "zeros": fill,
    # While the process has them mapped and reads them.
    "live cut": lambda path, dice: os.truncate(path, dice.randrange(os.path.getsize(path))),
    "live cut in the first page": lambda path, dice: os.truncate(path, dice.randrange(4096)),
    "live empty": lambda path, dice: os.truncate(path, 0),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HONRYU_SEED", "7")))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    print(f"seed {options.seed}")
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker", "indexer"], SETTINGS) as server:
        for first in range(0, 2000, 250):
            write(server, first, first + 250)
            time.sleep(0.2)
        before = whole_of(ask(server))
        rebuilt = 0
        for number, (name, damage) in enumerate(DAMAGES.items()):
            live = name.startswith("live")
            noticed_before = server.json("search", "GET", "/_stats")[1]["honryu"]["quarantined_segments"] if live else 0
            if not live:
                assert server.stop() == 0, server.log_tail()
            chosen = segments(server) if number % 3 == 2 else segments(server)[:1]
            for path in chosen:
                damage(path, dice)
            if not live:
                server.start()
            failed = 0
            began = time.monotonic()
            while True:
                answer = ask(server)
                if answer["_shards"]["failed"] == 0:
                    # Whole, or it would have said so.
                    assert whole_of(answer) == before, f"{name}: a short answer that does not say so"
                    break
                failed += 1
                reason = answer["_shards"]["failures"][0]["reason"]
                assert reason["type"] == "corrupt_index_exception" and "rebuilt" in reason["reason"], reason
                health = server.json("search", "GET", "/_cluster/health")[1]["status"]
                cat = server.json("search", "GET", "/_cat/indices/damage?format=json&h=health")[1][0]["health"]
                refused, _ = server.json("search", "POST", "/damage/_search?allow_partial_search_results=false", {})
                if ask(server, {"size": 0})["_shards"]["failed"] > 0:
                    assert (health, cat, refused) == ("red", "red", 503), (health, cat, refused)
                assert time.monotonic() - began < 60, f"{name}: not rebuilt\n{server.log_tail()}"
                time.sleep(0.05)
            hp.eventually(lambda: server.json("search", "GET", "/_stats")[1]["honryu"]["lost_segments"] == 0, timeout=30, what="rebuilding")
            stats = server.json("search", "GET", "/_stats")[1]["honryu"]
            metrics = server.request("admin", "GET", "/metrics")[1].decode()
            noticed = stats["quarantined_segments"] - noticed_before
            # A flipped bit may lie between sections, where nothing is.
            assert noticed >= 1 or name.startswith("flipped"), (name, stats)
            if noticed:
                assert "is corrupt and was set aside" in server.log_tail(4000), server.log_tail()
                assert "honryu_indexer_lost_segments" in metrics
                rebuilt += noticed
            print(f"{name}: {len(chosen)} damaged, {noticed} rebuilt, {failed} answers said that shards failed", flush=True)
            assert whole_of(ask(server)) == before, name
            assert not os.listdir(os.path.join(os.path.dirname(folder(server)), "quarantine")), name
        assert rebuilt >= 6, rebuilt
        print(f"ok: {rebuilt} segments rebuilt")


if __name__ == "__main__":
    main()
