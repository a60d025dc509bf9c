#!/usr/bin/env python3
"""A poison record goes to the dead letters while its neighbours are processed; list, show, redrive; take-over after kill -9."""
import gzip
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

PROBE = os.environ["HONRYU_PROBE"]


class Probe:
    """A consumer process; what it has processed is in a file."""

    def __init__(self, server, directory, name, application="billing", stream="orders"):
        self.path = os.path.join(directory, name + ".out")
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen([PROBE, server.url("kinesis"), application, stream], stdout=out)

    def seen(self):
        with open(self.path) as file:
            return file.read().splitlines()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


def main():
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker"]) as server:
        end = ("--endpoint", server.url("kinesis"))

        def dlq(*arguments, check=True):
            return hp.run_cli("dlq", *arguments, *end, check=check)

        def put(data, key):
            done = hp.run_cli("put", "orders", "--key", key, *end, input=data, check=False)
            assert done.returncode == 0, done.stderr

        assert b"no dead letters" in dlq("list").stdout
        hp.run_cli("streams", "create", "orders", "--shards", "1", *end)
        hp.eventually(lambda: b"ACTIVE" in hp.run_cli("streams", "list", *end).stdout, what="stream ACTIVE")
        good = [json.dumps({"order": i}, separators=(",", ":")) for i in range(200)]
        hp.run_cli("put", "orders", "--lines", *end, input="\n".join(good[:100]).encode())
        put(b'{"order":"poison","note":"\xe6\x97\xa5\xe6\x9c\xac"}', "customer-7")
        put(gzip.compress(b"half of this is missing, for it is cut")[:30], "customer-8")
        hp.run_cli("put", "orders", "--lines", *end, input="\n".join(good[100:]).encode())
        first = Probe(server, directory, "first")
        hp.eventually(lambda: len(first.seen()) >= 200, what="every good record")
        assert sorted(first.seen()) == sorted(good), "neighbours come once each"
        hp.eventually(lambda: b"2 letters" in dlq("list", "billing").stdout, what="two letters")

        listed = [json.loads(line) for line in dlq("list", "billing", "--json").stdout.splitlines()]
        by_reason = {letter["reason"]: letter for letter in listed}
        assert set(by_reason) == {"handler", "unopenable"}, listed
        poison = by_reason["handler"]
        assert poison["partition_key"] == "customer-7" and poison["status"] == "waiting" and poison["attempts"] >= 5, poison
        assert poison["stream"] == "orders" and "poison on purpose" in poison["message"], poison
        text = dlq("list").stdout.decode()
        assert "billing-dead-letters: 2 letters" in text and "handler 1" in text and "unopenable 1" in text, text
        text = dlq("list", "billing", "--to", "-1h").stdout.decode()
        assert "0 letters" in text, text
        shown = json.loads(dlq("show", "billing", poison["id"][:8]).stdout)
        assert json.loads(shown["data"]) == {"order": "poison", "note": "日本"}, shown
        raw = dlq("show", "billing", by_reason["unopenable"]["id"], "--raw").stdout
        assert raw[:3] == b"\x1f\x8b\x08" and len(raw) == 30, raw
        assert "data_base64" in json.loads(dlq("show", "billing", by_reason["unopenable"]["id"]).stdout)
        assert dlq("show", "billing", "ffff0000ffff0000", check=False).returncode == 1

        # Put back while nobody reads: a consumer that is not picky sees it once, with its key.
        first.stop()
        refused = dlq("redrive", "billing", check=False)
        assert refused.returncode == 1 and b"--all" in refused.stderr, refused
        assert b"0 put back" in dlq("redrive", "billing", "--reason", "handler", "--dry-run").stdout
        done = dlq("redrive", "billing", "--reason", "handler")
        assert b"1 put back, 0 left out" in done.stdout and b"1 of 1 put back" in done.stderr, done
        done = dlq("redrive", "billing", "--reason", "handler")
        assert b"0 put back, 1 left out" in done.stdout, done
        assert b"1 put back" in dlq("redrive", "billing", "--id", poison["id"], "--again").stdout
        rows = [json.loads(line) for line in hp.run_cli("get", "orders", "--json", *end).stdout.splitlines() if b"poison" in line]
        assert [row["partition_key"] for row in rows] == ["customer-7"] * 3, rows
        states = {letter["id"]: letter["status"] for letter in
                  (json.loads(line) for line in dlq("list", "billing", "--json").stdout.splitlines())}
        assert states[poison["id"]] == "redriven" and states[by_reason["unopenable"]["id"]] == "waiting", states

        # The redriven records are poison still: new letters of their own. kill -9 in between loses nothing.
        second = Probe(server, directory, "second")
        hp.eventually(lambda: b"4 letters" in dlq("list", "billing").stdout, what="letters of the redriven records")
        second.process.kill()
        second.process.wait()
        hp.run_cli("put", "orders", "after the kill", "--key", "k", *end)
        third = Probe(server, directory, "third")
        hp.eventually(lambda: "after the kill" in third.seen(), what="take-over", timeout=30)
        assert not set(third.seen()) & set(good), "what was checkpointed does not come again"
        third.stop()
        assert server.stop() == 0


main()
