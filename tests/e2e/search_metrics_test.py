#!/usr/bin/env python3
"""Every metric of the search store moves when, and only when, what it measures does; index statistics and `_cat` say the same."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

SETTINGS = ["search.store.max_fields=40", "search.store.flush_age=1s", "search.streams.0=events"]


class Watched:
    def __init__(self, server):
        self.server = server

    def now(self):
        values = {}
        for line in self.server.request("admin", "GET", "/metrics")[1].decode().splitlines():
            if line.startswith("honryu_indexer") or line.startswith("honryu_search"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    def call(self, method, path, body=None, expected=(200, 201)):
        content = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        status, answer = self.server.json("search", method, path, body, {"Content-Type": content})
        assert status in expected, (method, path, status, answer)
        return answer

    def grows(self, names, act, what):
        """Each of these grows by that much (None: at all), and no other counter of requests does."""
        before = self.now()
        act()
        def grown():
            after = self.now()
            return all((after[n] - before[n] >= 1e-9) if by is None else after[n] - before[n] == by for n, by in names.items())
        hp.eventually(grown, timeout=20, what=f"{what}: {names}, found { {n: (before[n], self.now()[n]) for n in names} }")
        after = self.now()
        others = {n: after[n] - before[n] for n in after if n.startswith("honryu_search_requests_total") and n not in names}
        assert not any(others.values()), (what, others)


def request_kind(kind):
    return {f'honryu_search_requests_total{{kind="{kind}"}}': 1, f'honryu_search_request_seconds_count{{kind="{kind}"}}': 1,
            f'honryu_search_request_seconds_sum{{kind="{kind}"}}': None}


def post(server, events):
    body = "\n".join(json.dumps(e) for e in events).encode()
    status, answer = server.json("http", "POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
    assert status == 200 and not answer["rejected"] and not answer["failed"], answer


def event(number, **members):
    return {"event_id": f"00000000-0000-4000-8000-{number:012d}", "event_type": "x", "user_id": "u", "properties": members}


def main():
    with hp.temporary_directory() as directory, hp.Server(directory, settings=SETTINGS) as server:
        watched = Watched(server)
        post(server, [event(0)])
        hp.eventually(lambda: watched.now()["honryu_indexer_stored_documents"] == 1, timeout=30, what="the first event")

        # IndexingRate, IndexingLatency, visibility, size.
        watched.grows({"honryu_indexer_documents_total": 300, "honryu_indexer_bytes_total": None, "honryu_indexer_add_seconds_count": None,
                       "honryu_indexer_add_seconds_sum": None, "honryu_indexer_visible_seconds_count": None,
                       "honryu_indexer_visible_seconds_sum": None, "honryu_indexer_stored_documents": 300, "honryu_indexer_stored_bytes": None},
                      lambda: post(server, [event(n, n=n) for n in range(1, 301)]), "events")
        values = watched.now()
        assert values["honryu_indexer_visible_seconds_sum"] / values["honryu_indexer_visible_seconds_count"] < 5, values

        # Refresh lag and what waits: above zero while events come, zero again afterwards.
        stop, seen = threading.Event(), {"lag": 0.0, "waiting": 0.0, "memory": 0.0}
        number = [301]

        def load():
            while not stop.is_set():
                post(server, [event(number[0] + i, n=i) for i in range(20)])
                number[0] += 20

        loader = threading.Thread(target=load)
        loader.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not all(seen.values()):
            values = watched.now()
            seen["lag"] = max(seen["lag"], values["honryu_indexer_refresh_lag_seconds"])
            seen["waiting"] = max(seen["waiting"], values["honryu_indexer_waiting_documents"])
            seen["memory"] = max(seen["memory"], values["honryu_indexer_memory_bytes"])
        stop.set()
        loader.join()
        assert all(seen.values()), seen
        hp.eventually(lambda: all(watched.now()[f"honryu_indexer_{name}"] == 0 for name in
                                  ("refresh_lag_seconds", "waiting_documents", "memory_bytes")), timeout=30, what="nothing waits any more")
        assert watched.now()["honryu_indexer_documents_total"] == number[0]

        # Latency by kind of request.
        watched.grows(request_kind("search"), lambda: watched.call("POST", "/events/_search", {"query": {"match": {"event_type": "x"}}}), "search")
        watched.grows(request_kind("count"), lambda: watched.call("POST", "/events/_count", {}), "count")
        watched.grows({**request_kind("bulk"), "honryu_search_documents_total": 2, "honryu_indexer_documents_total": 2},
                      lambda: watched.call("POST", "/_bulk?refresh=true", b'{"index":{"_index":"own","_id":"1"}}\n{"a":1}\n{"index":{"_index":"own","_id":"2"}}\n{"a":2}\n'), "bulk")
        watched.grows(request_kind("document"), lambda: watched.call("GET", "/own/_doc/1"), "document")
        watched.grows(request_kind("indices"), lambda: watched.call("GET", "/own/_mapping"), "indices")
        watched.grows(request_kind("erase"), lambda: watched.call("POST", "/own/_delete_by_query", {"query": {"term": {"a": 2}}}), "erase")

        # Rejected, both reasons.
        data = {"StreamName": "documents", "PartitionKey": "k"}
        watched.grows({'honryu_indexer_rejected_total{reason="malformed"}': 1},
                      lambda: server.kinesis("PutRecord", {**data, "Data": "bm8gZG9jdW1lbnQ="}), "a record that is no document")
        watched.grows({'honryu_indexer_rejected_total{reason="refused"}': 1},
                      lambda: server.kinesis("PutRecord", {**data, "StreamName": "events", "Data": "WzFd"}), "an event that is no object")
        watched.grows({**request_kind("bulk"), "honryu_search_rejected_documents_total": 1},
                      lambda: watched.call("POST", "/_bulk", b'{"index":{"_index":"own"}}\n[1]\n'), "a document that is refused")

        # The limits of mappings.
        watched.grows({"honryu_indexer_ignored_values": None}, lambda: post(server, [event(900_000, **{f"f{i}": i for i in range(60)})]), "fields")
        assert watched.now()["honryu_indexer_fields"] == 40
        assert "cannot be searched: beyond a limit of the mapping" in server.log_tail(4000)
        watched.grows({"honryu_indexer_conflicting_values": 1}, lambda: post(server, [event(900_001, n="no number")]), "conflict")
        watched.grows({"honryu_indexer_overlong_values": 1}, lambda: post(server, [event(900_002, f0="x" * 400)]), "overlong")
        watched.grows({**request_kind("document"), "honryu_indexer_cut_texts": 1, "honryu_indexer_overlong_values": 1},
                      lambda: watched.call("POST", "/own/_doc", {"t": "w " * 10_050}), "cut")

        # The same, of an index.
        hp.eventually(lambda: watched.now()["honryu_indexer_waiting_documents"] == 0, timeout=20, what="all is visible")
        values, stats = watched.now(), watched.call("GET", "/_stats")
        events, cat = stats["indices"]["events"], {row["index"]: row for row in watched.call("GET", "/_cat/indices?format=json&bytes=b")}
        assert events["honryu"]["fields"] == 40 and events["honryu"]["kept_in_source_only"], events
        assert events["primaries"]["docs"]["count"] == number[0] + 3 == int(cat["events"]["docs.count"]), (events, cat, number)
        assert stats["_all"]["primaries"]["docs"]["count"] == values["honryu_indexer_stored_documents"], (stats, values)
        size = stats["_all"]["primaries"]["store"]["size_in_bytes"]
        assert size == sum(int(row["store.size"]) for row in cat.values())
        expected = size / stats["_all"]["primaries"]["docs"]["count"]
        hp.eventually(lambda: abs(watched.now()["honryu_indexer_bytes_per_document"] - expected) < expected / 2, what="bytes per document")
        for name, metric in (("ignored_values", "ignored_values"), ("cut_texts", "cut_texts"), ("conflicting_values", "conflicting_values")):
            assert stats["honryu"][name] == values[f"honryu_indexer_{metric}"], name
        watched.call("PUT", "/own/_doc/1?refresh=true", {"a": 3})  # replaced: deleted until its segment is merged
        deleted = watched.call("GET", "/_stats")["indices"]["own"]["primaries"]["docs"]["deleted"]
        assert deleted >= 1, deleted
        assert watched.now()["honryu_indexer_errors_total"] == 0
        print(f"ok: {len(values)} metrics watched, {number[0]} events, {values['honryu_indexer_bytes_per_document']:.0f} bytes a document")


if __name__ == "__main__":
    main()
