#!/usr/bin/env python3
"""All answers of answers.json for the five sets of real events, through `_bulk` and the search API of a real process. Skipped without them.

The same requests run once more after a restart from disk.
"""
import gzip
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402

WORDS = {"type": "text", "fields": {"words": {"type": "text", "analyzer": "words"}, "keyword": {"type": "keyword"}}}
MAPPINGS = {"wiki-edits": {"comment": WORDS}, "ja-edits": {"message": WORDS}}
ALL = {"match_all": {}}


class Set:
    def __init__(self, server, name, answers):
        self.server, self.name, self.answers, self.checked = server, name, answers, set()

    def load(self):
        status, answer = self.server.json("search", "PUT", f"/{self.name}", {"mappings": {"properties": MAPPINGS.get(self.name, {})}})
        assert status == 200, answer
        with gzip.open(hp.data_file(self.name + ".ndjson.gz"), "rb") as file:
            lines = file.read().splitlines()
        for begin in range(0, len(lines), 5000):
            body = b"".join(b'{"index":{}}\n' + line + b"\n" for line in lines[begin:begin + 5000])
            status, answer = self.server.json("search", "POST", f"/{self.name}/_bulk?filter_path=errors", body,
                                              {"Content-Type": "application/x-ndjson"}, timeout=120)
            assert status == 200 and answer == {"errors": False}, answer
        assert self.server.json("search", "POST", f"/{self.name}/_refresh", timeout=120)[0] == 200

    def want(self, name):
        self.checked.add(name)
        return self.answers[name]

    def ask(self, body):
        status, answer = self.server.json("search", "POST", f"/{self.name}/_search", body, {"Content-Type": "application/json"}, timeout=120)
        assert status == 200 and answer["_shards"]["failed"] == 0 and not answer["timed_out"], (body, str(answer)[:500])
        return answer

    def count(self, query):
        return self.ask({"size": 0, "track_total_hits": True, "query": query})["hits"]["total"]["value"]

    def agg(self, request, query=None):
        return self.ask({"size": 0, "query": query or ALL, "aggs": {"a": request}})["aggregations"]["a"]

    def value(self, kind, field, query=None):
        return self.agg({kind: {"field": field}}, query)["value"]

    def same(self, name, found, near=False):
        wanted = self.want(name)
        good = abs(found - wanted) < 6e-7 if near else found == wanted
        assert good, f"{self.name}: {name}: found {found}, expected {wanted}"

    def distinct(self, *fields):
        for field in fields:
            self.same("distinct_" + field, self.value("cardinality", field))

    def top(self, name, field, query=None):
        wanted = self.want(name)
        buckets = self.agg({"terms": {"field": field, "size": len(wanted)}}, query)["buckets"]
        found = [[b["key"], b["doc_count"]] for b in buckets]
        # Equal counts may stand in any order, and at the end others of that count may stand.
        assert [c for _, c in found] == [c for _, c in wanted], (self.name, name, found, wanted)
        last = wanted[-1][1]
        assert sorted(map(str, [p for p in found if p[1] > last])) == sorted(map(str, [p for p in wanted if p[1] > last])), (name, found, wanted)

    def counts(self, name, field):
        found = {str(b["key"]): b["doc_count"] for b in self.agg({"terms": {"field": field, "size": 60000}})["buckets"]}
        self.same(name, found)

    def times(self, field, interval, form, inner=None, query=None):
        request = {"date_histogram": {"field": field, "fixed_interval": interval, "min_doc_count": 1, "format": form}}
        if inner:
            request["aggs"] = inner
        return {b["key_as_string"]: b for b in self.agg(request, query)["buckets"]}

    def picked(self, name, times):
        for key, count in self.want(name).items():
            assert times[key]["doc_count"] == count, (self.name, name, key)

    def busiest(self, what, wanted, times):
        order = sorted(([key, b["doc_count"]] for key, b in times.items()), key=lambda p: (-p[1], p[0]))
        assert order[:len(wanted)] == wanted, (self.name, what, order[:len(wanted)], wanted)

    def percentiles(self, what, wanted, field):
        found = self.agg({"percentiles": {"field": field, "percents": [50, 90, 95, 99]}})["values"]
        assert {f"p{key[:2]}": v for key, v in found.items()} == {k: wanted[k] for k in ("p50", "p90", "p95", "p99")}, (what, found, wanted)

    def queries(self, name, make):
        for text, count in self.want(name).items():
            assert self.count(make(text)) == count, (self.name, name, text)


MINUTE, HOUR = "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH"


def near(a, b):
    return abs(a - b) < 6e-7


def wiki(s):
    s.same("rows", s.count(ALL))
    s.same("time_min", s.agg({"min": {"field": "time"}})["value_as_string"])
    s.same("time_max", s.agg({"max": {"field": "time"}})["value_as_string"])
    minutes = s.times("time", "1m", MINUTE)
    s.same("minutes_non_empty", len(minutes))
    s.picked("events_per_minute", minutes)
    s.busiest("busiest_minutes", s.want("busiest_minutes"), minutes)
    windows = s.times("time", "5m", MINUTE, {"added": {"sum": {"field": "added"}}, "deleted": {"sum": {"field": "deleted"}},
                                             "delta": {"stats": {"field": "delta"}}, "users": {"cardinality": {"field": "user.keyword"}},
                                             "channels": {"terms": {"field": "channel.keyword", "size": 3}}})
    wanted = s.want("windows_5min")
    assert len(windows) == wanted["non_empty"]
    s.busiest("windows_5min", wanted["max"], windows)
    for key, window in wanted["picked"].items():
        found = windows[key]
        assert (found["doc_count"], found["added"]["value"], found["deleted"]["value"], found["delta"]["max"], found["delta"]["min"],
                found["users"]["value"], [b["doc_count"] for b in found["channels"]["buckets"]]) == (
            window["count"], window["sum_added"], window["sum_deleted"], window["max_delta"], window["min_delta"], window["distinct_users"],
            [count for _, count in window["top_channel"]]), (found, window)
        assert near(found["delta"]["avg"], window["avg_delta"])
    s.distinct("user", "page", "channel", "namespace", "countryIsoCode", "cityName")
    for field in ("channel", "page", "user", "countryName", "cityName", "namespace"):
        s.top("top10_" + field, field + ".keyword")
    for field in ("isRobot", "isAnonymous", "isNew", "isMinor", "isUnpatrolled"):
        s.same("count_" + field, s.count({"term": {field: True}}))
    for field in ("added", "deleted", "delta"):
        s.same("sum_" + field, s.value("sum", field))
    s.percentiles("percentiles_added", s.want("percentiles_added"), "added")
    s.same("deleted_ge_1000", s.count({"range": {"deleted": {"gte": 1000}}}))
    english = {"term": {"channel.keyword": "#en.wikipedia"}}
    s.picked("channel_by_hour_en", s.times("time", "1h", HOUR, query=english))
    s.queries("token_comment", lambda text: {"match": {"comment.words": text}})
    s.queries("token_and_comment", lambda text: {"query_string": {"query": text, "default_field": "comment.words"}})
    s.queries("substring_page", lambda text: {"wildcard": {"page.keyword": f"*{text}*"}})
    s.queries("substring_comment", lambda text: {"wildcard": {"comment.keyword": f"*{text}*"}})
    japanese = {"term": {"channel.keyword": "#ja.wikipedia"}}
    s.same("ja_channel_rows", s.count(japanese))
    s.top("ja_top10_page", "page.keyword", japanese)


def access(s):
    s.same("rows", s.count(ALL))
    s.same("time_min", s.agg({"min": {"field": "time", "format": "yyyy-MM-dd'T'HH:mm:ss'Z'"}})["value_as_string"])
    s.same("time_max", s.agg({"max": {"field": "time", "format": "yyyy-MM-dd'T'HH:mm:ss'Z'"}})["value_as_string"])
    hours = s.times("time", "1h", HOUR, {"b": {"sum": {"field": "bytes"}}, "ips": {"cardinality": {"field": "remote_ip"}}})
    s.picked("events_per_hour", hours)
    s.distinct("remote_ip", "path", "agent")
    for field in ("path", "remote_ip", "agent", "referrer"):
        s.top("top10_" + field, field)
    s.counts("status", "response")
    s.counts("method", "method")
    s.same("status_ge_500", s.count({"range": {"response": {"gte": 500}}}))
    s.same("status_404", s.count({"term": {"response": 404}}))
    s.top("top10_path_404", "path", {"term": {"response": "404"}})
    s.same("sum_bytes", s.value("sum", "bytes"))
    s.percentiles("percentiles_bytes", s.want("percentiles_bytes"), "bytes")
    s.same("bytes_by_hour_top3", sorted(([key, b["b"]["value"]] for key, b in hours.items()), key=lambda p: -p[1])[:3])
    for key, count in s.want("distinct_ip_per_hour_picked").items():
        assert hours[key]["ips"]["value"] == count, key
    s.queries("token_agent", lambda text: {"match": {"agent": text}})
    s.queries("prefix_path", lambda text: {"prefix": {"path.keyword": text}})


def reviews(s):
    s.same("rows", s.count(ALL))
    s.same("time_min", s.agg({"min": {"field": "date", "format": "yyyy-MM-dd HH:mm"}})["value_as_string"])
    s.same("time_max", s.agg({"max": {"field": "date", "format": "yyyy-MM-dd HH:mm"}})["value_as_string"])
    s.distinct("reviewerId", "vendorId")
    s.counts("rating", "rating")
    s.same("avg_rating", s.value("avg", "rating"), near=True)
    days = s.times("date", "1d", "yyyy-MM-dd")
    s.same("days_non_empty", len(days))
    s.picked("events_per_day", days)
    s.busiest("busiest_days", s.want("busiest_days"), days)
    s.queries("events_per_minute", lambda minute: {"term": {"date": minute}})

    # More minutes than an answer has buckets: month by month.
    def monthly(interval):
        times = {}
        for month in ("2006-12", "2007-01", "2007-02", "2007-03", "2007-04"):
            times.update(s.times("date", interval, "yyyy-MM-dd HH:mm", query={"range": {"date": {"gte": month + "-01||/M", "lte": month + "-01||/M"}}}))
        return times
    minutes, windows = monthly("1m"), monthly("5m")
    s.same("minutes_non_empty", len(minutes))
    s.busiest("busiest_minutes", s.want("busiest_minutes"), minutes)
    wanted = s.want("windows_5min")
    assert len(windows) == wanted["non_empty"]
    s.busiest("windows_5min", wanted["max"], windows)
    for begin, window in wanted["picked"].items():
        query = {"range": {"date": {"gte": begin, "lt": begin + "||+5m"}}}
        assert (s.count(query), s.value("min", "rating", query), s.value("cardinality", "vendorId", query)) == (
            window["count"], window["min_rating"], window["distinct_vendors"]), begin
        assert near(s.value("avg", "rating", query), window["avg_rating"])
    s.top("top10_vendor", "vendorId")
    for vendor, average in s.want("avg_rating_of_top10_vendor"):
        assert near(s.value("avg", "rating", {"term": {"vendorId": vendor}}), average)
    s.top("top10_reviewer", "reviewerId")
    s.top("rating_le_2_by_vendor_top5", "vendorId", {"range": {"rating": {"lte": 2}}})


def flights(s):
    s.same("rows", s.count(ALL))
    s.same("time_min", s.agg({"min": {"field": "time_local", "format": "yyyy-MM-dd'T'HH:mm:ss"}})["value_as_string"])
    s.same("time_max", s.agg({"max": {"field": "time_local", "format": "yyyy-MM-dd'T'HH:mm:ss"}})["value_as_string"])
    minutes = s.times("time_local", "1m", MINUTE)
    s.picked("events_per_minute", minutes)
    s.busiest("busiest_minutes", s.want("busiest_minutes"), minutes)
    hours = s.times("time_local", "1h", HOUR, {"c": {"sum": {"field": "cancelled"}}, "d": {"avg": {"field": "departure_delay"}},
                                               "l": {"cardinality": {"field": "airline"}}})
    s.picked("events_per_hour", hours)
    wanted = s.want("windows_1h")
    assert len(hours) == wanted["non_empty"]
    s.busiest("windows_1h", wanted["max"], hours)
    for key, window in wanted["picked"].items():
        assert (hours[key]["c"]["value"], hours[key]["l"]["value"]) == (window["cancelled"], window["distinct_airlines"]), key
        assert near(hours[key]["d"]["value"], window["avg_departure_delay"]), key
    s.distinct("tail_number", "origin", "destination", "airline", "flight_number")
    for field in ("origin", "destination", "airline", "origin_state", "origin_city"):
        s.top("top10_" + field, field)
    s.same("cancelled", s.value("sum", "cancelled"))
    s.same("diverted", s.count({"term": {"diverted": 1}}))
    s.counts("cancellation_reason", "cancellation_reason")
    delay, stats = s.want("departure_delay"), s.agg({"stats": {"field": "departure_delay"}})
    assert (stats["count"], stats["sum"], stats["min"], stats["max"]) == (delay["count_non_null"], delay["sum"], delay["min"], delay["max"]), stats
    assert near(stats["avg"], delay["avg"])
    s.percentiles("departure_delay", delay, "departure_delay")
    s.same("sum_distance", s.value("sum", "distance"))
    for name, count in s.want("geo_box_count").items():
        south, north, west, east = map(float, re.fullmatch(r"lat (\S+)\.\.(\S+) lon (\S+)\.\.(\S+)", name).groups())
        assert s.count({"bool": {"filter": [{"range": {"origin_lat": {"gte": south, "lte": north}}},
                                            {"range": {"origin_lon": {"gte": west, "lte": east}}}]}}) == count, name
    rates = s.agg({"terms": {"field": "airline", "size": 100}, "aggs": {"c": {"filter": {"term": {"cancelled": 1}}}}})["buckets"]
    wanted = s.want("cancel_rate_by_airline")
    assert {b["key"] for b in rates} == wanted.keys() and all(near(b["c"]["doc_count"] / b["doc_count"], wanted[b["key"]]) for b in rates)


def japanese(s):
    s.same("rows", s.count(ALL))
    s.same("time_min", s.agg({"min": {"field": "time", "format": "yyyy-MM-dd'T'HH:mm:ss'Z'"}})["value_as_string"])
    s.same("time_max", s.agg({"max": {"field": "time", "format": "yyyy-MM-dd'T'HH:mm:ss'Z'"}})["value_as_string"])
    s.distinct("user", "commit", "path")
    s.counts("event", "event")
    s.top("top10_path", "path")
    s.top("top10_user", "user")
    years = s.agg({"date_histogram": {"field": "time", "calendar_interval": "year", "format": "yyyy", "min_doc_count": 1}})["buckets"]
    s.same("events_per_year", {b["key_as_string"]: b["doc_count"] for b in years})
    s.queries("substring_message_rows", lambda text: {"match": {"message": text}})
    s.queries("substring_message_rows", lambda text: {"match_phrase": {"message": text}})
    s.queries("substring_message_rows", lambda text: {"wildcard": {"message.keyword": f"*{text}*"}})
    s.queries("substring_message_rows", lambda text: {"query_string": {"query": f"message:{text}"}})
    s.same("substring_message_commits", {text: s.value("cardinality", "commit", {"match": {"message": text}})
                                         for text in s.want("substring_message_commits")})
    s.queries("substring_and_rows", lambda text: {"query_string": {"query": text, "default_field": "message"}})
    s.queries("token_message_rows", lambda text: {"match": {"message.words": text}})
    s.same("rows_with_kana_or_kanji", s.count({"regexp": {"message.keyword": ".*[぀-ヿ一-鿿].*"}}))
    s.queries("path_prefix_rows", lambda text: {"prefix": {"path.keyword": text}})


CHECKS = {"wiki-edits": wiki, "access-log": access, "reviews": reviews, "flights": flights, "ja-edits": japanese}


def main():
    with open(hp.data_file("answers.json")) as file:
        answers = json.load(file)
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker", "indexer"], ["search.streams=[]"]) as server:
        for name in CHECKS:
            Set(server, name, answers[name]).load()
        for again in (False, True):
            total = 0
            for name, check in CHECKS.items():
                one = Set(server, name, answers[name])
                check(one)
                assert one.checked == answers[name].keys(), f"{name}: not asked: {answers[name].keys() - one.checked}"
                total += len(one.checked)
            print(f"{'after a restart, ' if again else ''}{total} answers of {len(CHECKS)} sets are exact", flush=True)
            if not again:
                assert server.stop() == 0, server.log_tail()
                server.start()


if __name__ == "__main__":
    main()
