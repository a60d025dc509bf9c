#!/usr/bin/env python3
"""The search store beside Groonga, ClickHouse and SQLite FTS5, in one run on the same events.

  peers.py BUILD_FOLDER [--events 1000000] [--work FOLDER] [--runs 15] [--only NAME,...] [--data FOLDER]

BUILD_FOLDER/bench/search holds search_events and search_log_bench. Peers that are not installed are named and
passed over (Debian: groonga-bin, clickhouse-server, clickhouse-client; Python's sqlite3 has FTS5). Nothing is
left running, everything is written below --work and removed.

Each system is fed by its own fast way, held to one core while it indexes, and keeps the event as it came;
ClickHouse a second time with the values alone, from which no event comes back byte for byte. Their input is
made beforehand and not counted: flat JSON for Groonga and ClickHouse, tuples for SQLite; --data keeps it there
for the next run. Ours is counted from the log, reading included. Every query runs --runs times on a warm system; what it matches is
counted once in each and compared.
"""
import argparse
import http.client
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

RARE, COMMON, PHRASE = "oomkiller", "request", "決済の予約を確認"
QUERIES = ["term + time range, newest 50", "rare word, newest 50", "common word, newest 50",
           "Japanese phrase, newest 50", "terms top 10", "date_histogram by minute", "cardinality of user_id",
           "percentiles"]
CORE = str(os.cpu_count() - 1)


def flatten(value, prefix=""):
    for key, inner in value.items():
        name = prefix + key
        if isinstance(inner, dict):
            yield from flatten(inner, name + "_")
        elif isinstance(inner, list):
            yield name, " ".join(map(str, inner))
        else:
            yield name, inner


def millis(text):
    whole, _, rest = text.rstrip("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) - time.timezone)
    return seconds * 1000 + int((rest + "000")[:3])


def folder_bytes(folder):
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())


def measure(runs, run):
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1e3)
    times.sort()
    return times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]


class Result:
    def __init__(self, name):
        self.name, self.rate, self.bytes, self.memory, self.times, self.counts = name, 0, 0, 0, {}, {}


class Prepared:
    """The events as files, and what the queries are about."""

    def __init__(self, build, folder, count):
        self.count, self.file = count, folder / "events.ndjson"
        self.flat, self.whole = folder / "flat.ndjson", folder / "whole.ndjson"
        about = folder / "about.json"
        if about.exists() and json.loads(about.read_text())["count"] == count:
            found = json.loads(about.read_text())
            self.start = found["start"]
            self.columns = {name: {"str": str, "int": int, "float": float, "bool": bool}[kind]
                            for name, kind in found["columns"].items()}
        else:
            self.start = (int(time.time()) * 1000 - count - 120_000) // 60_000 * 60_000
            self.make(build)
            columns = {name: kind.__name__ for name, kind in self.columns.items()}
            about.write_text(json.dumps({"count": count, "start": self.start, "columns": columns}))
        self.raw = self.file.stat().st_size
        middle = self.start + count // 2
        self.minutes = (middle, middle + 120_000)

    def make(self, build):
        with open(self.file, "wb") as out:
            subprocess.run([build / "bench/search/search_events", str(self.count), str(self.start)], stdout=out,
                           check=True)
        self.columns = {}
        with open(self.file) as events, open(self.flat, "w") as flat, open(self.whole, "w") as whole:
            for line in events:
                row = dict(flatten(json.loads(line)))
                row["ts"] = millis(row.pop("timestamp"))
                for name, value in row.items():
                    kind = type(value)
                    if self.columns.setdefault(name, kind) is int and kind is float:
                        self.columns[name] = float
                text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
                flat.write(text + "\n")
                whole.write(text[:-1] + ',"source":' + json.dumps(line.rstrip("\n"), ensure_ascii=False) + "}\n")


def ours(build, data, args):
    result = Result("Honryu, from the log, one core")
    out = subprocess.run([build / "bench/search/search_log_bench", str(data.count), "1", str(data.start)],
                         capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(args.work)}).stdout
    print(out)
    result.rate = float(re.search(r"log to disk, merged: (\d+)", out)[1])
    result.visible = float(re.search(r"log to visible: (\d+)", out)[1])
    result.bytes = float(re.search(r"disk: (\d+) B", out)[1])
    result.memory = float(re.search(r"peak memory (\d+) MB", out)[1])
    for name, p50, p99, matches in re.findall(r"^(\S.*?)\s+first.*?p50\s+([\d.]+) ms.*?p99\s+([\d.]+) ms.*?matches (\d+)$",
                                              out, re.M):
        if name in QUERIES:
            result.times[name], result.counts[name] = (float(p50), float(p99)), int(matches)
    return result


def sqlite(build, data, args):
    connection = sqlite3.connect(args.work / "sqlite.db")
    try:
        connection.execute("create virtual table temp.probe using fts5(x, tokenize='trigram')")
    except sqlite3.OperationalError as error:
        print(f"SQLite is passed over: {error}")
        return None
    result = Result("SQLite FTS5 (trigram)")
    os.sched_setaffinity(0, {int(CORE)})
    run = connection.executescript
    run("pragma journal_mode=off; pragma synchronous=off; pragma temp_store=memory; pragma cache_size=-262144")
    # Columns that the queries use, the event as it came, its text in the index; no copy of the text.
    run("""create table events(id integer primary key, ts integer, device text, host text, user text,
             latency real, message text, source text);
           create virtual table words using fts5(message, content='events', content_rowid='id', tokenize='trigram')""")
    spent, rows = 0.0, []

    def insert():
        begin = time.perf_counter()
        connection.executemany("insert into events values(?,?,?,?,?,?,?,?)", rows)
        connection.executemany("insert into words(rowid, message) values(?,?)", ((r[0], r[6]) for r in rows))
        connection.commit()
        rows.clear()
        return time.perf_counter() - begin

    with open(data.file) as events:
        for number, line in enumerate(events):
            event = json.loads(line)
            rows.append((number, millis(event["timestamp"]), event["device"]["type"], event["log"]["host"],
                         event["user_id"], event["request"]["latency_ms"], event["log"]["message"], line))
            if len(rows) == 50_000:
                spent += insert()
    spent += insert() if rows else 0
    begin = time.perf_counter()
    run("""create index by_device on events(device, ts); create index by_ts on events(ts);
           create index by_host on events(host); create index by_user on events(user); analyze""")
    spent += time.perf_counter() - begin
    result.rate = data.count / spent
    os.sched_setaffinity(0, set(range(os.cpu_count())))
    result.bytes = folder_bytes_of(args.work / "sqlite.db") / data.count
    low, high = data.minutes

    def words(text):
        return (f"select e.source from words w join events e on e.id = w.rowid where words match '\"{text}\"' "
                "order by w.rowid desc limit 50", f"select count(*) from words where words match '\"{text}\"'")

    selected = f"from events where device='ios' and ts >= {low} and ts < {high}"
    texts = [(f"select source {selected} order by ts desc limit 50", f"select count(*) {selected}"),
             words(RARE), words(COMMON), words(PHRASE),
             ("select host, count(*) c from events group by host order by c desc limit 10",) + ("select count(*) from events",),
             ("select ts/60000, count(*) from events group by 1",) + ("select count(*) from events",),
             ("select count(distinct user) from events",) + ("select count(*) from events",),
             ("select min(latency) from (select latency, ntile(100) over (order by latency) n from events) "
              "where n in (51, 96, 100) group by n", "select count(*) from events")]
    for name, (text, count) in zip(QUERIES, texts):
        result.counts[name] = connection.execute(count).fetchone()[0]
        slow = measure(1, lambda: connection.execute(text).fetchall())
        result.times[name] = slow if slow[0] > 2000 else measure(args.runs, lambda: connection.execute(text).fetchall())
    result.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    connection.close()
    return result


def folder_bytes_of(path):
    return sum(f.stat().st_size for f in path.parent.glob(path.name + "*"))


def groonga(build, data, args):
    program = shutil.which("groonga")
    if program is None:
        print("Groonga is passed over: no program groonga (package groonga-bin)")
        return None
    result = Result("Groonga 13")
    folder = args.work / "groonga"
    folder.mkdir()
    kinds = {str: "ShortText", int: "Int64", float: "Float", bool: "Bool"}
    # Values that are grouped or looked up stand in tables of their own, as its manual advises.
    keyed = {"device_type": "Devices", "log_host": "Hosts", "user_id": "Users", "event_type": "Types",
             "log_level": "Levels"}
    schema = [f"table_create {table} TABLE_HASH_KEY ShortText" for table in keyed.values()]
    schema += ["table_create Events TABLE_NO_KEY"]
    for name, kind in data.columns.items():
        schema.append(f"column_create Events {name} COLUMN_SCALAR {keyed.get(name, kinds[kind])}")
    schema.append("column_create Events source COLUMN_SCALAR|COMPRESS_ZSTD Text")
    schema += ["table_create Words TABLE_PAT_KEY ShortText --default_tokenizer TokenBigram --normalizer NormalizerNFKC121",
               "column_create Words events_message COLUMN_INDEX|WITH_POSITION Events log_message",
               "table_create Times TABLE_PAT_KEY Int64", "column_create Times events_ts COLUMN_INDEX Events ts",
               "column_create Devices events_device COLUMN_INDEX Events device_type"]
    commands = folder / "load.grn"
    with open(commands, "w") as out, open(data.whole) as whole:
        out.write("\n".join(schema) + "\nload --table Events\n[\n")
        for number, row in enumerate(whole):
            out.write(("" if number == 0 else ",\n") + row.rstrip("\n"))
        out.write("\n]\n")
    database = folder / "db"
    subprocess.run([program, "-n", database, "status"], stdout=subprocess.DEVNULL, check=True)
    begin = time.perf_counter()
    subprocess.run(["taskset", "-c", CORE, program, "--file", commands, database], stdout=subprocess.DEVNULL, check=True)
    result.rate = data.count / (time.perf_counter() - begin)
    result.memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    commands.unlink()
    result.bytes = folder_bytes(folder) / data.count
    low, high = data.minutes
    server = subprocess.Popen([program, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(command):
        server.stdin.write(command + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    call("cache_limit 0")  # whole answers, the same request twice: measures nothing
    newest = " --sort_keys -ts --limit 50 --output_columns source"
    selected = f"select Events --filter 'device_type == \"ios\" && ts >= {low} && ts < {high}'"
    texts = [selected + newest] + [f"select Events --match_columns log_message --query '\"{w}\"'" + newest
                                   for w in (RARE, COMMON, PHRASE)]
    texts += ["select Events --limit 0 --drilldown log_host --drilldown_sort_keys -_nsubrecs --drilldown_limit 10",
              "select Events --limit 0 --columns[minute].stage initial --columns[minute].type Int64 "
              "--columns[minute].value 'ts / 60000' --drilldown minute --drilldown_limit -1",
              "select Events --limit 0 --drilldown user_id --drilldown_limit 0", None]
    for name, text in zip(QUERIES, texts):
        if text is None:  # it has no percentiles
            continue
        result.counts[name] = call(text)[1][0][0][0]
        slow = measure(1, lambda: call(text))
        result.times[name] = slow if slow[0] > 2000 else measure(args.runs, lambda: call(text))
    server.stdin.close()
    server.wait(30)
    return result


def clickhouse(build, data, args, source=True):
    server_program, client_program = shutil.which("clickhouse-server"), shutil.which("clickhouse-client")
    if server_program is None or client_program is None:
        print("ClickHouse is passed over: no clickhouse-server or clickhouse-client")
        return None
    result = Result("ClickHouse 18.16" + ("" if source else ", values only"))
    folder = args.work / ("clickhouse" if source else "clickhouse-values")
    (folder / "data").mkdir(parents=True)
    port, web = 19_000, 18_123
    (folder / "users.xml").write_text("""<yandex><profiles><default><max_memory_usage>10000000000</max_memory_usage>
</default></profiles><users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota></default></users><quotas><default/></quotas></yandex>""")
    (folder / "config.xml").write_text(f"""<yandex><logger><level>error</level><log>{folder}/log</log>
<errorlog>{folder}/errors</errorlog></logger><http_port>{web}</http_port><tcp_port>{port}</tcp_port>
<listen_host>127.0.0.1</listen_host><path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>5368709120</mark_cache_size></yandex>""")
    server = subprocess.Popen(["taskset", "-c", CORE, server_program, f"--config-file={folder}/config.xml"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def call(query, body=None):
            connection = http.client.HTTPConnection("127.0.0.1", web, timeout=600)
            connection.request("POST", "/?query=" + urllib.parse.quote(query), body=body or b"")
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 200:
                raise RuntimeError(text)
            return text

        for _ in range(100):
            try:
                call("select 1")
                break
            except OSError:
                time.sleep(0.2)
        kinds = {str: "String", int: "Int64", float: "Float64", bool: "UInt8"}
        columns = ", ".join(f"{name} {kinds[kind]}" for name, kind in data.columns.items())
        columns += ", source String" if source else ""
        call(f"create table events ({columns}, day Date default toDate(intDiv(ts, 1000))) engine = MergeTree "
             "partition by day order by (device_type, ts)")
        begin = time.perf_counter()
        subprocess.run(["taskset", "-c", CORE, client_program, "--port", str(port), "--query",
                        "insert into events format JSONEachRow", "--input_format_skip_unknown_fields", "1"],
                       stdin=open(data.whole if source else data.flat), check=True)
        result.rate = data.count / (time.perf_counter() - begin)
        call("optimize table events final")
        active = "from system.parts where active and table='events'"
        result.bytes = float(call(f"select sum(bytes_on_disk) {active}")) / data.count
        # Queries may use every core.
        for thread in Path(f"/proc/{server.pid}/task").iterdir():
            try:
                os.sched_setaffinity(int(thread.name), set(range(os.cpu_count())))
            except ProcessLookupError:
                pass
        low, high = data.minutes
        selected = f"where device_type='ios' and ts >= {low} and ts < {high}"
        wheres = [selected] + [f"where position(log_message, '{w}') > 0" for w in (RARE, COMMON, PHRASE)] + [""] * 4
        shown = "source" if source else "*"
        texts = [f"select {shown} from events {where} order by ts desc limit 50 format JSONEachRow" for where in wheres[:4]]
        texts += ["select log_host, count() c from events group by log_host order by c desc limit 10",
                  "select intDiv(ts, 60000) m, count() from events group by m order by m",
                  "select uniqExact(user_id) from events",
                  "select quantilesExact(0.5, 0.95, 0.99)(request_latency_ms) from events"]
        for name, text, where in zip(QUERIES, texts, wheres):
            result.counts[name] = int(call(f"select count() from events {where}"))
            slow = measure(1, lambda: call(text))
            result.times[name] = slow if slow[0] > 2000 else measure(args.runs, lambda: call(text))
        for line in open(f"/proc/{server.pid}/status"):
            if line.startswith("VmHWM"):
                result.memory = int(line.split()[1]) / 1024
        return result
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--only", default="honryu,groonga,sqlite,clickhouse,clickhouse-values")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    args.work = args.work / f"honryu-peers-{os.getpid()}"
    args.work.mkdir(parents=True)
    systems = {"honryu": ours, "groonga": groonga, "sqlite": sqlite, "clickhouse": clickhouse,
               "clickhouse-values": lambda *with_all: clickhouse(*with_all, source=False)}
    results = []
    try:
        (args.data or args.work).mkdir(parents=True, exist_ok=True)
        data = Prepared(args.build, args.data or args.work, args.events)
        print(f"{data.count} events of {data.raw / data.count:.0f} B")
        for name in args.only.split(","):
            # Each in a process of its own, so that memory figures are its own.
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                result = systems[name](args.build, data, args)
                os.write(write, json.dumps(vars(result) if result else None).encode())
                sys.stdout.flush()
                os._exit(0)
            os.close(write)
            with os.fdopen(read) as answer:
                found = json.loads(answer.read() or "null")
            os.waitpid(child, 0)
            if found:
                results.append(found)
                print(json.dumps(found, ensure_ascii=False), flush=True)
    finally:
        shutil.rmtree(args.work, ignore_errors=True)
    table(data, results)
    return 0


def table(data, results):
    def row(name, cells):
        print("| " + " | ".join([name] + cells) + " |")

    print()
    row("", [r["name"] for r in results])
    row("---", ["---"] * len(results))
    row("events/s, one core", [f"{r['rate']:,.0f}" for r in results])
    row("bytes an event", [f"{r['bytes']:.0f} ({r['bytes'] * data.count / data.raw:.2f} of raw)" for r in results])
    row("peak memory, MB", [f"{r['memory']:,.0f}" for r in results])
    for name in QUERIES:
        row(name + ", p50 / p99 ms", ["{:.1f} / {:.1f}".format(*r["times"][name]) if name in r["times"] else "-"
                                      for r in results])
    row("median of the p50s, ms", [f"{statistics.median(t[0] for t in r['times'].values()):.1f}" for r in results])
    for name in QUERIES:
        counts = {r["name"]: r["counts"][name] for r in results if name in r["counts"]}
        if len(set(counts.values())) > 1:
            print(f"{name}: matches differ: {counts}")
        elif counts:
            print(f"{name}: {next(iter(counts.values()))} matches in all {len(counts)}")


if __name__ == "__main__":
    sys.exit(main())
