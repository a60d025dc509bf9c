#!/usr/bin/env python3
"""Runs clang-tidy-19 over every source of src/ in a build tree's compile_commands.json: tidy.py BUILD [--jobs N]

A file that passed is not looked at again until it, .clang-tidy or a header of ours changes (build/tidy-cache).
Exits 1 if there are findings.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIDY = "clang-tidy-19"
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


class Digest:
    """A digest of a source, of what it includes of ours, of its command and of the settings."""

    def __init__(self, settings):
        self.settings, self.includes = settings, {}

    def _direct(self, path):
        if path not in self.includes:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            found = []
            for name in INCLUDE.findall(text):
                for base in (os.path.dirname(path), os.path.join(ROOT, "include"), os.path.join(ROOT, "src")):
                    candidate = os.path.normpath(os.path.join(base, name))
                    if os.path.exists(candidate):
                        found.append(candidate)
                        break
            self.includes[path] = (hashlib.sha256(text.encode()).digest(), found)
        return self.includes[path]

    def of(self, entry):
        seen, todo = set(), [entry["file"]]
        while todo:
            path = todo.pop()
            if path not in seen:
                seen.add(path)
                todo += self._direct(path)[1]
        digest = hashlib.sha256(self.settings + entry["command"].encode())
        for path in sorted(seen):
            digest.update(path.encode() + self.includes[path][0])
        return digest.hexdigest()


def tidy(build, entry):
    """(seconds, output, passed) of one file."""
    start = time.monotonic()
    result = subprocess.run([TIDY, "--quiet", "-p", build, entry["file"]], capture_output=True, text=True, errors="replace")
    shown = [line for line in (result.stdout + result.stderr).splitlines()
             if not re.match(r"\d+ warnings? (?:treated as errors|generated)|Suppressed \d+|Use -header-filter", line)]
    return time.monotonic() - start, "\n".join(shown), result.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    cache = os.path.join(ROOT, "build", "tidy-cache")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = [e for e in json.load(file) if e["file"].startswith(os.path.join(ROOT, "src") + "/")]
    if not entries:
        sys.exit("tidy: no sources below src/ in compile_commands.json")
    with open(os.path.join(ROOT, ".clang-tidy"), "rb") as file:
        digest = Digest(file.read() + subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout)
    marks = {e["file"]: os.path.join(cache, digest.of(e)) for e in entries}
    todo = [e for e in entries if not os.path.exists(marks[e["file"]])]
    print(f"tidy: {len(entries)} files, {len(entries) - len(todo)} unchanged since they passed", flush=True)

    bad, done, shown, slow = 0, 0, time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {pool.submit(tidy, build, entry): entry for entry in todo}
        for job in concurrent.futures.as_completed(jobs):
            path = jobs[job]["file"]
            seconds, output, passed = job.result()
            slow.append((seconds, os.path.relpath(path, ROOT)))
            done += 1
            if passed:
                with open(marks[path], "w", encoding="utf-8"):
                    pass
            else:
                bad += 1
                print(f"tidy: {os.path.relpath(path, ROOT)}\n{output}", flush=True)
            if time.monotonic() - shown > 10:
                print(f"  [{done}/{len(todo)}] {os.path.relpath(path, ROOT)}", flush=True)
                shown = time.monotonic()
    for seconds, path in sorted(slow, reverse=True)[:3]:
        print(f"  slowest: {seconds:.1f} s {path}")
    print(f"tidy: {bad} of {len(entries)} files with findings")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
