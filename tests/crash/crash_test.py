#!/usr/bin/env python3
"""kill -9 of the broker under load: every acknowledged record is read back once, in order, with its sequence number.

usage: crash_test.py [--rounds N] [--clients N] [--seed S]

Each round lets several clients put records, kills the broker at a random instant, restarts it and goes on. At the end all
shards are read from TRIM_HORIZON. Checked: (1) each acknowledged record is there exactly once, in its shard, with the
sequence number of its acknowledgement; (2) records of a client and shard come in the order of their acknowledgements;
(3) no sequence number occurs twice, and they rise along each shard; (4) an unacknowledged PutRecords request is there
per shard whole or not at all; (5) `honryu log verify` finds no fault.
"""
import argparse
import base64
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


class Client(threading.Thread):
    """Puts numbered records in calls of a random size until told to stop; survives a dead server."""

    def __init__(self, number, server, seed):
        super().__init__(daemon=True)
        self.number, self.server, self.random = number, server, random.Random(seed)
        self.acknowledged = []  # (shard, sequence, data)
        self.calls = {}  # call number -> list of datas, for those without an answer
        self.next_call, self.stopping = 0, False

    def run(self):
        connection = None
        while not self.stopping:
            count = self.random.choice((1, 1, 3, 20, 100))
            call, self.next_call = self.next_call, self.next_call + 1
            datas = [f"{self.number}/{call}/{i}/".ljust(self.random.choice((20, 200, 2000)), "x") for i in range(count)]
            body = json.dumps({"StreamName": STREAM, "Records": [
                {"Data": base64.b64encode(d.encode()).decode(), "PartitionKey": f"key-{self.random.randrange(1000)}"} for d in datas]})
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.server.ports["kinesis"], timeout=10)
                self.calls[call] = datas
                connection.request("POST", "/", body, {"X-Amz-Target": "Kinesis_20131202.PutRecords",
                                                       "Content-Type": "application/x-amz-json-1.1"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 200:
                    continue
                records = json.loads(text)["Records"]
                assert len(records) == count
                refused = 0
                for data, record in zip(datas, records):
                    if "SequenceNumber" in record:
                        self.acknowledged.append((record["ShardId"], int(record["SequenceNumber"]), data))
                    else:
                        refused += 1
                if refused == 0:
                    del self.calls[call]
            except (OSError, http.client.HTTPException, ValueError):
                connection = None
                time.sleep(0.01)


def read_shard(server, shard):
    _, answer = server.kinesis("GetShardIterator", {"StreamName": STREAM, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"})
    iterator, records = answer["ShardIterator"], []
    while True:
        status, answer = server.kinesis("GetRecords", {"ShardIterator": iterator})
        assert status == 200, answer
        records += [(int(r["SequenceNumber"]), base64.b64decode(r["Data"]).decode()) for r in answer["Records"]]
        if not answer["Records"] and answer["MillisBehindLatest"] == 0:
            return records
        iterator = answer["NextShardIterator"]


def check(server, clients):
    stored = {f"shardId-{i:012d}": read_shard(server, f"shardId-{i:012d}") for i in range(SHARDS)}
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
        last = {}
        for shard, sequence, data in client.acknowledged:
            acknowledged += 1
            found = place.get(data)
            assert found is not None, f"ACKNOWLEDGED RECORD LOST: {data[:40]} {shard} {sequence}"
            assert found[:2] == (shard, sequence), f"moved: {data[:40]} acknowledged {shard} {sequence}, stored {found}"
            assert found[2] > last.get(shard, -1), f"out of order: {data[:40]}"
            last[shard] = found[2]
        for call, datas in client.calls.items():
            present = [d in place for d in datas]
            assert all(present) or not any(present), f"torn request {client.number}/{call}: {sum(present)} of {len(present)}"
    return acknowledged, len(place)


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
        server = hp.Server(directory, ["broker"], ["storage.segment_bytes=4MiB"])
        server.start()
        try:
            status, answer = server.kinesis("CreateStream", {"StreamName": STREAM, "ShardCount": SHARDS})
            assert status == 200, answer
            hp.eventually(lambda: server.kinesis("DescribeStreamSummary", {"StreamName": STREAM})[1]
                          ["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE", what="stream ACTIVE")
            clients = [Client(i, server, options.seed + i) for i in range(options.clients)]
            for client in clients:
                client.start()
            for number in range(options.rounds):
                time.sleep(chance.uniform(0.05, 1.5))
                server.kill()
                server.start()
                print(f"round {number + 1}/{options.rounds}: {sum(len(c.acknowledged) for c in clients)} acknowledged so far", flush=True)
            time.sleep(0.5)
            for client in clients:
                client.stopping = True
            for client in clients:
                client.join(30)
                assert not client.is_alive(), "a client hangs"
            acknowledged, stored = check(server, clients)
            assert acknowledged > 100 * options.rounds, f"too little load to mean anything: {acknowledged}"
            assert server.stop() == 0, "graceful stop failed"
            verify = hp.run_cli("log", "verify", os.path.join(directory, "data", "log"), timeout=300)
            print(verify.stdout.decode().strip())
            print(f"ok: {acknowledged} acknowledged, {stored} stored, {options.rounds} kills")
        finally:
            server.kill()


if __name__ == "__main__":
    main()
