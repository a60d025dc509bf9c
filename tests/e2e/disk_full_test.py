#!/usr/bin/env python3
"""A full disk: puts are refused with a retryable error, reads go on, and writing resumes by itself when there is room.

Needs root (a small tmpfs is mounted); skips with a message otherwise.
"""
import base64
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402


def put(server, count=100, size=10000):
    data = base64.b64encode(os.urandom(size)).decode()
    return server.kinesis("PutRecords", {"StreamName": "full", "Records": [{"Data": data, "PartitionKey": str(i)} for i in range(count)]})


def accepted(answer):
    return [r["SequenceNumber"] for r in answer[1].get("Records", []) if "SequenceNumber" in r]


def main():
    if os.geteuid() != 0:
        hp.skip("mounting a small tmpfs needs root")
    with hp.temporary_directory() as directory:
        disk = os.path.join(directory, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], capture_output=True).returncode != 0:
            hp.skip("a tmpfs cannot be mounted here")
        server = hp.Server(disk, ["broker"], ["storage.min_free_disk=8MiB", "storage.segment_bytes=8MiB"])
        try:
            ballast = os.path.join(disk, "ballast")
            with open(ballast, "wb") as file:
                file.write(b"x" * (40 << 20))
            server.start()
            server.kinesis("CreateStream", {"StreamName": "full", "ShardCount": 1})
            hp.eventually(lambda: put(server, 1, 10)[0] == 200, what="stream ACTIVE")
            stored = 1
            for _ in range(200):
                answer = put(server)
                stored += len(accepted(answer))
                if len(accepted(answer)) < 100:
                    break
            else:
                raise AssertionError("the disk never filled up")
            status, body = answer
            errors = {r.get("ErrorCode") for r in body.get("Records", []) if "ErrorCode" in r} | ({body.get("__type")} if status != 200 else set())
            assert errors <= {"ProvisionedThroughputExceededException", "InternalFailure", "ServiceUnavailable"}, answer
            assert "disk" in str(body) or "space" in str(body), f"the refusal does not say why: {str(body)[:300]}"
            status, _ = server.request("admin", "GET", "/readyz")
            assert status == 503, "a broker that refuses writes must not be ready"
            _, iterator = server.kinesis("GetShardIterator", {"StreamName": "full", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"})
            read, token = 0, iterator["ShardIterator"]
            while True:
                status, page = server.kinesis("GetRecords", {"ShardIterator": token})
                assert status == 200, page
                read, token = read + len(page["Records"]), page["NextShardIterator"]
                if not page["Records"]:
                    break
            assert read == stored, f"read {read} of {stored} acknowledged records while the disk was full"
            os.unlink(ballast)
            hp.eventually(lambda: len(accepted(put(server, 1))) == 1, timeout=60, what="writing to resume by itself")
            assert server.stop() == 0
            print(f"ok: refused at {stored} records, all readable, resumed without a restart")
        finally:
            server.kill()
            subprocess.run(["umount", "-l", disk], check=False)


if __name__ == "__main__":
    main()
