#!/usr/bin/env python3
"""The Kinesis Client Library against Honryu alone: its leases in Honryu's tables, its metrics taken by Honryu. usage: kcl_test.py 3|2

Two workers of one application read a stream of four shards: aggregates that our own writer made and plain records, through a split and
a merge, and through the kill -9 of one of them. Every record must be seen, those of a key in order, and the metrics must be at /metrics.
All requests are signed, and verified. Installs the library with Maven once, under build/; skipped without Maven, a JDK or the registry.
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402
import maven  # noqa: E402

VERSIONS = {"3": "3.5.1", "2": "2.7.2"}
RETRIEVAL = {"3": "fanout", "2": "polling"}
KEY, SECRET = "KCLKEY", "a secret for tests only"
STREAM = "kcl"
PARTS = 16  # of the hash range: no shard is without keys
EACH = 100  # records a key and phase


def spread_keys():
    """A key for each part of the hash range."""
    keys = {}
    for i in range(10000):
        key = f"user-{i}"
        keys.setdefault(hashlib.md5(key.encode()).digest()[0] * PARTS // 256, key)
    return sorted(keys.values())


KEYS = spread_keys()


class Java:
    """The program of tests/clients/kcl; collects the lines it prints: (milliseconds, words)."""

    def __init__(self, class_path, directory, name, arguments):
        self.name, self.lines = name, []
        self.log = os.path.join(directory, f"{name}.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
                 "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", class_path, "Consumer", *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ, AWS_EC2_METADATA_DISABLED="true"))
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line.endswith("\n"):  # a kill may cut the last one
                stamp, *words = line.split()
                self.lines.append((int(stamp), words))

    def held(self):
        """Shards that it has begun, and neither ended nor lost."""
        now = set()
        for _, words in list(self.lines):
            if words[0] == "start":
                now.add(words[1])
            elif words[0] in ("end", "lost"):
                now.discard(words[1])
        return now

    def of(self, kind):
        return [words[1:] for _, words in self.lines if words[0] == kind]

    def end(self, sig=None, timeout=60):
        """By a signal, or by the end of its input, at which it stops by itself."""
        if sig is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(sig)
        code = self.process.wait(timeout)
        self.reader.join(timeout)
        return code

    def leader(self):
        """Who leads, as its log has it last (KCL 3)."""
        with open(self.log, errors="replace") as file:
            named = re.findall(r"Worker : (\S+) is the current Leader", file.read())
        return named[-1] if named else None

    def tail(self):
        with open(self.log, errors="replace") as file:
            return f"--- {self.name}\n{file.read()[-6000:]}"


class Run:
    def __init__(self, server, class_path, directory):
        self.server, self.class_path, self.directory = server, class_path, directory
        self.url, self.workers, self.put_until = server.url("kinesis"), [], 0
        self.began = time.monotonic()

    def say(self, text):
        print(f"ok: {text} ({time.monotonic() - self.began:.0f} s)", flush=True)

    def put(self, aggregate):
        for key in KEYS:
            lines = "".join(f"{key}/{i}\n" for i in range(self.put_until, self.put_until + EACH))
            hp.run_cli("put", STREAM, "--lines", "--key", key, "--endpoint", self.url, *(["--aggregate"] if aggregate else []),
                       input=lines.encode())
        self.put_until += EACH

    def start(self, name, retrieval):
        self.workers.append(Java(self.class_path, self.directory, name, ["work", self.url, KEY, SECRET, STREAM, "app", name, retrieval]))

    def wait(self, what, check, timeout=90):
        deadline = time.monotonic() + timeout
        while not check():
            dead = [w for w in self.workers if w.process.poll() not in (None, -signal.SIGKILL)]
            if time.monotonic() > deadline or dead:
                sys.exit(f"FAILED: {what}\n" + "".join(w.tail() for w in self.workers) + self.server.log_tail())
            time.sleep(0.2)

    def seen(self):
        """(time, shard, aggregated, key, number) of all workers' records, by time."""
        out = []
        for worker in self.workers:
            for stamp, words in list(worker.lines):
                if words[0] == "record":
                    _, shard, _, _, aggregated, key, data = words
                    assert data.startswith(key + "/"), words
                    out.append((stamp, shard, aggregated == "true", key, int(data[len(key) + 1:])))
        return sorted(out, key=lambda row: row[0])

    def all_seen(self):
        return len({row[3:] for row in self.seen()}) == len(KEYS) * self.put_until

    def check_order(self):
        """Each number of a key is first seen when all lower ones have been."""
        following = dict.fromkeys(KEYS, 0)
        for _, shard, _, key, number in self.seen():
            assert number <= following[key], f"{key}: {number} of {shard} came before {following[key]}"
            following[key] = max(following[key], number + 1)
        assert set(following.values()) == {self.put_until}, following


def check_metrics(server):
    def found():
        page = urllib.request.urlopen(server.url("admin") + "/metrics").read().decode()
        processed = re.findall(r'^honryu_cloudwatch_sum\{[^}]*metric="RecordsProcessed"[^}]*\} (\S+)$', page, re.M)
        requests = re.findall(r'^honryu_cloudwatch_requests_total\{status="ok"\} (\S+)$', page, re.M)
        return page if requests and sum(map(float, processed)) > 0 else None
    page = hp.eventually(found, timeout=30, what="RecordsProcessed at /metrics")
    refused = re.findall(r'^(honryu_(?:cloudwatch|dynamodb)_requests_total\{[^}]*status="(?!ok)[^}]*\} .*)$', page, re.M)
    unexpected = [row for row in refused if not re.search('ResourceNotFound|ConditionalCheckFailed|ResourceInUse', row)]
    assert not unexpected, unexpected
    operations = sorted(set(re.findall(r'honryu_dynamodb_requests_total\{operation="(\w+)",status="ok"\}', page)))
    names = sorted(set(re.findall(r'honryu_cloudwatch_sum\{[^}]*metric="([^"]+)"', page)))
    return operations, names


def drive(run, major):
    run.put(aggregate=True)
    # One after the other: of two that begin at the same instant KCL 3 may give up on one ("AssignmentMode is not initialized").
    run.start("worker-a", RETRIEVAL[major])
    run.wait("worker-a holds leases", lambda: run.workers[0].held(), 120)
    run.start("worker-b", RETRIEVAL[major])
    run.wait("both workers hold leases and have seen the aggregates",
             lambda: run.all_seen() and all(worker.held() for worker in run.workers), 240)
    opened = [row for row in run.seen() if row[2]]
    assert len({row[3:] for row in opened}) == len(KEYS) * EACH, f"{len(opened)} records came out of aggregates"
    run.say(f"{len(opened)} records out of aggregates that our own writer made, by two workers")

    parts = [run.url, KEY, SECRET, STREAM]
    reshard = Java(run.class_path, run.directory, "reshard", ["reshard", *parts])
    reshard.process.wait(60)
    reshard.reader.join()
    if not reshard.of("resharded"):
        sys.exit("FAILED: resharding\n" + reshard.tail())
    parents = set(reshard.of("resharded")[0])
    run.put(aggregate=False)
    run.wait("plain records behind a split and a merge", lambda: run.all_seen() and parents <= {
        words[0] for worker in run.workers for words in worker.of("end")})
    started = {words[0] for worker in run.workers for words in worker.of("start")}
    assert len(started) == 7, started  # four, the two halves and the merged one
    run.check_order()
    run.say("a split and a merge: three shards read to their end, three new ones")

    # KCL 3's leader alone hands leases out, and its lock outlives it by minutes: the other worker is killed. KCL 2 counts leases of
    # ended shards when it shares them out, so that one worker may have all that are open: that one is killed.
    leader = run.workers[0].leader()
    survivor, victim = sorted(run.workers, key=lambda worker: (worker.name != leader, len(worker.held())))
    run.wait(f"{victim.name} holds leases", victim.held)
    writer = threading.Thread(target=run.put, args=(True,))
    writer.start()
    time.sleep(0.5)  # it reads what is being written
    victim.end(signal.SIGKILL)
    orphans = victim.held()
    writer.join()
    run.wait("the survivor takes over", lambda: run.all_seen() and orphans <= survivor.held())
    run.check_order()
    run.say(f"kill -9 of {victim.name}: {survivor.name} took {len(orphans)} shards over")

    operations, names = check_metrics(run.server)
    run.say(f"DynamoDB operations: {', '.join(operations)}")
    run.say(f"{len(names)} metrics at /metrics: {', '.join(names[:12])}, ...")
    assert survivor.end() == 0 and survivor.of("stopped"), survivor.tail()
    rows = run.seen()
    run.say(f"stopped; {len(rows)} deliveries of {len(KEYS) * run.put_until} records in all")


def main():
    major = sys.argv[1]
    class_path = maven.install("kcl", "Consumer", VERSIONS[major])
    with hp.temporary_directory() as directory:
        with hp.Server(directory, ["broker"],
                       [f"kinesis.access_keys.0.id={KEY}", f"kinesis.access_keys.0.secret={SECRET}"]) as server:
            os.environ.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET)
            end = ("--endpoint", server.url("kinesis"))
            hp.run_cli("streams", "create", STREAM, "--shards", "4", *end)
            hp.eventually(lambda: b"ACTIVE" in hp.run_cli("streams", "list", *end).stdout, what="stream ACTIVE")
            run = Run(server, class_path, directory)
            try:
                drive(run, major)
            finally:
                for worker in run.workers:
                    if worker.process.poll() is None:
                        worker.end(signal.SIGKILL)
            assert server.stop() == 0
    print(f"KCL {VERSIONS[major]}, {RETRIEVAL[major]}: passed")


if __name__ == "__main__":
    main()
