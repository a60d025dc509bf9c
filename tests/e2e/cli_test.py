#!/usr/bin/env python3
"""The command line: put, get, tail, streams, config, log verify, healthcheck, and clear errors."""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402


def signed_commands():
    """A broker with access keys: commands sign with the keys of the environment, roles with those of their settings."""
    keys = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": "a secret for tests"}
    settings = ["kinesis.access_keys.0.id=KEY", "kinesis.access_keys.0.secret=a secret for tests"]
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker"], settings, name="broker") as server:
        end = ("--endpoint", server.url("kinesis"))
        for name in keys:
            os.environ.pop(name, None)
        unsigned = hp.run_cli("streams", "list", *end, check=False)
        assert unsigned.returncode != 0 and b"Missing Authentication Token" in unsigned.stderr, unsigned
        os.environ.update(keys)
        hp.run_cli("streams", "create", "logs", *end)
        hp.eventually(lambda: b"ACTIVE" in hp.run_cli("streams", "list", *end).stdout, what="stream ACTIVE")
        hp.run_cli("put", "logs", "signed", *end)
        assert hp.run_cli("get", "logs", *end).stdout.strip() == b"signed"
        os.environ["AWS_SECRET_ACCESS_KEY"] = "another secret, wrong"
        forged = hp.run_cli("put", "logs", "forged", *end, check=False)
        assert forged.returncode != 0 and b"does not match the signature" in forged.stderr, forged
        for name in keys:
            del os.environ[name]
        own = ["broker.endpoint=" + server.url("kinesis"), "broker.access_key_id=KEY", "broker.secret_access_key=a secret for tests"]
        with hp.Server(os.path.join(directory, "gateway"), ["gateway"], own, name="gateway") as gateway:
            status, answer = gateway.json("http", "POST", "/v1/events", {"event_type": "x"})
            assert status == 200, (status, answer)


def main():
    assert b"honryu 0." in hp.run_cli("--version").stdout
    for command in ("serve", "put", "get", "tail", "streams", "bench", "demo", "dlq", "search", "log", "config"):
        assert len(hp.run_cli(command, "--help").stdout) > 200, f"{command} --help says too little"
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker"]) as server:
        end = ("--endpoint", server.url("kinesis"))
        hp.run_cli("streams", "create", "logs", "--shards", "2", *end)
        hp.eventually(lambda: b"ACTIVE" in hp.run_cli("streams", "list", *end).stdout, what="stream ACTIVE")
        lines = [f"line {i} 日本語" for i in range(1200)]
        put = hp.run_cli("put", "logs", "--lines", *end, input="\n".join(lines).encode()).stdout.decode().split("\n")
        assert len([line for line in put if line.startswith("shardId-")]) == 1200
        got = hp.run_cli("get", "logs", *end).stdout.decode().rstrip("\n").split("\n")
        assert sorted(got) == sorted(lines)
        hp.run_cli("put", "logs", "one", "--key", "k", *end)
        rows = [json.loads(line) for line in hp.run_cli("get", "logs", "--json", "--from", "-5m", *end).stdout.splitlines()]
        assert len(rows) == 1201 and any(r["data"] == "one" and r["partition_key"] == "k" for r in rows)
        lines = [f"small {i}" for i in range(3000)]
        put = hp.run_cli("put", "logs", "--lines", "--aggregate", *end, input="\n".join(lines).encode()).stdout.decode().splitlines()
        assert len(put) == 3000 and len(set(put)) < 10, f"{len(put)} lines of {len(set(put))} records"
        got = hp.run_cli("get", "logs", *end).stdout.decode().splitlines()
        assert sorted(line for line in got if line.startswith("small")) == sorted(lines)
        raw = hp.run_cli("get", "logs", "--raw", "--json", *end).stdout.decode().splitlines()
        assert len(raw) == 1201 + len(set(put)), len(raw)
        with subprocess.Popen([hp.BINARY, "tail", "logs", *end], stdout=subprocess.PIPE) as tail:
            time.sleep(1)  # LATEST means: from when the tail began
            hp.run_cli("put", "logs", "seen by tail", *end)
            assert tail.stdout.readline().decode().strip() == "seen by tail"
            tail.terminate()
            assert tail.wait(10) == 0
        missing = hp.run_cli("get", "no-such-stream", *end, check=False)
        assert missing.returncode != 0 and b"no-such-stream" in missing.stderr, missing
        assert hp.run_cli("healthcheck", "--url", server.url("admin") + "/healthz").returncode == 0
        bench = hp.run_cli("bench", "put", "--duration", "1s", "--batch", "50", "--connections", "2", *end).stdout.decode()
        put_by_bench = int(bench.split("(")[1].split()[0])
        bench = hp.run_cli("bench", "get", "--connections", "2", *end).stdout.decode()
        assert put_by_bench > 0 and f"({put_by_bench} records" in bench, bench
        hp.run_cli("streams", "delete", "logs", *end)
        hp.eventually(lambda: b"logs" not in hp.run_cli("streams", "list", *end).stdout, what="stream gone")
        assert server.stop() == 0
        verified = hp.run_cli("log", "verify", os.path.join(directory, "data", "log")).stdout
        assert b"0 faults" in verified, verified
        assert hp.run_cli("healthcheck", "--url", server.url("admin") + "/healthz", check=False).returncode != 0
    signed_commands()
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for name, arguments in (("config/honryu.yaml", ()), ("docs/configuration.md", ("--format", "markdown"))):
        with open(os.path.join(top, name), "rb") as file:
            printed = hp.run_cli("config", "print-default", *arguments).stdout
            assert file.read() == printed, f"{name} is not what `honryu config print-default {' '.join(arguments)}` prints: write it anew"
    with hp.temporary_directory() as directory:
        good, bad = os.path.join(directory, "good.yaml"), os.path.join(directory, "bad.yaml")
        with open(good, "wb") as file:
            file.write(hp.run_cli("config", "print-default").stdout)
        assert hp.run_cli("config", "check", good).returncode == 0, "the printed default must be valid"
        with open(bad, "w") as file:
            file.write("http:\n  prot: 80\nstorage:\n  durability: maybe\n")
        wrong = hp.run_cli("config", "check", bad, check=False)
        text = wrong.stderr.decode()
        assert wrong.returncode != 0 and ":2" in text and "prot" in text and "port" in text and ":4" in text and "fsync" in text, text
    print("ok: command line")


if __name__ == "__main__":
    main()
