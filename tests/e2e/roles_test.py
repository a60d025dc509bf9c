#!/usr/bin/env python3
"""Separate daemons, one for each role, behave as the all-in-one does.

The same events are posted to both; both must give the same final KPI rows. Then the gateway and the broker are restarted (the
broker by kill -9) and ingestion goes on without loss; the aggregator and the query daemon are killed with events on their way, and the
KPI rows are still those of the all-in-one. Indexer, detector and alerter stand beside them with the ready programs and rules.
"""
import json
import os
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

FAST = ["aggregator.idle_timeout=1s"]
RANGE = ("2024-05-01T00:00:00Z", "2024-05-02T00:00:00Z")


def events(count, offset=0, hour=10):
    for i in range(offset, offset + count):
        minute, second = (i - offset) // 40 % 20, i % 40  # in order of time: what is later than its watermark allows would be late
        yield {"event_id": f"00000000-0000-4000-8000-{i:012d}", "event_type": ("page_view", "button_click", "error")[i % 3],
               "timestamp": f"2024-05-01T{hour}:{minute:02d}:{second:02d}+00:00", "user_id": f"u{i % 17}", "properties": {"名前": "渋谷"}}


def post(server, batch):
    body = "\n".join(json.dumps(e, ensure_ascii=False) for e in batch).encode()
    return server.json("http", "POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})


def rows(server, metric, group=""):
    query = urllib.parse.urlencode({"metric": metric, "window": "1m", "from": RANGE[0], "to": RANGE[1], "group": group})
    status, answer = server.json("http", "GET", "/v1/kpi?" + query)
    assert status == 200, answer
    return {(r["start"], r["group"]): r["value"] for r in answer["rows"] if r["final"]}


def everything(server):
    return {m: {**rows(server, m), **rows(server, m, "event_type=*")} for m in ("events", "users", "errors")}


def settled(server, count):
    return sum(v for v in rows(server, "events").values()) == count


def main():
    with hp.temporary_directory() as directory:
        with hp.Server(os.path.join(directory, "all"), settings=FAST) as server:
            status, answer = post(server, events(800))
            assert status == 200 and answer["accepted"] == 800, answer
            hp.eventually(lambda: settled(server, 800), what="all-in-one windows final")
            together = everything(server)
            for hour in (11, 12):
                status, answer = post(server, events(800, 1000 * hour, hour))
                assert status == 200 and answer["accepted"] == 800, answer
                hp.eventually(lambda total=800 * (hour - 9): settled(server, total), what=f"all-in-one windows of {hour}h final")
            all_hours = everything(server)
            assert server.stop() == 0
        daemons = []
        try:
            broker = hp.Server(os.path.join(directory, "broker"), ["broker"], name="broker").start()
            daemons.append(broker)
            remote = FAST + [f"broker.endpoint={broker.url('kinesis')}"]
            for role in ("gateway", "aggregator", "query"):
                daemons.append(hp.Server(os.path.join(directory, role), [role], remote, role).start())
            _, gateway, aggregator, query = daemons
            status, answer = post(gateway, events(800))
            assert status == 200 and answer["accepted"] == 800, answer
            hp.eventually(lambda: settled(query, 800), what="windows of the separate daemons final")
            assert everything(query) == together, "separate daemons and the all-in-one disagree"
            status, answer = post(gateway, events(800))
            assert answer["accepted"] == 0 and answer["duplicates"] == 800, answer
            ready_made = [f"alerts.files=[{os.path.join(hp.REPOSITORY, 'config', 'alerts.yaml')}]", "search.store.retention=0s"]
            others = [hp.Server(os.path.join(directory, role), [role], remote + ready_made, role).start()
                      for role in ("indexer", "detector", "alerter")]
            daemons += others
            for daemon in daemons:
                for path in ("/healthz", "/readyz", "/metrics"):
                    status, answer = daemon.request("admin", "GET", path)
                    assert status == 200, f"{daemon.name} {path}: {status} {answer}"
            hp.eventually(lambda: others[0].json("search", "GET", "/events/_count")[1].get("count") == 800, what="the indexer has every event")
            print("ok: seven daemons, four of which equal the all-in-one")
            for daemon in others:
                assert daemon.stop() == 0, f"{daemon.name} did not stop gracefully"

            lonely = hp.Server(os.path.join(directory, "lonely"), ["gateway"], FAST + ["broker.endpoint=http://127.0.0.1:9"], "lonely")
            lonely.start(wait_ready=False, wait_ports=False)
            time.sleep(1)
            assert lonely.process.poll() is None, "a gateway must wait for its broker"
            begin = time.monotonic()
            assert lonely.stop() == 0, "SIGTERM during the start must be a graceful stop"
            assert time.monotonic() - begin < 10, "SIGTERM during the start took too long"
            print("ok: a start that waits for its broker can be stopped")

            broker.kill()
            status, answer = post(gateway, events(10, 5000))
            assert status in (429, 503), f"a dead broker must be a retryable refusal, found {status} {answer}"
            broker.start()
            hp.eventually(lambda: post(gateway, events(10, 5000))[0] == 200, what="ingestion after the broker's restart")
            assert gateway.stop() == 0
            gateway.start()
            status, answer = post(gateway, events(10, 5000))
            assert answer["accepted"] == 0 and answer["duplicates"] == 10, f"a retry over a restart was stored twice: {answer}"
            # Killed with events on their way, and with all windows of an hour open: what they knew comes back, once.
            status, answer = post(gateway, events(800, 11000, 11))
            assert status == 200 and answer["accepted"] == 800, answer
            aggregator.kill()
            query.kill()
            aggregator.start()
            query.start()
            hp.eventually(lambda: settled(query, 1600), what="windows final after the aggregator and the query were killed")
            query.kill()
            query.start()
            aggregator.kill()
            status, answer = post(gateway, events(800, 12000, 12))
            assert status == 200 and answer["accepted"] == 800, answer
            aggregator.start()
            hp.eventually(lambda: settled(query, 2400), what="windows final after the aggregator was away")
            assert everything(query) == all_hours, "restarts lost or doubled events in the key figures"
            for daemon in (query, aggregator, gateway, broker):
                assert daemon.stop() == 0, f"{daemon.name} did not stop gracefully"
            print("ok: restarts lose and double nothing")
        finally:
            for daemon in daemons:
                daemon.kill()


if __name__ == "__main__":
    main()
