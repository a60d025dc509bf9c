"""Installs a Java client of this folder, with the libraries that its pom.xml names, once for each version of its files."""
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
import honryu_process as hp  # noqa: E402


def install(name, main, version=""):
    """The class path of class `main` of folder `name`; skips the test without Maven, a JDK or the registry. `version`: what its pom.xml
    has as ${version.of.library}."""
    for tool in ("mvn", "java", "javac"):
        if shutil.which(tool) is None:
            hp.skip(f"{tool} is not installed")
    source = os.path.join(HERE, name)
    digest = hashlib.sha256(version.encode())
    for file_name in ("pom.xml", main + ".java"):
        with open(os.path.join(source, file_name), "rb") as file:
            digest.update(file.read())
    folder = os.path.join(hp.REPOSITORY, "build", f"clients-{name}{version}-" + digest.hexdigest()[:12])
    if not os.path.exists(os.path.join(folder, main + ".class")):
        shutil.copytree(source, folder, dirs_exist_ok=True)
        done = subprocess.run(["mvn", "-q", "-B", f"-Dversion.of.library={version}", "dependency:copy-dependencies", "-DoutputDirectory=lib"],
                              cwd=folder, capture_output=True, text=True, timeout=500)
        if done.returncode != 0:
            hp.skip("Maven could not fetch the libraries: " + done.stdout.strip()[-300:])
        subprocess.run(["javac", "-cp", "lib/*", main + ".java"], cwd=folder, check=True, timeout=100)
    return os.path.join(folder, "lib", "*") + ":" + folder
