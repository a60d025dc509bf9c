"""Starts and stops real honryu processes for end-to-end tests. Standard library only.

Every server binds port 0 on 127.0.0.1 and reports its ports through --ports-file, so tests may run side by side.
"""
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HONRYU_BINARY", os.path.join(REPOSITORY, "build", "release", "src", "app", "honryu"))
DATA = os.environ.get("HONRYU_TEST_DATA", os.path.join(os.path.dirname(REPOSITORY), "shared", "data"))
SKIP = 77  # ctest's SKIP_RETURN_CODE


def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(SKIP)


def data_file(name):
    path = os.path.join(DATA, name)
    if not os.path.exists(path):
        skip(f"test data {name} is not here (set HONRYU_TEST_DATA to the folder that holds it)")
    return path


def make_certificate(directory):
    """A self-signed certificate for 127.0.0.1: (certificate file, key file). Skips the test without openssl."""
    if shutil.which("openssl") is None:
        skip("openssl is not installed")
    certificate, key = os.path.join(directory, "tls.crt"), os.path.join(directory, "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


class Server:
    """One `honryu serve` process. roles=None is the all-in-one."""

    def __init__(self, data_dir, roles=None, settings=(), name="all", limits=()):
        self.data_dir, self.roles, self.settings, self.name = data_dir, roles, list(settings), name
        self.limits = list(limits)
        self.process, self.ports = None, {}
        self.log_path = os.path.join(data_dir, f"{name}.log")
        self.fixed_ports = {}

    def start(self, timeout=60, wait_ready=True, wait_ports=True):
        os.makedirs(self.data_dir, exist_ok=True)
        ports_file = os.path.join(self.data_dir, f"{self.name}.ports.json")
        if os.path.exists(ports_file):
            os.unlink(ports_file)
        command = self.limits + [BINARY, "serve", "--data-dir", os.path.join(self.data_dir, "data"), "--ports-file", ports_file]
        for role in self.roles or []:
            command += ["--role", role]
        for section in ("http", "kinesis", "search", "admin"):
            command += ["--set", f"{section}.port={self.fixed_ports.get(section, 0)}"]
        for setting in self.settings:
            command += ["--set", setting]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + timeout
        if not wait_ports:
            return self
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} exited with {self.process.returncode} at start:\n{self.log_tail()}")
            if os.path.exists(ports_file):
                with open(ports_file) as file:
                    self.ports = json.load(file)
                self.fixed_ports = dict(self.ports)  # a restart keeps the ports, as a real deployment does
                if not wait_ready or self.ready():
                    return self
            time.sleep(0.02)
        raise AssertionError(f"{self.name} was not ready within {timeout} s:\n{self.log_tail()}")

    def ready(self):
        try:
            status, _ = self.request("admin", "GET", "/readyz", timeout=2)
            return status == 200
        except OSError:
            return False

    def log_tail(self, lines=40):
        with open(self.log_path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def request(self, port, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, port, method, path, body=None, headers=None, timeout=30):
        data = json.dumps(body).encode() if body is not None and not isinstance(body, (bytes, str)) else body
        status, answer = self.request(port, method, path, data, headers, timeout)
        return status, json.loads(answer) if answer else None

    def kinesis(self, operation, body, timeout=30):
        status, answer = self.json("kinesis", "POST", "/", body, {
            "X-Amz-Target": "Kinesis_20131202." + operation, "Content-Type": "application/x-amz-json-1.1"}, timeout)
        return status, answer

    def url(self, port):
        return f"http://127.0.0.1:{self.ports[port]}"

    def kill(self):
        """kill -9."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, timeout=30):
        """SIGTERM; returns the exit code (0 is a graceful stop)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            tail = self.log_tail()
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {timeout} s:\n{tail}")

    def __enter__(self):
        return self if self.process else self.start()

    def __exit__(self, *unused):
        self.kill()


def temporary_directory():
    return tempfile.TemporaryDirectory(prefix="honryu-test-")


def run_cli(*arguments, input=None, timeout=60, check=True):
    done = subprocess.run([BINARY, *arguments], input=input, capture_output=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"honryu {' '.join(arguments)} exited with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done


def eventually(check, timeout=60, what="condition"):
    """Polls until check() returns a true value and returns it; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout} s waiting for {what}")
        time.sleep(0.1)
