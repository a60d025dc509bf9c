#!/usr/bin/env python3
"""Runs one foreign client against the search port of a real process. usage: run_search_client.py python|grafana|elasticsearch-js|opensearch-js"""
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402

NODE_SCRIPTS = {"elasticsearch-js": "elasticsearch.mjs", "opensearch-js": "opensearch.mjs"}


def install_javascript():
    """The clients as their lock file names them, installed once per lock file; the folder that holds scripts and clients."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        hp.skip("node and npm are not installed")
    source = os.path.join(HERE, "search_js")
    digest = hashlib.sha256()
    for name in ("package.json", "package-lock.json"):
        with open(os.path.join(source, name), "rb") as file:
            digest.update(file.read())
    folder = os.path.join(hp.REPOSITORY, "build", "clients-search-js-" + digest.hexdigest()[:12])
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    if not os.path.exists(os.path.join(folder, "installed")):
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True,
                              timeout=300)
        if done.returncode != 0:
            hp.skip("npm could not install the search clients for JavaScript: " + done.stderr.strip()[-500:])
        with open(os.path.join(folder, "installed"), "w"):
            pass
    return folder


def command_of(client):
    if client in NODE_SCRIPTS:
        return ["node", os.path.join(install_javascript(), NODE_SCRIPTS[client])]
    if client == "python":
        # Debian's own, whatever other python3 stands first on the path.
        if subprocess.run(["/usr/bin/python3", "-c", "import elasticsearch"], capture_output=True).returncode != 0:
            hp.skip("python3-elasticsearch is not installed")
        return ["/usr/bin/python3", os.path.join(HERE, "search_python.py")]
    return [sys.executable, os.path.join(HERE, "search_grafana.py")]


def main():
    client = sys.argv[1]
    command = command_of(client)
    with hp.temporary_directory() as directory:
        with hp.Server(directory, ["broker", "indexer"], ["search.streams=[]"]) as server:
            done = subprocess.run(command + [server.url("search")], timeout=500)
            assert done.returncode == 0, f"{client} failed:\n{server.log_tail()}"
            assert server.stop() == 0


if __name__ == "__main__":
    main()
