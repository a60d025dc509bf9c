#!/usr/bin/env python3
"""Random documents and random requests of every kind against a brute-force evaluator over the JSON, and against SQLite's FTS5.

usage: search_differential_test.py [--seed S] [--rounds N] [--requests N]

Each round writes, replaces and deletes documents by bulk, sometimes erases by query, lets the store flush and merge, restarts the process or
kills it, and then compares answers of the HTTP API: the matched ids (by paging with search_after), their order, the total, and every
aggregation. HONRYU_SEED replays a failure. FTS5 is compared where the semantics agree: ASCII words (all, any, without, phrases, beginnings)
with its unicode61 tokeniser, and substrings of three and more Japanese characters with its trigrams; what this Python's SQLite lacks is
said and left out.
"""
import argparse
import datetime
import json
import math
import os
import random
import re
import sqlite3
import sys
import time
import zoneinfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
import honryu_process as hp  # noqa: E402
from search_evaluator import (HOUR, Documents, compare_range, distance, has_phrase, has_word, iso, ms_of, point, required,  # noqa: E402
                              values, words)

SETTINGS = ["search.streams=[]", "search.store.flush_age=150ms", "search.store.flush_bytes=1048576", "search.refresh_interval=20ms"]
MAPPING = {"mappings": {"properties": {"w": {"type": "text"}, "v": {"type": "text"}, "k": {"type": "keyword"}, "n": {"type": "long"},
                                       "x": {"type": "double"}, "b": {"type": "boolean"}, "t": {"type": "date"}, "u": {"type": "long"},
                                       "g": {"type": "geo_point"}}}}

class Queries:
    """Random queries: each is (JSON of the query, function of (id, document))."""

    KINDS = ["match_all", "match_none", "bool", "match", "match_phrase", "multi_match", "term", "terms", "range_number", "range_date", "range_math",
             "range_key", "prefix", "wildcard", "regexp", "exists", "ids", "query_string", "simple_query_string", "geo_bounding_box",
             "geo_distance", "constant_score", "dis_max", "match_bool_prefix", "match_phrase_prefix", "fuzzy"]

    def __init__(self, documents, known):
        self.documents, self.dice, self.known = documents, documents.dice, known
        self.used = {}

    def make(self, depth=2):
        kind = self.dice.choice([k for k in self.KINDS if depth > 0 or k not in ("bool", "constant_score", "dis_max")])
        self.used[kind] = self.used.get(kind, 0) + 1
        return getattr(self, kind)(depth)

    def match_all(self, _):
        return {"match_all": {}}, lambda key, doc: True

    def match_none(self, _):
        return {"match_none": {}}, lambda key, doc: False

    def bool(self, depth):
        dice, body, parts = self.dice, {}, {}
        for name in ("must", "filter", "should", "must_not"):
            if dice.random() < 0.5:
                clauses = [self.make(depth - 1) for _ in range(dice.randint(1, 3))]
                parts[name] = [f for _, f in clauses]
                body[name] = [q for q, _ in clauses] if len(clauses) > 1 or dice.random() < 0.5 else clauses[0][0]
        should = parts.get("should", [])
        needed = 1 if should and "must" not in parts and "filter" not in parts else 0
        if should and dice.random() < 0.4:
            body["minimum_should_match"] = dice.choice([0, 1, 2, -1, "50%", "-40%"])
            needed = required(body["minimum_should_match"], len(should))

        def fits(key, doc):
            if not all(f(key, doc) for name in ("must", "filter") for f in parts.get(name, [])):
                return False
            if any(f(key, doc) for f in parts.get("must_not", [])):
                return False
            return sum(f(key, doc) for f in should) >= needed
        return {"bool": body}, fits

    def match(self, _):
        text, field = self.documents.phrase(1, 3), self.dice.choice(["w", "v"])
        wanted = words(text)
        choice = self.dice.randrange(4)
        body, needed = text, 1
        if choice == 1:
            body, needed = {"query": text, "operator": "and"}, len(wanted)
        elif choice == 2:
            minimum = self.dice.choice([2, "60%", -1])
            body, needed = {"query": text, "minimum_should_match": minimum}, max(1, required(minimum, len(wanted)))
        return {"match": {field: body}}, lambda key, doc: any(
            sum(has_word(words(text), word) for word in wanted) >= needed for text in values(doc, field))

    def match_phrase(self, _):
        text, field = self.documents.phrase(1, 3), self.dice.choice(["w", "v"])
        wanted = words(text)
        return {"match_phrase": {field: text}}, lambda key, doc: any(has_phrase(words(v), wanted) for v in values(doc, field))

    def multi_match(self, _):
        text = self.documents.phrase(1, 2)
        wanted = words(text)
        fields = self.dice.choice([["w", "v"], ["w^2", "v"], ["v"]])
        names = [f.split("^")[0] for f in fields]
        body = {"query": text, "fields": fields}
        if self.dice.random() < 0.4:
            body["type"] = "phrase"
            return {"multi_match": body}, lambda key, doc: any(has_phrase(words(v), wanted) for f in names for v in values(doc, f))
        needed = 1
        if self.dice.random() < 0.4:
            body["operator"], needed = "and", len(wanted)
        return {"multi_match": body}, lambda key, doc: any(
            sum(has_word(words(v), word) for word in wanted) >= needed for f in names for v in values(doc, f))

    def match_bool_prefix(self, _):
        first, begin = self.dice.choice(["error", "user", "login"]), self.dice.choice(["err", "us", "tim", "zz"])
        return {"match_bool_prefix": {"w": f"{first} {begin}"}}, lambda key, doc: any(
            first in words(v) or any(w.startswith(begin) for w in words(v)) for v in values(doc, "w"))

    def match_phrase_prefix(self, _):
        first, begin = self.dice.choice(["error", "user", "login"]), self.dice.choice(["err", "us", "tim", "log"])
        return {"match_phrase_prefix": {"w": f"{first} {begin}"}}, lambda key, doc: any(
            a == first and b.startswith(begin) for v in values(doc, "w") for a, b in zip(words(v), words(v)[1:]))

    def fuzzy(self, _):
        text = self.documents.key()

        def near(value):  # one edit at most, of two characters: insertion, deletion, substitution or a swap
            if abs(len(value) - len(text)) > 1:
                return False
            return value == text or value == text[::-1] or any(a == b for a, b in zip(value, text))
        return {"fuzzy": {"k": {"value": text, "fuzziness": 1}}}, lambda key, doc: any(near(v) for v in values(doc, "k"))

    def term(self, _):
        choice = self.dice.randrange(7)
        if choice == 0:
            word = self.dice.choice(["error", "timeout", "user", "zzz"])
            return {"term": {"w": word}}, lambda key, doc: any(word in words(v) for v in values(doc, "w"))
        if choice == 1:
            number = self.dice.randrange(-5, 15)
            given = self.dice.choice([number, str(number), float(number), {"value": number}])
            return {"term": {"n": given}}, lambda key, doc: number in values(doc, "n")
        if choice == 2:
            number = self.dice.randrange(10) + 0.25
            return {"term": {"x": number}}, lambda key, doc: number in values(doc, "x")
        if choice == 3:
            truth = self.dice.random() < 0.5
            return {"term": {"b": self.dice.choice([truth, str(truth).lower()])}}, lambda key, doc: any(v is truth for v in values(doc, "b"))
        if choice == 4:
            text = self.documents.phrase(1, 1)
            return {"term": {"w.keyword": text}}, lambda key, doc: text in values(doc, "w")
        if choice == 5:
            text = self.documents.key()
            return {"term": {"o.s.keyword": text}}, lambda key, doc: text in values(doc, "o.s")
        text = self.documents.key()
        if self.dice.random() < 0.3:
            return {"term": {"k": {"value": text.upper(), "case_insensitive": True}}}, lambda key, doc: text in values(doc, "k")
        return {"term": {"k": text}}, lambda key, doc: text in values(doc, "k")

    def terms(self, _):
        if self.dice.random() < 0.5:
            some = [self.documents.key() for _ in range(self.dice.randint(0, 4))]
            return {"terms": {"k": some}}, lambda key, doc: any(v in some for v in values(doc, "k"))
        numbers = [self.dice.randrange(-5, 15) for _ in range(3)]
        return {"terms": {"n": numbers}}, lambda key, doc: any(v in numbers for v in values(doc, "n"))

    def bounds(self, make):
        low, high = self.dice.choice(["gt", "gte"]), self.dice.choice(["lt", "lte"])
        chosen = {}
        if self.dice.random() < 0.8:
            chosen[low] = make()
        if not chosen or self.dice.random() < 0.6:
            chosen[high] = make()
        return chosen

    def range_number(self, _):
        field = self.dice.choice(["n", "x"])
        bounds = self.bounds(lambda: self.dice.choice([self.dice.randrange(-5, 15), self.dice.randrange(-5, 15) + 0.25]))
        given = {name: str(value) if self.dice.random() < 0.2 else value for name, value in bounds.items()}
        return {"range": {field: given}}, lambda key, doc: any(compare_range(v, bounds) for v in values(doc, field))

    def range_key(self, _):
        bounds = self.bounds(self.documents.key)
        return {"range": {"k": bounds}}, lambda key, doc: any(compare_range(v, bounds) for v in values(doc, "k"))

    def range_date(self, _):
        bounds = self.bounds(self.documents.time_ms)
        form = self.dice.randrange(3)
        body = {name: iso(value) if form == 0 else value for name, value in bounds.items()}
        if form == 1:
            body["format"] = "epoch_millis"
        return {"range": {"t": body}}, lambda key, doc: any(compare_range(ms_of(v), bounds) for v in values(doc, "t"))

    def range_math(self, _):
        """Whole days and hours: gte and lt take the unit's beginning, gt and lte its end."""
        dice = self.dice
        anchor = self.documents.base - dice.randrange(100) * HOUR
        day = 24 * HOUR
        choice = dice.randrange(3)
        if choice == 0:
            text, begin, unit = iso(anchor) + "||-1d/d", (anchor - day) // day * day, day
        elif choice == 1:
            text, begin, unit = iso(anchor) + "||+5h/h", anchor + 5 * HOUR, HOUR
        else:
            # The last edge of a day is hours away from where "now" may move to while this runs, but for midnight itself.
            now = int(time.time() * 1000)
            text, begin, unit = "now-2d/d", (now - 2 * day) // day * day, day
        name = dice.choice(["gt", "gte", "lt", "lte"])
        bound = begin + unit - 1 if name in ("gt", "lte") else begin
        return {"range": {"t": {name: text}}}, lambda key, doc: any(compare_range(ms_of(v), {name: bound}) for v in values(doc, "t"))

    def prefix(self, _):
        begin = self.dice.choice(["a", "b", "cd", "z"])
        if self.dice.random() < 0.4:
            begin = self.dice.choice(["err", "use", "東京", "京"])
            return {"prefix": {"w.keyword": begin}}, lambda key, doc: any(v.startswith(begin) for v in values(doc, "w"))
        return {"prefix": {"k": self.dice.choice([begin, {"value": begin}])}}, lambda key, doc: any(v.startswith(begin) for v in values(doc, "k"))

    def wildcard(self, _):
        pattern = self.dice.choice(["a*", "*b", "?c", "*", "a?", "??", "*a*"])
        expression = re.compile(pattern.replace("*", ".*").replace("?", "."))
        return {"wildcard": {"k": self.dice.choice([pattern, {"value": pattern}, {"wildcard": pattern}])}}, lambda key, doc: any(
            expression.fullmatch(v) for v in values(doc, "k"))

    def regexp(self, _):
        pattern = self.dice.choice(["a.", "[ab][cd]", "(a|c)+.*", "d[^a]", ".b?", "a{1,2}"])
        expression = re.compile(pattern)
        return {"regexp": {"k": self.dice.choice([pattern, {"value": pattern}])}}, lambda key, doc: any(
            expression.fullmatch(v) for v in values(doc, "k"))

    def exists(self, _):
        field = self.dice.choice(["w", "v", "k", "n", "x", "b", "o", "o.s", "t", "nothing"])
        return {"exists": {"field": field}}, lambda key, doc: bool(values(doc, field))

    def ids(self, _):
        some = [self.dice.choice(self.known) for _ in range(5)] + ["no such id"] if self.known else ["no such id"]
        return {"ids": {"values": some}}, lambda key, doc: key in some

    def clause(self):
        """A piece of query_string syntax."""
        dice = self.dice
        word, key, number = dice.choice(["error", "user", "login", "timeout", "修正", "東京"]), self.documents.key(), dice.randrange(-5, 10)
        other = number + dice.randrange(6)
        choices = [
            (f"w:{word}", lambda i, d: any(has_word(words(v), word) for v in values(d, "w"))),
            (f"k:{key}", lambda i, d: key in values(d, "k")),
            (f'w:"user {word}"', lambda i, d: any(has_phrase(words(v), ["user", word]) for v in values(d, "w"))),
            (f"n:[{number} TO {other}]", lambda i, d: any(number <= v <= other for v in values(d, "n"))),
            (f"n:{{{number} TO {other}]", lambda i, d: any(number < v <= other for v in values(d, "n"))),
            (f"n:>={max(0, number)}", lambda i, d: any(v >= max(0, number) for v in values(d, "n"))),
            (f"x:<{max(0, number)}", lambda i, d: any(v < max(0, number) for v in values(d, "x"))),
            (f"k:{key[0]}*", lambda i, d: any(v.startswith(key[0]) for v in values(d, "k"))),
            (f"k:?{key[1]}", lambda i, d: any(len(v) == 2 and v[1] == key[1] for v in values(d, "k"))),
            (f"k:/[ab]{key[1]}/", lambda i, d: any(v[0] in "ab" and v[1] == key[1] for v in values(d, "k"))),
            ("_exists_:x", lambda i, d: bool(values(d, "x"))),
            ("b:true", lambda i, d: any(v is True for v in values(d, "b"))),
            (f"w:(error OR {word})", lambda i, d: any(has_word(words(v), w) for v in values(d, "w") for w in ("error", word))),
            (f"w:(error AND {word})", lambda i, d: any(all(has_word(words(v), w) for w in ("error", word)) for v in values(d, "w"))),
            (word, lambda i, d: any(has_word(words(v), word) for v in values(d, "w"))),
        ]
        return dice.choice(choices)

    def query_string(self, _):
        (a, fa), (b, fb), (c, fc) = self.clause(), self.clause(), self.clause()
        text, fits = self.dice.choice([
            (a, fa),
            (f"{a} AND {b}", lambda i, d: fa(i, d) and fb(i, d)),
            (f"{a} OR {b}", lambda i, d: fa(i, d) or fb(i, d)),
            (f"({a} OR {b}) AND NOT {c}", lambda i, d: (fa(i, d) or fb(i, d)) and not fc(i, d)),
            (f"+{a} -{b}", lambda i, d: fa(i, d) and not fb(i, d)),
            (f"{a} && ({b} || {c})", lambda i, d: fa(i, d) and (fb(i, d) or fc(i, d))),
            (f"NOT {a}", lambda i, d: not fa(i, d)),
        ])
        return {"query_string": {"query": text, "default_field": "w", "analyze_wildcard": True}}, fits

    def simple_query_string(self, _):
        a, b = self.dice.sample(["error", "user", "login", "timeout", "修正", "東京"], 2)

        def has(word):
            return lambda d: any(has_word(words(v), word) for v in values(d, "w"))
        text, fits = self.dice.choice([
            (f"{a} {b}", lambda i, d: has(a)(d) or has(b)(d)),
            (f"+{a} +{b}", lambda i, d: has(a)(d) and has(b)(d)),
            (f"{a} + -{b}", lambda i, d: has(a)(d) and not has(b)(d)),
            (f'"{a} {b}"', lambda i, d: any(has_phrase(words(v), [a, b]) for v in values(d, "w"))),
            (f"{a} | {b}", lambda i, d: has(a)(d) or has(b)(d)),
        ])
        return {"simple_query_string": {"query": text, "fields": ["w"]}}, fits

    def geo_bounding_box(self, _):
        top, bottom = sorted([self.dice.uniform(-60, 60), self.dice.uniform(-60, 60)], reverse=True)
        left, right = self.dice.uniform(-179, 179), self.dice.uniform(-179, 179)
        field = self.dice.choice(["g", "p"])

        def fits(key, doc):
            at = point(doc, field)
            if at is None or not bottom <= at[0] <= top:
                return False
            return left <= at[1] <= right if left <= right else at[1] >= left or at[1] <= right
        return {"geo_bounding_box": {field: {"top_left": {"lat": top, "lon": left}, "bottom_right": {"lat": bottom, "lon": right}}}}, fits

    def geo_distance(self, _):
        centre, km = (self.dice.uniform(-60, 60), self.dice.uniform(-179, 179)), self.dice.randrange(100, 9000)
        field = self.dice.choice(["g", "p"])
        return ({"geo_distance": {"distance": f"{km}km", field: {"lat": centre[0], "lon": centre[1]}}},
                lambda key, doc: point(doc, field) is not None and distance(point(doc, field), centre) <= km * 1000)

    def constant_score(self, depth):
        query, fits = self.make(depth - 1)
        return {"constant_score": {"filter": query}}, fits

    def dis_max(self, depth):
        clauses = [self.make(depth - 1) for _ in range(2)]
        return {"dis_max": {"queries": [q for q, _ in clauses]}}, lambda key, doc: any(f(key, doc) for _, f in clauses)


# ---- aggregations: (name, request, check(answer, matched documents)) ----

def numbers(documents, field):
    return [v for doc in documents for v in values(doc, field)]


def close(a, b):
    return a == b or (a is not None and b is not None and abs(a - b) <= 1e-9 * max(1, abs(a), abs(b)))


def expect(found, wanted, what):
    assert found == wanted, f"{what}: found {found}, expected {wanted}"


def by_value(documents, field):
    groups = {}
    for doc in documents:
        for value in values(doc, field):
            groups.setdefault(value, []).append(doc)
    return groups


def check_terms(answer, documents):
    groups = by_value(documents, "k")
    order = sorted(groups, key=lambda key: (-len(groups[key]), key))[:8]
    expect([(b["key"], b["doc_count"]) for b in answer["buckets"]], [(key, len(groups[key])) for key in order], "terms")
    expect(answer["sum_other_doc_count"], sum(len(g) for g in groups.values()) - sum(len(groups[key]) for key in order), "other terms")
    for bucket in answer["buckets"]:
        group = groups[bucket["key"]]
        some = numbers(group, "n")
        expect((bucket["s"]["count"], bucket["s"]["min"], bucket["s"]["max"], bucket["s"]["sum"]),
               (len(some), min(some, default=None), max(some, default=None), sum(some)), "stats in terms")
        assert close(bucket["s"]["avg"], sum(some) / len(some) if some else None), bucket
        newest = sorted(group, key=lambda doc: -doc["u"])[:2]
        expect([hit["_source"] for hit in bucket["top"]["hits"]["hits"]], newest, "top_hits in terms")
        expect(bucket["top"]["hits"]["total"]["value"], len(group), "total of top_hits")


def day_of(ms, zone):
    local = datetime.datetime.fromtimestamp(ms / 1000, zone)
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def check_days(zone):
    def check(answer, documents):
        days = {}
        for doc in documents:
            day = day_of(ms_of(doc["t"]), zone)
            days.setdefault(day, []).append(doc)
        expect({b["key"]: (b["doc_count"], b["c"]["value"]) for b in answer["buckets"]},
               {day: (len(group), len({v for doc in group for v in values(doc, "k")})) for day, group in days.items()}, "date_histogram by day")
    return check


def check_hours(answer, documents):
    counts = {}
    for doc in documents:
        key = ms_of(doc["t"]) // (6 * HOUR) * 6 * HOUR
        counts[key] = counts.get(key, 0) + 1
    wanted = {key: counts.get(key, 0) for key in range(min(counts), max(counts) + 1, 6 * HOUR)} if counts else {}
    expect({b["key"]: b["doc_count"] for b in answer["buckets"]}, wanted, "date_histogram by six hours, empty ones too")


def check_histogram(answer, documents):
    counts = {}
    for x in numbers(documents, "x"):
        key = math.floor((x - 1) / 2.5) * 2.5 + 1
        counts[key] = counts.get(key, 0) + 1
    expect({b["key"]: b["doc_count"] for b in answer["buckets"]}, counts, "histogram")


def check_range(answer, documents):
    some = numbers(documents, "n")
    expect([b["doc_count"] for b in answer["buckets"]],
           [sum(v < 0 for v in some), sum(0 <= v < 5 for v in some), sum(v >= 3 for v in some)], "range")


def check_percentiles(answer, documents):
    some = sorted(numbers(documents, "x"))
    for percent in (1, 50, 90, 99.9):
        wanted = some[max(1, math.ceil(percent / 100 * len(some))) - 1] if some else None
        expect(answer["values"][str(float(percent))], wanted, f"percentile {percent}")


def check_metric(function, field):
    def check(answer, documents):
        some = numbers(documents, field)
        assert close(answer["value"], function(some)), (answer, function(some))
    return check


def check_stats(answer, documents):
    some = numbers(documents, "x")
    mean = sum(some) / len(some) if some else None
    expect((answer["count"], answer["min"], answer["max"]), (len(some), min(some, default=None), max(some, default=None)), "extended_stats")
    assert close(answer["avg"], mean) and close(answer["sum"], sum(some)), answer
    if some:
        assert abs(answer["variance"] - sum((v - mean) ** 2 for v in some) / len(some)) < 1e-6, answer


def geohash(lat, lon, length):
    alphabet, result = "0123456789bcdefghjkmnpqrstuvwxyz", ""
    ranges, even, bits, bit = [[-90.0, 90.0], [-180.0, 180.0]], True, 0, 0
    while len(result) < length:
        pair, value = (ranges[1], lon) if even else (ranges[0], lat)
        middle = (pair[0] + pair[1]) / 2
        bits = bits * 2 + (1 if value >= middle else 0)
        pair[0 if value >= middle else 1] = middle
        even, bit = not even, bit + 1
        if bit == 5:
            result, bits, bit = result + alphabet[bits], 0, 0
    return result


def check_geohash(field):
    def check(answer, documents):
        counts = {}
        for doc in documents:
            if point(doc, field):
                cell = geohash(*point(doc, field), 2)
                counts[cell] = counts.get(cell, 0) + 1
        expect({b["key"]: b["doc_count"] for b in answer["buckets"]}, counts, "geohash_grid")
    return check


def check_missing(answer, documents):
    expect(answer["doc_count"], sum(not values(doc, "k") for doc in documents), "missing")


def check_booleans(answer, documents):
    groups = by_value(documents, "b")
    expect({b["key_as_string"]: b["doc_count"] for b in answer["buckets"]}, {str(k).lower(): len(g) for k, g in groups.items()}, "terms of booleans")


AGGREGATIONS = [
    ("terms", {"terms": {"field": "k", "size": 8}, "aggs": {"s": {"stats": {"field": "n"}},
                                                          "top": {"top_hits": {"size": 2, "sort": [{"u": "desc"}]}}}}, check_terms),
    ("booleans", {"terms": {"field": "b"}}, check_booleans),
    ("days_tokyo", {"date_histogram": {"field": "t", "calendar_interval": "day", "time_zone": "+09:00", "min_doc_count": 1},
                    "aggs": {"c": {"cardinality": {"field": "k"}}}}, check_days(datetime.timezone(datetime.timedelta(hours=9)))),
    ("days_new_york", {"date_histogram": {"field": "t", "calendar_interval": "1d", "time_zone": "America/New_York", "min_doc_count": 1},
                       "aggs": {"c": {"cardinality": {"field": "k"}}}}, check_days(zoneinfo.ZoneInfo("America/New_York"))),
    ("hours", {"date_histogram": {"field": "t", "fixed_interval": "6h"}}, check_hours),
    ("histogram", {"histogram": {"field": "x", "interval": 2.5, "offset": 1, "min_doc_count": 1}}, check_histogram),
    ("range", {"range": {"field": "n", "ranges": [{"to": 0}, {"from": 0, "to": 5}, {"from": 3}]}}, check_range),
    ("percentiles", {"percentiles": {"field": "x", "percents": [1, 50, 90, 99.9]}}, check_percentiles),
    ("cardinality", {"cardinality": {"field": "w.keyword"}}, check_metric(lambda v: len(set(v)), "w")),
    ("min", {"min": {"field": "n"}}, check_metric(lambda v: min(v, default=None), "n")),
    ("max", {"max": {"field": "n"}}, check_metric(lambda v: max(v, default=None), "n")),
    ("avg", {"avg": {"field": "x"}}, check_metric(lambda v: sum(v) / len(v) if v else None, "x")),
    ("sum", {"sum": {"field": "x"}}, check_metric(sum, "x")),
    ("value_count", {"value_count": {"field": "k"}}, check_metric(len, "k")),
    ("extended_stats", {"extended_stats": {"field": "x"}}, check_stats),
    ("missing", {"missing": {"field": "k"}}, check_missing),
    ("geohash_grid", {"geohash_grid": {"field": "g", "precision": 2, "size": 10000}}, check_geohash("g")),
    ("geohash_grid_unmapped", {"geohash_grid": {"field": "p", "precision": 2, "size": 10000}}, check_geohash("p")),
]


class Comparison:
    def __init__(self, server, seed):
        self.server, self.dice = server, random.Random(seed)
        self.documents = Documents(self.dice)
        self.store = {}
        self.where = f"seed {seed}"
        self.used = {}
        self.requests = 0

    def call(self, method, path, body=None, content="application/json"):
        status, answer = self.server.json("search", method, path, body, {"Content-Type": content}, timeout=60)
        assert status in (200, 201), (self.where, method, path, str(body)[:500], answer)
        return answer

    def write(self, count):
        lines, kept = [], []
        for _ in range(count):
            key = f"id{self.dice.randrange(900)}"
            kind = self.dice.choices(["new", "index", "create", "delete"], [3, 5, 1, 2])[0]
            document = self.documents.make()
            if kind == "delete":
                lines.append({"delete": {"_index": "diff", "_id": key}})
            else:
                lines += [{"index" if kind == "new" else kind: {"_index": "diff"} if kind == "new" else {"_index": "diff", "_id": key}}, document]
            kept.append((kind, key, document))
        body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        answer = self.call("POST", "/_bulk?refresh=true", body, "application/x-ndjson")
        for (kind, key, document), item in zip(kept, answer["items"]):
            result = next(iter(item.values()))
            there = key in self.store
            wanted = (200 if there else 404) if kind == "delete" else 409 if kind == "create" and there else 200 if kind == "index" and there else 201
            expect(result["status"], wanted, f"{self.where}: {kind} of {key}")
            if kind == "delete":
                self.store.pop(key, None)
            elif kind == "create" and there:
                pass
            else:
                self.store[result["_id"]] = document

    def erase(self):
        key = self.documents.key()
        answer = self.call("POST", "/diff/_delete_by_query?refresh=true", {"query": {"term": {"k": key}}})
        gone = [i for i, doc in self.store.items() if key in values(doc, "k")]
        expect(answer["deleted"], len(gone), f"{self.where}: erased")
        for i in gone:
            del self.store[i]

    def matched_ids(self, query):
        """All ids by paging, newest first by a unique number."""
        ids, body = [], {"size": self.dice.choice([37, 150, 1000]), "query": query, "_source": False, "track_total_hits": True,
                         "sort": [{"u": self.dice.choice(["asc", "desc"])}]}
        while True:
            answer = self.call("POST", "/diff/_search", body)
            expect(answer["_shards"]["failed"], 0, "failed shards")
            hits = answer["hits"]["hits"]
            ids += [hit["_id"] for hit in hits]
            if len(hits) < body["size"]:
                return ids, answer["hits"]["total"], body["sort"][0]["u"] == "desc"
            body["search_after"] = hits[-1]["sort"]

    def one(self, queries):
        query, fits = queries.make()
        what = f"{self.where}: {json.dumps(query, ensure_ascii=False)}"
        matched = [(i, doc) for i, doc in self.store.items() if fits(i, doc)]
        ids, total, descending = self.matched_ids(query)
        expect(total, {"value": len(matched), "relation": "eq"}, what)
        expect(ids, [i for i, doc in sorted(matched, key=lambda pair: pair[1]["u"], reverse=descending)], what)
        expect(self.call("POST", "/diff/_count", {"query": query})["count"], len(matched), what)
        chosen = self.dice.sample(AGGREGATIONS, 5)
        filters = [queries.make(1) for _ in range(2)]
        aggs = {name: request for name, request, _ in chosen}
        aggs["filters"] = {"filters": {"filters": {"a": filters[0][0], "b": filters[1][0]}, "other_bucket": True},
                           "aggs": {"most": {"max": {"field": "u"}}}}
        order = self.dice.choice(["n", "x", "k", "t"])
        descending = self.dice.random() < 0.5
        size, begin = self.dice.randint(0, 30), self.dice.randint(0, 20)
        answer = self.call("POST", "/diff/_search", {
            "size": size, "from": begin, "query": query, "aggs": aggs, "sort": [{order: "desc" if descending else "asc"}, {"u": "asc"}],
            "_source": {"includes": ["u", "o*"], "excludes": ["o.s"]} if self.dice.random() < 0.5 else True})
        documents = [doc for _, doc in matched]
        for name, _, check in chosen:
            self.used[name] = self.used.get(name, 0) + 1
            try:
                check(answer["aggregations"][name], documents)
            except AssertionError as fault:
                raise AssertionError(f"{what}: {fault}") from fault
        buckets = answer["aggregations"]["filters"]["buckets"]
        for name, (_, inner) in zip("ab", filters):
            some = [doc for i, doc in matched if inner(i, doc)]
            expect((buckets[name]["doc_count"], buckets[name]["most"]["value"]), (len(some), max((d["u"] for d in some), default=None)), what)
        expect(buckets["_other_"]["doc_count"], sum(not filters[0][1](i, d) and not filters[1][1](i, d) for i, d in matched), what)

        def key_of(doc):
            some = [ms_of(v) if order == "t" else v for v in values(doc, order)]
            return (max(some) if descending else min(some)) if some else None
        have = sorted([d for d in documents if key_of(d) is not None], key=lambda d: d["u"])
        have.sort(key=key_of, reverse=descending)
        ordered = have + sorted([d for d in documents if key_of(d) is None], key=lambda d: d["u"])
        expect([hit["_source"]["u"] for hit in answer["hits"]["hits"]], [d["u"] for d in ordered[begin:begin + size]], what + f" sorted by {order}")
        self.requests += 1

    def nearest(self, queries):
        """Hits in the order of their distance."""
        query, fits = queries.make()
        field, centre = self.dice.choice(["g", "p"]), (self.dice.uniform(-60, 60), self.dice.uniform(-179, 179))
        answer = self.call("POST", "/diff/_search", {"size": 10000, "query": query, "sort": [
            {"_geo_distance": {field: [centre[1], centre[0]], "unit": "km"}}, {"u": "asc"}], "track_total_hits": True})
        far = sorted((distance(point(doc, field), centre) / 1000 if point(doc, field) else math.inf, doc["u"])
                     for i, doc in self.store.items() if fits(i, doc))
        expect([hit["_source"]["u"] for hit in answer["hits"]["hits"]], [u for _, u in far], f"{self.where}: nearest of {query}")
        for hit, (km, _) in zip(answer["hits"]["hits"], far):
            assert hit["sort"][0] is None if km == math.inf else abs(hit["sort"][0] - km) < 1e-3, (self.where, hit["sort"], km)

    def alias(self, queries):
        """An alias with a filter shows what fits it: to searches, counts and aggregations (remembered ones, too)."""
        only, shown = queries.make()
        query, fits = queries.make()
        where = f"{self.where}: {query} through {only}"
        self.call("POST", "/_aliases", {"actions": [{"add": {"index": "diff", "alias": "diff-part", "filter": only}}]})
        matched = [doc["u"] for i, doc in self.store.items() if fits(i, doc) and shown(i, doc)]
        body = {"size": 10000, "query": query, "sort": ["u"], "track_total_hits": True}
        answer = self.call("POST", "/diff-part/_search", body)
        expect([hit["_source"]["u"] for hit in answer["hits"]["hits"]], sorted(matched), where)
        expect(self.call("POST", "/diff-part/_count", {"query": query})["count"], len(matched), where)
        counted = {"size": 0, "query": query, "aggs": {"n": {"value_count": {"field": "u"}}}}
        for _ in range(2):
            for name, wanted in (("diff-part", len(matched)), ("diff", sum(fits(i, doc) for i, doc in self.store.items()))):
                expect(self.call("POST", f"/{name}/_search", counted)["aggregations"]["n"]["value"], wanted, f"{where}: aggregation of {name}")

    def composite(self, queries):
        query, fits = queries.make()
        counts = {}
        for i, doc in self.store.items():
            if fits(i, doc):
                for key in values(doc, "k"):
                    bucket = (key, ms_of(doc["t"]) // (24 * HOUR) * 24 * HOUR)
                    counts[bucket] = counts.get(bucket, 0) + 1
        found, after = [], None
        while True:
            body = {"size": 7, "sources": [{"k": {"terms": {"field": "k"}}}, {"d": {"date_histogram": {"field": "t", "fixed_interval": "1d"}}}]}
            if after is not None:
                body["after"] = after
            answer = self.call("POST", "/diff/_search", {"size": 0, "query": query, "aggs": {"c": {"composite": body}}})["aggregations"]["c"]
            found += [((b["key"]["k"], b["key"]["d"]), b["doc_count"]) for b in answer["buckets"]]
            if len(answer["buckets"]) < 7:
                break
            after = answer["after_key"]
        expect(found, sorted(counts.items()), f"{self.where}: composite of {query}")

    def highlight(self):
        word = self.dice.choice(["error", "login", "修正"])
        answer = self.call("POST", "/diff/_search", {"size": 20, "query": {"match": {"w": word}}, "highlight": {"fields": {"w": {}}}})
        for hit in answer["hits"]["hits"]:
            marked = " ".join(hit["highlight"]["w"])
            assert f"<em>{word}</em>" in marked.lower(), (self.where, hit)

    def fts5(self):
        """The same requests to SQLite. Says what it cannot compare."""
        database = sqlite3.connect(":memory:")
        rows = [(i, doc["w"]) for i, doc in self.store.items() if "w" in doc]
        compared = {}

        def compare(table, request, query):
            wanted = sorted(row[0] for row in database.execute(f"SELECT id FROM {table} WHERE {table} MATCH ?", (request,)))
            expect(sorted(self.matched_ids(query)[0]), wanted, f"{self.where}: FTS5 {request} and {query}")
            compared[table] = compared.get(table, 0) + 1
        try:
            database.execute("CREATE VIRTUAL TABLE words USING fts5(id UNINDEXED, w, tokenize = 'unicode61 remove_diacritics 0')")
            database.executemany("INSERT INTO words VALUES (?, ?)", rows)
            ascii_words = ["error", "errors", "timeout", "user", "us", "login", "a1"]
            for _ in range(25):
                a, b = self.dice.sample(ascii_words, 2)
                both = [{"match": {"w": a}}, {"match": {"w": b}}]
                compare("words", f"w:{a} AND w:{b}", {"bool": {"must": both}})
                compare("words", f"w:{a} OR w:{b}", {"match": {"w": f"{a} {b}"}})
                compare("words", f"w:{a} NOT w:{b}", {"bool": {"must": both[:1], "must_not": both[1:]}})
                compare("words", f'w:"{a} {b}"', {"match_phrase": {"w": f"{a} {b}"}})
                compare("words", f"w:{a[:2]}*", {"prefix": {"w": a[:2]}})
                compare("words", f'w:"{a} {b[:1]}" *', {"match_phrase_prefix": {"w": f"{a} {b[:1]}"}})
                compare("words", f"w:{a} AND w:{b}", {"query_string": {"query": f"{a} AND {b}", "default_field": "w"}})
        except sqlite3.OperationalError as fault:
            print(f"SKIPPED: FTS5's unicode61: {fault}")
        try:
            database.execute("CREATE VIRTUAL TABLE parts USING fts5(id UNINDEXED, w, tokenize = 'trigram')")
            database.executemany("INSERT INTO parts VALUES (?, ?)", rows)
            for text in ("東京都", "検索の", "索の修", "の修正", "検索の修正", "京都東"):
                compare("parts", f'w:"{text}"', {"match": {"w": text}})
                compare("parts", f'w:"{text}"', {"match_phrase": {"w": text}})
        except sqlite3.OperationalError as fault:
            print(f"SKIPPED: FTS5's trigrams: {fault}")
        return compared


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(os.environ.get("HONRYU_SEED", "20261121")))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=60)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    kinds, compared = {}, {}
    with hp.temporary_directory() as directory, hp.Server(directory, ["broker", "indexer"], SETTINGS) as server:
        test = Comparison(server, options.seed)
        test.call("PUT", "/diff", MAPPING)
        merges = 0
        for round_number in range(options.rounds):
            test.where = f"seed {options.seed}, round {round_number}"
            for _ in range(20):
                test.write(test.dice.randint(1, 70))
                time.sleep(0.1)  # a flush between most of them
            if round_number % 2 == 1:
                test.erase()
            hp.eventually(lambda: server.json("search", "GET", "/_stats")[1]["honryu"]["memory_bytes"] == 0, timeout=30, what="a flush")
            merges += server.json("search", "GET", "/_stats")[1]["honryu"]["merges"]
            if round_number % 3 == 1:
                assert server.stop() == 0, server.log_tail()
                server.start()
            elif round_number % 3 == 2:
                test.write(40)  # some of it is in memory only
                server.kill()
                server.start()
                hp.eventually(lambda: server.json("search", "POST", "/diff/_count", {})[1]["count"] == len(test.store), timeout=30,
                              what="the replay")
            found = set(test.matched_ids({"match_all": {}})[0])
            assert found == test.store.keys(), f"{test.where}: missing {sorted(test.store.keys() - found)}, too many {sorted(found - test.store.keys())}"
            queries = Queries(test.documents, list(test.store))
            for _ in range(options.requests):
                test.one(queries)
            for _ in range(5):
                test.composite(queries)
                test.nearest(queries)
                test.alias(queries)
                test.highlight()
            for name, count in queries.used.items():
                kinds[name] = kinds.get(name, 0) + count
            for name, count in test.fts5().items():
                compared[name] = compared.get(name, 0) + count
        missing = set(Queries.KINDS) - kinds.keys() | {name for name, _, _ in AGGREGATIONS} - test.used.keys()
        assert not missing or options.rounds * options.requests < 200, f"never tried: {missing}"
        assert merges > 0, "nothing was merged"
        print(f"ok: {test.requests} requests over up to {len(test.store)} documents, {merges} merges; queries {kinds}; "
              f"aggregations {test.used}; FTS5 {compared}")


if __name__ == "__main__":
    main()
