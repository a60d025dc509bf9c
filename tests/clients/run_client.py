#!/usr/bin/env python3
"""Runs one foreign client against a real broker process. usage: run_client.py boto3|signatures|awscli"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402


SCRIPTS = {"boto3": "kinesis_boto3.py", "signatures": "kinesis_signatures.py"}
SETTINGS = {"signatures": [
    "kinesis.access_keys.0.id=ADMIN", "kinesis.access_keys.0.secret=a secret for tests only",
    "kinesis.access_keys.1.id=WRITER", "kinesis.access_keys.1.secret=a secret for tests only",
    'kinesis.access_keys.1.allow=[{actions: ["Put*", "Describe*"], streams: ["web-*"]}]']}


def main():
    client = sys.argv[1]
    if client in SCRIPTS:
        # Debian's own python3-boto3, whatever other python3 stands first on the path.
        if subprocess.run(["/usr/bin/python3", "-c", "import boto3"], capture_output=True).returncode != 0:
            hp.skip("python3-boto3 is not installed")
        command = ["/usr/bin/python3", os.path.join(HERE, SCRIPTS[client])]
    else:
        aws = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else shutil.which("aws")
        if aws is None:
            hp.skip("the aws command line is not installed")
        command = ["bash", os.path.join(HERE, "kinesis_awscli.sh")]
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker"], SETTINGS.get(client, ())) as server:
        environment = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1",
                           AWS_EC2_METADATA_DISABLED="true")
        done = subprocess.run(command + [server.url("kinesis")], env=environment, timeout=600)
        assert done.returncode == 0, f"{client} failed:\n{server.log_tail()}"
        assert server.stop() == 0


if __name__ == "__main__":
    main()
