#!/usr/bin/env python3
"""kill -9 of the broker under load: every acknowledged record is read back once, in order, with its sequence number.

usage: crash_test.py [--rounds N] [--clients N] [--seed S]

Each round lets several clients put records and one split and merge shards, kills the broker at a random instant, restarts it
and goes on. At the end all shards, open and closed, are read from TRIM_HORIZON. Checked: (1) each acknowledged record is there
exactly once, in its shard, with the sequence number of its acknowledgement, and that shard covers its key; (2) records of a
client and shard come in the order of their acknowledgements; those of a client and key rise in sequence number, and from shard
to shard only go to descendants; (3) no sequence number occurs twice, and they rise along each shard; (4) an unacknowledged
PutRecords request is there whole or not at all; (5) open shards cover every hash key once; (6) `honryu log verify` finds no
fault. Whatever a client's thread runs into besides a dead server is a failure of the test.
"""
import argparse
import base64
import functools
import hashlib
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

STREAM, SHARDS = "crash", 4
HASH_KEYS = 1 << 128


def hash_of(key):
    return int.from_bytes(hashlib.md5(key.encode()).digest(), "big")


class Worker(threading.Thread):
    """A thread whose faults are kept for the main thread to report: one that dies silently would count as success."""

    def __init__(self):
        super().__init__(daemon=True)
        self.fault, self.stopping = None, False

    def run(self):
        try:
            self.work()
        except BaseException as fault:  # noqa: B902
            self.fault = f"{type(fault).__name__}: {fault}"

    def call(self, server, operation, body):
        """One call over a connection that is kept while it works: (status, answer), or None while the server is away."""
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", server.ports["kinesis"], timeout=10)
            self.connection.request("POST", "/", json.dumps(body), {"X-Amz-Target": "Kinesis_20131202." + operation,
                                                                    "Content-Type": "application/x-amz-json-1.1"})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            time.sleep(0.01)
            return None
        return answer.status, json.loads(text) if text else {}

    connection = None


class Resharder(Worker):
    """Splits and merges shards at random, keeping 2 to 8 open."""

    def __init__(self, server, seed):
        super().__init__()
        self.server, self.random = server, random.Random(seed)
        self.splits = self.merges = self.refused = 0

    def work(self):
        while not self.stopping:
            time.sleep(self.random.uniform(0.02, 0.15))
            listed = self.call(self.server, "ListShards", {"StreamName": STREAM})
            if listed is None:
                continue
            assert listed[0] == 200, listed
            opened = sorted((int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"]), s["ShardId"])
                            for s in listed[1]["Shards"] if "EndingSequenceNumber" not in s["SequenceNumberRange"])
            split = len(opened) <= 2 or (len(opened) < 8 and self.random.random() < 0.5)
            if split:
                first, last, shard = self.random.choice(opened)
                if first == last:
                    continue
                done = self.call(self.server, "SplitShard", {"StreamName": STREAM, "ShardToSplit": shard,
                                                             "NewStartingHashKey": str(self.random.randrange(first + 1, last + 1))})
            else:
                at = self.random.randrange(len(opened) - 1)
                if opened[at][1] + 1 != opened[at + 1][0]:
                    continue  # seen in the middle of a change
                done = self.call(self.server, "MergeShards", {"StreamName": STREAM, "ShardToMerge": opened[at][2],
                                                              "AdjacentShardToMerge": opened[at + 1][2]})
            if done is None:
                continue
            if done[0] == 200:
                self.splits += split
                self.merges += not split
                continue
            # Busy with the last one, or that one has closed the shard since it was listed.
            kind = done[1].get("__type", "").split("#")[-1]
            assert kind in ("ResourceInUseException", "InvalidArgumentException", "LimitExceededException") or done[0] >= 500, done
            self.refused += 1


class Client(Worker):
    """Puts numbered records in calls of a random size until told to stop; survives a dead server."""

    def __init__(self, number, server, seed):
        super().__init__()
        self.number, self.server, self.random = number, server, random.Random(seed)
        self.acknowledged = []  # (shard, sequence, data, key)
        self.calls = {}  # call number -> list of datas, for those without an answer
        self.next_call = 0

    def work(self):
        while not self.stopping:
            count = self.random.choice((1, 1, 3, 20, 100))
            call, self.next_call = self.next_call, self.next_call + 1
            datas = [f"{self.number}/{call}/{i}/".ljust(self.random.choice((20, 200, 2000)), "x") for i in range(count)]
            keys = [f"key-{self.random.randrange(200)}" for _ in datas]
            self.calls[call] = datas
            done = self.call(self.server, "PutRecords", {"StreamName": STREAM, "Records": [
                {"Data": base64.b64encode(d.encode()).decode(), "PartitionKey": k} for d, k in zip(datas, keys)]})
            if done is None:
                continue
            status, answer = done
            if status >= 500:
                continue
            assert status == 200, f"a good request was refused: {status} {answer}"
            records = answer["Records"]
            assert len(records) == count, f"{len(records)} results for {count} records"
            refused = 0
            for data, key, record in zip(datas, keys, records):
                if "SequenceNumber" in record:
                    self.acknowledged.append((record["ShardId"], int(record["SequenceNumber"]), data, key))
                else:
                    assert record["ErrorCode"] in ("ProvisionedThroughputExceededException", "InternalFailure"), record
                    refused += 1
            if refused == 0:
                del self.calls[call]


def read_shard(server, shard):
    _, answer = server.kinesis("GetShardIterator", {"StreamName": STREAM, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"})
    iterator, records = answer["ShardIterator"], []
    while True:
        status, answer = server.kinesis("GetRecords", {"ShardIterator": iterator})
        assert status == 200, answer
        records += [(int(r["SequenceNumber"]), base64.b64decode(r["Data"]).decode()) for r in answer["Records"]]
        iterator = answer.get("NextShardIterator")
        if iterator is None or (not answer["Records"] and answer["MillisBehindLatest"] == 0):
            return records


def list_shards(server):
    shards, body = [], {"StreamName": STREAM}
    while True:
        status, answer = server.kinesis("ListShards", body)
        assert status == 200, answer
        shards += answer["Shards"]
        if "NextToken" not in answer:
            return {s["ShardId"]: s for s in shards}
        body = {"NextToken": answer["NextToken"]}


class Family:
    """The shards of the stream and who descends from whom."""

    def __init__(self, shards):
        self.parents = {i: [s[p] for p in ("ParentShardId", "AdjacentParentShardId") if p in s] for i, s in shards.items()}
        self.ranges = {i: (int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for i, s in shards.items()}
        self.open = [i for i, s in shards.items() if "EndingSequenceNumber" not in s["SequenceNumberRange"]]

    def descends(self, shard, ancestor):
        return shard == ancestor or ancestor in self.ancestors(shard)

    @functools.lru_cache(maxsize=None)
    def ancestors(self, shard):
        # Remembered for every shard: splits and merges make a graph whose paths are far more than its shards.
        parents = self.parents.get(shard, [])
        return frozenset(parents).union(*(self.ancestors(parent) for parent in parents))

    @functools.lru_cache(maxsize=None)
    def covers(self, shard, key):
        return self.ranges[shard][0] <= hash_of(key) <= self.ranges[shard][1]

    def check_open_ranges(self):
        begin = 0
        for first, last in sorted(self.ranges[i] for i in self.open):
            assert first == begin, f"hash keys from {begin} to {first} have no open shard, or two"
            begin = last + 1
        assert begin == HASH_KEYS, f"hash keys from {begin} on have no open shard"


def check(server, clients):
    shards = list_shards(server)
    family = Family(shards)
    family.check_open_ranges()
    stored = {shard: read_shard(server, shard) for shard in shards}
    place = {}
    for shard, records in stored.items():
        for position, (sequence, data) in enumerate(records):
            assert data not in place, f"stored twice: {data[:40]}"
            place[data] = (shard, sequence, position)
        sequences = [s for s, _ in records]
        assert all(a < b for a, b in zip(sequences, sequences[1:])), f"sequence numbers do not rise in {shard}"
    every = [s for records in stored.values() for s, _ in records]
    assert len(every) == len(set(every)), "a sequence number was issued twice"
    acknowledged = 0
    for client in clients:
        last, by_key = {}, {}
        for shard, sequence, data, key in client.acknowledged:
            acknowledged += 1
            found = place.get(data)
            assert found is not None, f"ACKNOWLEDGED RECORD LOST: {data[:40]} {shard} {sequence}"
            assert found[:2] == (shard, sequence), f"moved: {data[:40]} acknowledged {shard} {sequence}, stored {found}"
            assert found[2] > last.get(shard, -1), f"out of order: {data[:40]}"
            last[shard] = found[2]
            assert family.covers(shard, key), f"{shard} does not cover {key}"
            if key in by_key:
                before, before_sequence = by_key[key]
                assert family.descends(shard, before), f"records of {key} went from {before} to {shard}, which does not descend from it"
                assert sequence > before_sequence, f"records of {key} are out of order: {before} {before_sequence}, then {shard} {sequence}"
            by_key[key] = (shard, sequence)
        for call, datas in client.calls.items():
            present = [d in place for d in datas]
            assert all(present) or not any(present), f"torn request {client.number}/{call}: {sum(present)} of {len(present)}"
    return acknowledged, len(place), len(shards)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HONRYU_SEED", random.randrange(1 << 30))))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.rounds} rounds, {options.clients} clients")
    chance = random.Random(options.seed)
    with hp.temporary_directory() as directory:
        # Small segments, so that kills also fall between flushes, seals and file changes.
        server = hp.Server(directory, ["broker"], ["storage.segment_bytes=4MiB", "broker.update_delay=20ms"])
        server.start()
        try:
            status, answer = server.kinesis("CreateStream", {"StreamName": STREAM, "ShardCount": SHARDS})
            assert status == 200, answer
            hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": STREAM})[1]
                          ["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", what="stream ACTIVE")
            clients = [Client(i, server, options.seed + i) for i in range(options.clients)]
            resharder = Resharder(server, options.seed - 1)
            workers = [*clients, resharder]
            for worker in workers:
                worker.start()
            for number in range(options.rounds):
                time.sleep(chance.uniform(0.05, 1.5))
                server.kill()
                server.start()
                print(f"round {number + 1}/{options.rounds}: {sum(len(c.acknowledged) for c in clients)} acknowledged so far", flush=True)
                faults = [w.fault for w in workers if w.fault]
                assert not faults, f"a thread failed: {faults}"
            time.sleep(0.5)
            for worker in workers:
                worker.stopping = True
            for worker in workers:
                worker.join(30)
                assert not worker.is_alive(), "a thread hangs"
                assert worker.fault is None, f"a thread failed: {worker.fault}"
            hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": STREAM})[1]
                          ["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", what="stream ACTIVE after resharding")
            acknowledged, stored, shards = check(server, clients)
            print(f"{resharder.splits} splits, {resharder.merges} merges, {resharder.refused} refused; {shards} shards")
            assert resharder.splits + resharder.merges >= options.rounds, "too little resharding to mean anything"
            assert acknowledged > 100 * options.rounds, f"too little load to mean anything: {acknowledged}"
            assert server.stop() == 0, "graceful stop failed"
            verify = hp.run_cli("log", "verify", os.path.join(directory, "data", "log"), timeout=300)
            print(verify.stdout.decode().strip())
            print(f"ok: {acknowledged} acknowledged, {stored} stored, {options.rounds} kills")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
