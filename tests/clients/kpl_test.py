#!/usr/bin/env python3
"""The Kinesis Producer Library (its Java face and its native process) against a real broker, over TLS and with signatures verified.

Installs the library with Maven once, under build/; skipped without Maven, a JDK or the registry. What it sends is opened by the honryu
command, and compared byte by byte with tests/golden/kpl.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402
import maven  # noqa: E402

KEY, SECRET = "KPLKEY", "a secret for tests only"
COUNT = 20000


def main():
    class_path = maven.install("kpl", "Producer")
    with hp.temporary_directory() as directory:
        certificate, key = hp.make_certificate(directory)
        settings = [f"kinesis.tls.certificate={certificate}", f"kinesis.tls.key={key}",
                    f"kinesis.access_keys.0.id={KEY}", f"kinesis.access_keys.0.secret={SECRET}"]
        with hp.Server(directory, ["broker"], settings) as server:
            url = server.url("kinesis").replace("http:", "https:")
            os.environ.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_CA_BUNDLE=certificate)
            end = ("--endpoint", url)
            hp.run_cli("streams", "create", "kpl", "--shards", "3", *end)
            hp.run_cli("streams", "create", "kpl-golden", "--shards", "1", *end)
            hp.eventually(lambda: hp.run_cli("streams", "list", *end).stdout.count(b"ACTIVE") == 2, what="streams ACTIVE")
            done = subprocess.run(["java", "-cp", class_path, "Producer", url, "kpl", KEY, SECRET,
                                   str(COUNT)], env=dict(os.environ, AWS_EC2_METADATA_DISABLED="true"), capture_output=True, text=True,
                                  timeout=200)
            assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n{server.log_tail()}"
            print(done.stdout.strip(), flush=True)
            rows = [json.loads(line) for line in hp.run_cli("get", "kpl", "--json", *end).stdout.splitlines()]
            # Not by order: the library sends its requests side by side.
            data = sorted(row["data"] for row in rows)
            assert data == sorted([f"record {i}" for i in range(COUNT)] + ["warm-up"]), f"{len(data)} records"
            raw = hp.run_cli("get", "kpl", "--json", "--raw", *end).stdout.splitlines()
            assert len(raw) < COUNT / 50, f"{len(raw)} records hold {COUNT} user records: it did not aggregate"
            print(f"ok: {COUNT} user records in {len(raw)} records, opened", flush=True)
            got = hp.run_cli("get", "kpl-golden", "--raw", *end).stdout
            with open(os.path.join(os.path.dirname(HERE), "golden", "kpl", "v1", "kpl-1.0.4.bin"), "rb") as file:
                assert got == b"warm-up\n" + file.read() + b"\n", "another aggregate than the golden file"
            print("ok: the golden file again, byte by byte", flush=True)
            assert server.stop() == 0


if __name__ == "__main__":
    main()
