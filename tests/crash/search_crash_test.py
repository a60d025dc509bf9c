#!/usr/bin/env python3
"""kill -9 of the indexer under load, flushing and merging all the time: afterwards searches answer what the log says.

usage: search_crash_test.py [--rounds N] [--writers N] [--seed S]

Writers send bulk requests of documents with and without ids: new ones, replacements, creations of what may be there, deletions. Each
round kills the process (broker, log and search store in one) at a random instant and starts it again. At the end the stream of documents
is read from its beginning and its operations are applied to a dictionary, which is what the index must hold: the same ids, the same
values, the same counts by aggregation, and nothing twice. Every acknowledged operation must be in the stream.
"""
import argparse
import base64
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

# Flushes several times a second and merges what it finds, so that most kills hit one of them.
SETTINGS = ["search.streams=[]", "search.store.flush_age=150ms", "search.store.flush_bytes=1048576", "search.refresh_interval=20ms",
            "search.document_shards=3"]


class Writer(threading.Thread):
    """Sends bulks until told to stop; remembers what was acknowledged."""

    def __init__(self, server, number, seed):
        super().__init__(daemon=True)
        self.server, self.number, self.random = server, number, random.Random(seed)
        self.stopping, self.acknowledged, self.sent, self.fault = False, set(), 0, None

    def bulk(self):
        lines, marks = [], []
        for _ in range(self.random.randint(1, 60)):
            self.sent += 1
            mark = f"{self.number}-{self.sent}"
            key = f"w{self.number}-{self.random.randrange(400)}"
            kind = self.random.choice(["index", "index", "create", "delete", "new"])
            document = json.dumps({"mark": mark, "group": f"g{self.random.randrange(5)}", "message": f"write {mark} of 東京", "n": self.sent})
            if kind == "delete":
                lines.append(json.dumps({"delete": {"_index": "crash", "_id": key}}))
                marks.append(None)
                continue
            meta = {"_index": "crash"} if kind == "new" else {"_index": "crash", "_id": key}
            lines += [json.dumps({"index" if kind == "new" else kind: meta}), document]
            marks.append(mark)
        status, answer = self.server.json("search", "POST", "/_bulk", ("\n".join(lines) + "\n").encode(),
                                          {"Content-Type": "application/x-ndjson"}, timeout=20)
        if status != 200:
            return
        for item, mark in zip(answer["items"], marks):
            result = next(iter(item.values()))
            assert result["status"] in (200, 201, 404, 409), result
            if mark is not None and result["status"] in (200, 201):
                self.acknowledged.add(mark)

    def run(self):
        try:
            while not self.stopping:
                try:
                    self.bulk()
                except (OSError, json.JSONDecodeError, hp.http.client.HTTPException):
                    time.sleep(0.02)  # the server is away
        except BaseException as fault:  # noqa: B902
            self.fault = f"{type(fault).__name__}: {fault}"


def read_log(server):
    """Operations of the stream of documents, shard by shard in order."""
    shards = server.kinesis("ListShards", {"StreamName": "documents"})[1]["Shards"]
    operations = []
    for shard in shards:
        cursor = server.kinesis("GetShardIterator", {"StreamName": "documents", "ShardId": shard["ShardId"],
                                                     "ShardIteratorType": "TRIM_HORIZON"})[1]["ShardIterator"]
        while cursor:
            status, answer = server.kinesis("GetRecords", {"ShardIterator": cursor, "Limit": 10000})
            assert status == 200, answer
            operations += [json.loads(base64.b64decode(record["Data"])) for record in answer["Records"]]
            cursor = answer.get("NextShardIterator")
            if not answer["Records"] and answer["MillisBehindLatest"] == 0:
                break
    return operations


def expected(operations):
    documents = {}
    for operation in operations:
        key, kind = operation["_id"], operation.get("_op", "index")
        if kind == "delete":
            documents.pop(key, None)
        elif kind != "create" or key not in documents:
            documents[key] = operation["_source"]
    return documents


def search(server, body, path="/crash/_search"):
    status, answer = server.json("search", "POST", path, body, {"Content-Type": "application/json"}, timeout=60)
    assert status == 200, answer
    return answer


def compare(server, documents):
    found = {}
    body = {"size": 1000, "sort": [{"_doc": "asc"}]}
    answer = search(server, body, "/crash/_search?scroll=1m")
    while answer["hits"]["hits"]:
        for hit in answer["hits"]["hits"]:
            assert hit["_id"] not in found, f"{hit['_id']} is there twice"
            found[hit["_id"]] = hit["_source"]
        answer = search(server, {"scroll": "1m", "scroll_id": answer["_scroll_id"]}, "/_search/scroll")
    missing, extra = documents.keys() - found.keys(), found.keys() - documents.keys()
    assert not missing and not extra, f"{len(missing)} missing {sorted(missing)[:5]}, {len(extra)} too many {sorted(extra)[:5]}"
    wrong = [key for key in documents if documents[key] != found[key]]
    assert not wrong, f"{len(wrong)} of another version: {wrong[:5]}"
    answer = search(server, {"size": 0, "track_total_hits": True, "query": {"match": {"message": "東京"}},
                             "aggs": {"groups": {"terms": {"field": "group.keyword", "size": 10}, "aggs": {"n": {"stats": {"field": "n"}}}},
                                      "steps": {"histogram": {"field": "n", "interval": 50, "min_doc_count": 1}},
                                      "marks": {"cardinality": {"field": "mark.keyword"}},
                                      "middle": {"percentiles": {"field": "n", "percents": [50]}}}})
    assert answer["_shards"]["failed"] == 0, answer["_shards"]
    assert answer["hits"]["total"]["value"] == len(documents), answer["hits"]["total"]
    groups, steps = {}, {}
    for document in documents.values():
        groups.setdefault(document["group"], []).append(document["n"])
        steps[document["n"] // 50 * 50] = steps.get(document["n"] // 50 * 50, 0) + 1
    found_groups = {b["key"]: (b["doc_count"], b["n"]["min"], b["n"]["max"], b["n"]["sum"]) for b in answer["aggregations"]["groups"]["buckets"]}
    wanted = {key: (len(numbers), min(numbers), max(numbers), sum(numbers)) for key, numbers in groups.items()}
    assert found_groups == wanted, (found_groups, wanted)
    found_steps = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["steps"]["buckets"]}
    assert found_steps == steps, (found_steps, steps)
    assert answer["aggregations"]["marks"]["value"] == len({document["mark"] for document in documents.values()})
    numbers = sorted(document["n"] for document in documents.values())
    assert answer["aggregations"]["middle"]["values"]["50.0"] == numbers[(len(numbers) + 1) // 2 - 1]


def segment_files(server):
    folder = os.path.join(server.data_dir, "data", "search", "segments")
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def settle(server):
    """Waits until everything in the stream is indexed and visible."""
    before = None
    def quiet():
        nonlocal before
        status, text = server.request("admin", "GET", "/metrics")
        assert status == 200
        lag = [line for line in text.decode().splitlines() if line.startswith("honryu_consumer_lag_seconds") and "indexer" in line]
        done = [line for line in text.decode().splitlines() if line.startswith(("honryu_indexer_documents_total", "honryu_indexer_bytes_total"))]
        same, before = before == done, done
        return same and len(lag) >= 3 and all(float(line.rsplit(" ", 1)[1]) == 0 for line in lag)
    hp.eventually(quiet, timeout=60, what="the indexer to catch up")
    status, answer = server.json("search", "POST", "/_refresh")
    assert status == 200, answer


def await_half_written(server, dice):
    """Until a segment is being written, and an instant longer; a second at most."""
    wanted = dice.randrange(1, 12)  # of a flush, or of a merge after it
    until = time.monotonic() + 1
    while wanted > 0 and time.monotonic() < until:
        if any(name.endswith(".tmp") for name in segment_files(server)):
            wanted -= 1
    time.sleep(dice.uniform(0, 0.002))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    dice = random.Random(options.seed)
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker", "indexer"], SETTINGS) as server:
        writers = [Writer(server, number, dice.random()) for number in range(options.writers)]
        for writer in writers:
            writer.start()
        flushes = merges = halves = 0
        for round_number in range(options.rounds):
            time.sleep(dice.uniform(0.3, 2.5))
            status, stats = server.json("search", "GET", "/_stats")
            assert status == 200, stats
            flushes += stats["honryu"]["flushes"]
            merges += stats["honryu"]["merges"]
            time.sleep(dice.uniform(0, 0.2))
            if round_number % 2 == 1:
                await_half_written(server, dice)
            server.kill()
            written = segment_files(server)
            server.start()
            # A flush or a merge was being written when the kill came.
            half = sum(name.endswith(".tmp") for name in written)
            halves += 1 if half else 0
            gone = len(written - segment_files(server))
            print(f"round {round_number + 1}: killed after {stats['honryu']['flushes']} flushes and {stats['honryu']['merges']} merges, "
                  f"{half} file(s) half written, {gone} gone after the start, {sum(len(w.acknowledged) for w in writers)} acknowledged", flush=True)
        assert flushes > 0 and merges > 0, (flushes, merges)
        time.sleep(1)
        for writer in writers:
            writer.stopping = True
        for writer in writers:
            writer.join(30)
            assert writer.fault is None, writer.fault
        settle(server)
        operations = read_log(server)
        logged = {operation["_source"]["mark"] for operation in operations if "_source" in operation}
        lost = set().union(*(writer.acknowledged for writer in writers)) - logged
        assert not lost, f"{len(lost)} acknowledged writes are not in the log: {sorted(lost)[:5]}"
        documents = expected(operations)
        compare(server, documents)
        # Once more from disk alone.
        assert server.stop() == 0, server.log_tail()
        server.start()
        compare(server, documents)
        _, stats = server.json("search", "GET", "/_stats")
        assert stats["honryu"]["quarantined_segments"] == 0, stats["honryu"]
        print(f"ok: {len(operations)} operations, {len(documents)} documents, {len(logged)} sources; {flushes} flushes and {merges} merges, "
              f"{halves} of {options.rounds} kills left a file half written")


if __name__ == "__main__":
    main()
