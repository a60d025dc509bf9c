#!/usr/bin/env python3
"""From cause to notice: the demo's incidents reach a webhook within seconds; the command line shows and silences alerts.

alerts_test.py [--runs N] [--rate R]: N incidents of both kinds together in one session (default 1). Prints cause-to-notice times; the cause is when
the incident begins in the sender. Fails if any notice is missing, unsigned, comes twice by its idempotency key, or (N >= 20) if the 95th
percentile is not under 10 s for error-burst and 30 s for traffic-drop.
"""
import argparse
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

SECRET = "the-secret-of-the-webhook"
LIMITS = {"error-rate": 10, "traffic-drop": 30}
WARM, LENGTH, PAUSE = 45, 15, 30  # seconds: before the first incident, of an incident, from one to the next


class Receiver:
    """Takes webhooks; answers the first attempt of every third notification with 500."""

    def __init__(self):
        receiver = self
        self.lock, self.got, self.refused, self.faults = threading.Lock(), {}, set(), []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(receiver.take(time.time(), self.headers, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def take(self, now, headers, body):
        key, stamp = headers["Idempotency-Key"], headers["X-Honryu-Timestamp"]
        signature = "v1=" + hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        with self.lock:
            if headers["X-Honryu-Signature"] != signature:
                self.faults.append(f"{key}: wrong signature")
            if abs(now - int(stamp)) > 60:
                self.faults.append(f"{key}: stamped {stamp} at {now}")
            note = json.loads(body)
            if note["id"] != key:
                self.faults.append(f"{key}: the key is not the id {note['id']}")
            if note["test"] and key not in self.refused:
                self.refused.add(key)
                return 500
            if key in self.got:
                self.faults.append(f"{key}: came twice")
            self.got[key] = (now, note)
        return 200

    def notes(self, rule):
        with self.lock:
            return sorted(((when, note) for when, note in self.got.values() if note["rule"] == rule), key=lambda e: e[0])


def rules(path):
    """The ready rules, with a shorter memory (a test cannot wait ten minutes for the usual traffic to be known) and room for as many
    messages as there are incidents."""
    with open(os.path.join(hp.REPOSITORY, "config", "alerts.yaml")) as file:
        text = file.read()
    assert "against: 10m" in text and "clear_for: 30s" in text
    with open(path, "w") as file:
        file.write(text.replace("against: 10m", "against: 1m").replace("clear_for: 30s", "clear_for: 3s\n    flood: {limit: 1000}"))


def cli(*arguments):
    return subprocess.run([hp.BINARY, "alerts", *arguments], capture_output=True, text=True, timeout=60)


def check_cli(server, receiver):
    url = ["--url", server.url("http")]
    sent = cli("test", *url)
    assert sent.returncode == 0, sent.stderr
    hp.eventually(lambda: len(receiver.notes("test")) == 1, what="the test notification, at the second attempt")
    assert cli("test", "nobody", *url).returncode == 1
    made = cli("silence", "--rule", "none*", "--for", "1h", "--comment", "why not", *url)
    assert made.returncode == 0, made.stderr
    silence = made.stdout.split()[0]
    listed = cli("list", *url)
    assert listed.returncode == 0 and silence in listed.stdout and "why not" in listed.stdout, listed.stdout + listed.stderr
    assert cli("silence", "--end", silence, *url).returncode == 0
    assert silence not in cli("list", *url).stdout


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    options = parser.parse_args()
    with hp.temporary_directory() as directory:
        receiver = Receiver()
        rules_file = os.path.join(directory, "rules.yaml")
        rules(rules_file)
        settings = [f"alerts.files={rules_file}", "alerts.channels.0.name=ops", "alerts.channels.0.kind=webhook",
                    f"alerts.channels.0.url={receiver.url}", f"alerts.channels.0.secret={SECRET}"]
        with hp.Server(os.path.join(directory, "all"), settings=settings) as server:
            check_cli(server, receiver)
            causes = {"error-rate": [], "traffic-drop": []}
            command = [hp.BINARY, "demo", "--url", server.url("http"), "--rate", str(options.rate), "--flat"]
            for i in range(options.runs):
                for rule, kind in (("error-rate", "error-burst"), ("traffic-drop", "traffic-drop")):
                    after = WARM + i * PAUSE
                    causes[rule].append(after)
                    command += ["--incident", f"{kind}@{after}s+{LENGTH}s"]
            begin = time.time()
            demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                end = begin + WARM + options.runs * PAUSE
                while time.time() < end:
                    assert demo.poll() is None, "the demo ended"
                    time.sleep(0.2)
                listed = cli("list", "--history", "--url", server.url("http"))
                assert listed.returncode == 0 and "error-rate" in listed.stdout, listed.stdout + listed.stderr
                status, chart = server.request("http", "GET", "/v1/alerts/chart.png?alert=error-rate%7B%7D")
                assert status == 200 and chart.startswith(b"\x89PNG"), (status, chart[:100])
            finally:
                demo.terminate()
                demo.wait()
            assert not receiver.faults, receiver.faults
            failed = []
            for rule, limit in LIMITS.items():
                notes = receiver.notes(rule)
                times = []
                for after in causes[rule]:
                    told = [when - begin - after for when, note in notes
                            if note["status"] == "firing" and 0 <= when - begin - after < PAUSE]
                    if told:
                        times.append(told[0])
                    else:
                        failed.append(f"{rule}: no notice of the incident at {after} s")
                false = [when - begin for when, note in notes if note["status"] == "firing"
                         and not any(0 <= when - begin - after < PAUSE for after in causes[rule])]
                if false:
                    failed.append(f"{rule}: notices without a cause at {false}")
                if times:
                    p95 = percentile(times, 0.95)
                    print(f"{rule}: {len(times)} of {len(causes[rule])} noticed, cause to notice min {min(times):.1f} s, "
                          f"median {percentile(times, 0.5):.1f} s, p95 {p95:.1f} s, max {max(times):.1f} s")
                    if options.runs >= 20 and p95 >= limit:
                        failed.append(f"{rule}: p95 {p95:.1f} s, limit {limit} s")
            others = [note["rule"] for _, note in receiver.got.values() if note["rule"] not in (*LIMITS, "test")]
            print(f"other notifications: {others}")
            if failed:
                print(server.log_tail(60))
            assert not failed, failed


if __name__ == "__main__":
    main()
