#!/usr/bin/env python3
"""Scores the series detector on the Numenta Anomaly Benchmark: one fixed configuration, every row from what came before it.

usage: run.py [--bench build/bench/bench/nab/nab_bench] [--nab NAB] [--scorer nab_score.py] [--out DIR] [--per-file]

NAB: a folder with data/<group>/<series>.csv, combined_windows.json and, for a part of the corpus, files.json; or a .tar.gz that
holds such a folder. Defaults: nab/nab-dev.tar.gz and nab_score.py in $HONRYU_TEST_DATA or ../shared/data. Prints the standard,
low-FP and low-FN scores.
"""
import argparse
import os
import subprocess
import sys
import tarfile
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("HONRYU_TEST_DATA", os.path.join(os.path.dirname(REPOSITORY), "shared", "data"))


def nab_folder(path, scratch):
    """The folder that holds data/ and combined_windows.json."""
    if os.path.isfile(path):
        with tarfile.open(path) as archive:
            archive.extractall(scratch, filter="data")
        path = scratch
    for folder, _, files in os.walk(path):
        if "combined_windows.json" in files:
            return folder
    sys.exit(f"no combined_windows.json in {path}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default=os.path.join(REPOSITORY, "build", "bench", "bench", "nab", "nab_bench"))
    parser.add_argument("--nab", default=os.path.join(DATA, "nab", "nab-dev.tar.gz"))
    parser.add_argument("--scorer", default=os.path.join(DATA, "nab_score.py"))
    parser.add_argument("--out", help="keep the scored rows here")
    parser.add_argument("--per-file", action="store_true")
    arguments = parser.parse_args()
    for needed in (arguments.bench, arguments.nab, arguments.scorer):
        if not os.path.exists(needed):
            sys.exit(f"{needed} is not there")
    with tempfile.TemporaryDirectory() as scratch:
        nab = nab_folder(arguments.nab, scratch)
        out = arguments.out or os.path.join(scratch, "results")
        subprocess.run([arguments.bench, os.path.join(nab, "data"), out], check=True)
        command = [sys.executable, arguments.scorer, out, "--windows", os.path.join(nab, "combined_windows.json")]
        if os.path.exists(os.path.join(nab, "files.json")):
            command += ["--only", os.path.join(nab, "files.json")]
        if arguments.per_file:
            command.append("--per-file")
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
