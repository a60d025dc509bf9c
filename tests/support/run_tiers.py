#!/usr/bin/env python3
"""Runs the tests of a build tree tier by tier and sums them up: run_tiers.py BUILD [--label TIER]… [--jobs N]

The last line of the output is "N passed, N failed, N skipped". Exits 1 when a test failed, could not be run, or none ran.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

# In this order; the last ones start processes and measure time, so they run one by one.
TIERS = ["lint", "unit", "contract", "golden", "slow", "e2e", "clients", "crash"]
ALONE = {"e2e", "clients", "crash"}
OTHER = "other"


def tiers_of(tests):
    """Names of the tests by tier. A test without a known label goes to OTHER, so that none is forgotten."""
    found = {}
    for test in tests:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        labels = properties.get("LABELS", [])
        tier = next((tier for tier in TIERS if tier in labels), OTHER)
        found.setdefault(tier, []).append(test["name"])
    return found


def count(junit):
    """(passed, failed, skipped, names that failed) of a ctest JUnit file."""
    passed, failed, skipped, names = 0, 0, 0, []
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        status = case.get("status")
        reason = case.find("skipped")
        if status == "run":
            passed += 1
        elif status == "disabled" or (reason is not None and reason.get("message", "").startswith("SKIP_")):
            skipped += 1
        else:  # failed, or could not be started
            failed += 1
            names.append(case.get("name"))
    return passed, failed, skipped, names


def run_tier(build, tier, expected, jobs):
    junit = os.path.join(build, f"junit-{tier}.xml")
    if os.path.exists(junit):
        os.remove(junit)
    pick = ["-LE", "^(" + "|".join(TIERS) + ")$"] if tier == OTHER else ["-L", f"^{tier}$"]
    command = ["ctest", "--test-dir", build, *pick, "-j", "1" if tier in ALONE else str(jobs),
               "--output-on-failure", "--output-junit", junit, "--no-tests=error"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    shown = time.monotonic()
    for line in process.stdout:
        # Of the passing tests, a line every few seconds; all else as it is.
        passing = " Passed " in line or line.lstrip().startswith("Start ")
        if not passing or tier in ALONE or time.monotonic() - shown > 10:
            print("  " + line.rstrip(), flush=True)
            shown = time.monotonic()
    process.wait()
    if not os.path.exists(junit):
        return 0, expected, 0, [f"{tier}: ctest ended with {process.returncode} and left no report"]
    passed, failed, skipped, names = count(junit)
    if process.returncode != 0 and failed == 0:
        failed, names = 1, [f"{tier}: ctest ended with {process.returncode}"]
    return passed, failed, skipped, names


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("--label", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    shown = subprocess.run(["ctest", "--test-dir", options.build, "--show-only=json-v1"], capture_output=True, text=True,
                           check=True)
    found = tiers_of(json.loads(shown.stdout)["tests"])
    unknown = [label for label in options.label if label not in found]
    if unknown:
        sys.exit(f"no test has the label {', '.join(unknown)}; there are {', '.join(sorted(found))}")

    rows, failures = [], []
    for tier in [*TIERS, OTHER]:
        if tier not in found or (options.label and tier not in options.label):
            continue
        print(f"\n== {tier}: {len(found[tier])} tests", flush=True)
        start = time.monotonic()
        passed, failed, skipped, names = run_tier(options.build, tier, len(found[tier]), options.jobs)
        rows.append((tier, passed, failed, skipped, time.monotonic() - start))
        failures += names

    print("\n== summary")
    for tier, passed, failed, skipped, seconds in rows:
        print(f"  {tier:10} {passed:5} passed {failed:3} failed {skipped:3} skipped  {seconds:6.1f} s")
    for name in failures:
        print(f"  FAILED: {name}")
    passed, failed, skipped = (sum(row[i] for row in rows) for i in (1, 2, 3))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
