#!/usr/bin/env python3
"""From cause to notice: how long after an incident begins in the sender its alert arrives at a webhook.

usage: cause_to_notice.py [--runs 20] [--rate 1000] [--binary build/release/src/app/honryu]

An all-in-one with the rules, watches and SQL programs as they are shipped (config/alerts.yaml, config/apps) gets the demo's events at
the rate given, without the daily curve. After six minutes (traffic rules need to have known the usual rate for half of their ten)
incidents of both kinds take turns, at every second of a minute alike. Prints, for each kind, how many were noticed, the median, the
95th percentile and the most, then every notice that had no cause. Takes six minutes and 77 seconds a run; exits with 1 if an incident
went unnoticed or a goal was missed (95th percentile: error-burst under 10 s, traffic-drop under 30 s).
"""
import argparse
import os
import subprocess
import sys
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("support", "e2e"):
    sys.path.insert(0, os.path.join(REPOSITORY, "tests", folder))
import alerts_test  # noqa: E402
import honryu_process as hp  # noqa: E402

KINDS = {"error-burst": ("error-rate", 10), "traffic-drop": ("traffic-drop", 30)}
WARM, LENGTH, CYCLE, BETWEEN = 360, 15, 77, 38  # seconds; BETWEEN: from an error burst to the drop after it


def percentile(ordered, share):
    """The least of the values that at least this share does not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def plan(runs):
    """Seconds after the start, by kind."""
    return {kind: [WARM + i * CYCLE + offset for i in range(runs)] for kind, offset in zip(KINDS, (0, BETWEEN))}


def watch(demo, until):
    while time.time() < until:
        if demo.poll() is not None:
            sys.exit("the demo ended by itself")
        time.sleep(0.2)


def measure(options):
    causes = plan(options.runs)
    with hp.temporary_directory() as directory:
        receiver = alerts_test.Receiver()
        settings = [f"alerts.files={os.path.join(REPOSITORY, 'config', 'alerts.yaml')}",
                    f"aggregator.apps_dir={os.path.join(REPOSITORY, 'config', 'apps')}", "alerts.channels.0.name=ops",
                    "alerts.channels.0.kind=webhook", f"alerts.channels.0.url={receiver.url}", f"alerts.channels.0.secret={alerts_test.SECRET}"]
        with hp.Server(os.path.join(directory, "all"), settings=settings) as server:
            command = [hp.BINARY, "demo", "--url", server.url("http"), "--rate", str(options.rate), "--flat"]
            for kind, times in causes.items():
                for after in times:
                    command += ["--incident", f"{kind}@{after}s+{LENGTH}s"]
            begin = time.time()
            demo = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                watch(demo, begin + WARM + options.runs * CYCLE)
            finally:
                demo.terminate()
                demo.wait()
    if receiver.faults:
        sys.exit(f"the receiver complains: {receiver.faults}")
    return receiver, causes, begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--binary", help="the server to measure; also HONRYU_BINARY")
    options = parser.parse_args()
    if options.binary:
        hp.BINARY = options.binary
    receiver, causes, begin = measure(options)
    wrong = False
    fired = [(when - begin, note["rule"]) for when, note in receiver.got.values() if note["status"] == "firing"]
    print("| incident | noticed | least | median | p95 | most | goal of p95 |\n|---|---|---|---|---|---|---|")
    for kind, (rule, goal) in KINDS.items():
        times = []
        for after in causes[kind]:
            told = sorted(at - after for at, name in fired if name == rule and 0 <= at - after < CYCLE)
            times += told[:1]
        times.sort()
        wrong |= len(times) < options.runs or percentile(times, 0.95) >= goal
        row = [f"{times[0]:.1f} s", *(f"{percentile(times, share):.1f} s" for share in (0.5, 0.95)), f"{times[-1]:.1f} s"] if times else ["-"] * 4
        print(f"| {kind} (rule {rule}) | {len(times)} of {options.runs} | {' | '.join(row)} | {goal} s |")
        print(f"  all: {' '.join(f'{t:.1f}' for t in times)}", file=sys.stderr)
    everything = sorted(after for times in causes.values() for after in times)
    false = [(round(at, 1), rule) for at, rule in sorted(fired) if not any(0 <= at - after < 60 for after in everything)]
    print(f"firing notices: {len(fired)}; without a cause in the minute before: {false or 'none'}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
