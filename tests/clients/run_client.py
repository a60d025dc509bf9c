#!/usr/bin/env python3
"""Runs one foreign client against a real broker process. usage: run_client.py boto3|boto3-tls|boto3-dynamodb|signatures|awscli|http2|javascript|java|peer"""
import hashlib
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402
import maven  # noqa: E402


SCRIPTS = {"boto3": "kinesis_boto3.py", "boto3-tls": "kinesis_boto3.py", "boto3-dynamodb": "dynamodb_boto3.py",
           "signatures": "kinesis_signatures.py"}
ENCRYPTION = ["storage.encryption_keys.0.id=alias/x", "storage.encryption_keys.0.secret=" + "c2VjcmV0IGZvciB0ZXN0cyBvbmx5LCAzMiBieXRlcyE="]
SETTINGS = {"boto3": ENCRYPTION, "boto3-tls": ENCRYPTION, "boto3-dynamodb": [
    "kinesis.access_keys.0.id=ADMIN", "kinesis.access_keys.0.secret=a secret for tests only",
    "kinesis.access_keys.1.id=LEASES", "kinesis.access_keys.1.secret=a secret for tests only",
    'kinesis.access_keys.1.allow=[{actions: ["dynamodb:*Item"], streams: ["leases-*"]}, {actions: ["kinesis:*"]}]'], "signatures": [
    "kinesis.access_keys.0.id=ADMIN", "kinesis.access_keys.0.secret=a secret for tests only",
    "kinesis.access_keys.1.id=WRITER", "kinesis.access_keys.1.secret=a secret for tests only",
    'kinesis.access_keys.1.allow=[{actions: ["Put*", "Describe*"], streams: ["web-*"]}]'],
    "peer": ["kinesis.require_auth_header=true", 'kinesis.cors_origins=["*"]', "broker.update_delay=500ms"]}


def install_npm(name, script):
    """What the lock file of folder `name` names, installed once per lock file; the path of the script beside it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        hp.skip("node and npm are not installed")
    source = os.path.join(HERE, name)
    digest = hashlib.sha256()
    for file_name in ("package.json", "package-lock.json", script):
        with open(os.path.join(source, file_name), "rb") as file:
            digest.update(file.read())
    folder = os.path.join(hp.REPOSITORY, "build", f"clients-{name}-" + digest.hexdigest()[:12])
    if not os.path.exists(os.path.join(folder, "installed")):
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                              timeout=300)
        if done.returncode != 0:
            hp.skip("npm could not install the packages: " + done.stderr.strip()[-500:])
        with open(os.path.join(folder, "installed"), "w"):
            pass
    return os.path.join(folder, script)


def command_of(client):
    if client in SCRIPTS:
        # Debian's own python3-boto3, whatever other python3 stands first on the path.
        if subprocess.run(["/usr/bin/python3", "-c", "import boto3"], capture_output=True).returncode != 0:
            hp.skip("python3-boto3 is not installed")
        return ["/usr/bin/python3", os.path.join(HERE, SCRIPTS[client])]
    if client == "javascript":
        return ["node", install_npm("js", "kinesis.mjs")]
    if client == "peer":
        return ["node", install_npm("peer", "compare.mjs")]
    if client.startswith("java-"):
        wire = ["-Daws.cborEnabled=false"] if client.endswith("-json") else []
        return ["java", "-cp", maven.install("java", "Kinesis")] + wire + ["Kinesis", client.split("-")[1]]
    if client == "http2":
        return ["bash", os.path.join(HERE, "http2_curl.sh")]
    aws = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else shutil.which("aws")
    if aws is None:
        hp.skip("the aws command line is not installed")
    return ["bash", os.path.join(HERE, "kinesis_awscli.sh")]


def own_client_over_tls(url, environment):
    """The honryu command trusts AWS_CA_BUNDLE, and nobody without it."""
    put = [hp.BINARY, "put", "tls-of-our-own", "data", "--endpoint", url]
    subprocess.run([hp.BINARY, "streams", "create", "tls-of-our-own", "--endpoint", url], env=environment, check=True, capture_output=True)
    deadline = time.monotonic() + 20
    while subprocess.run(put, env=environment, capture_output=True).returncode != 0:  # until the stream is ACTIVE
        assert time.monotonic() < deadline, "honryu put over TLS fails"
    stranger = {name: value for name, value in environment.items() if name != "AWS_CA_BUNDLE"}
    refused = subprocess.run(put, env=stranger, capture_output=True, text=True)
    assert refused.returncode != 0 and "certificate" in refused.stderr, refused
    print("ok: honryu put over TLS, the certificate verified")


def run(client, settings, tls=False):
    """One server, one run of the client; with `tls` over a certificate made for it."""
    with hp.temporary_directory() as directory:
        environment = dict(os.environ, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1",
                           AWS_EC2_METADATA_DISABLED="true")
        arguments = []
        if tls:
            certificate, key = hp.make_certificate(directory)
            settings = list(settings) + [f"kinesis.tls.certificate={certificate}", f"kinesis.tls.key={key}"]
            environment["AWS_CA_BUNDLE"] = certificate
            arguments = [certificate] if client in ("http2", "java-alpn") else []
        with hp.Server(directory, ["broker"], settings) as server:
            url = server.url("kinesis").replace("http:", "https:") if tls else server.url("kinesis")
            environment["HONRYU_ADMIN"] = server.url("admin")
            done = subprocess.run(command_of(client) + [url] + arguments, env=environment, timeout=600)
            if done.returncode == hp.SKIP:
                sys.exit(hp.SKIP)
            assert done.returncode == 0, f"{client} failed:\n{server.log_tail()}"
            if tls:
                own_client_over_tls(url, environment)
            assert server.stop() == 0


def main():
    client = sys.argv[1]
    if client == "java":
        # The SDK's default wire is CBOR; over plain HTTP/2 by prior knowledge, over TLS by negotiation.
        for name in ("java-h2c", "java-h2c-json", "java-http1"):
            run(name, ())
        return run("java-alpn", (), tls=True)
    run(client, SETTINGS.get(client, ()), tls=client == "boto3-tls")
    if client == "http2":
        run(client, (), tls=True)


if __name__ == "__main__":
    main()
