"""The requests of Grafana's OpenSearch data source, as its source code builds them. usage: search_grafana.py URL

Panels, logs, raw data, variables, annotations and the health check; the shape of each answer is what its parser reads.
"""
import json
import sys
import urllib.request

URL = sys.argv[1]
AGENT = "Grafana/11.2.0"
START = 1795219200000
FROM, TO = START, START + 3600_000


def call(method, path, body=None, content_type="application/json"):
    data = body.encode() if body is not None else None
    request = urllib.request.Request(URL + path, data=data, method=method, headers={"User-Agent": AGENT, "Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def msearch(*searches):
    lines = ""
    for body in searches:
        lines += json.dumps({"search_type": "query_then_fetch", "ignore_unavailable": True, "index": "events-*"}) + "\n" + json.dumps(body) + "\n"
    answers = call("POST", "/_msearch?max_concurrent_shard_requests=5", lines, "application/x-ndjson")["responses"]
    for answer in answers:
        assert answer["status"] == 200 and "error" not in answer, answer
    return answers


def filters(query="*"):
    return {"bool": {"filter": [{"range": {"@timestamp": {"gte": FROM, "lte": TO, "format": "epoch_millis"}}},
                                {"query_string": {"analyze_wildcard": True, "query": query}}]}}


call("PUT", "/_index_template/events", json.dumps({"index_patterns": ["events-*"], "template": {"mappings": {"properties": {"@timestamp": {"type": "date"}}}}}))
lines = ""
for n in range(720):
    document = {"@timestamp": START + n * 5000, "level": "error" if n % 9 == 0 else "info", "host": f"web-{n % 4}", "bytes": n * 10,
                "duration": n / 10, "message": f"request {n} served",
                "location": {"latitude": 35.68 if n % 4 else 34.7, "longitude": 139.76 if n % 4 else 135.5, "accuracy": 10}}
    lines += json.dumps({"create": {"_index": "events-web"}}) + "\n" + json.dumps(document) + "\n"
loaded = call("POST", "/_bulk?refresh=wait_for", lines, "application/x-ndjson")
assert loaded["errors"] is False

# Settings page: version and flavour, then the time field's type.
root = call("GET", "/")
assert root["version"]["distribution"] == "opensearch" and root["version"]["number"]
mapping = call("GET", "/events-*/_mapping/field/@timestamp")
assert mapping["events-web"]["mappings"]["@timestamp"]["mapping"]["@timestamp"]["type"] == "date", mapping
assert call("GET", "/_cluster/health?wait_for_status=yellow")["status"] == "green"
settings = call("GET", "/events-*/_settings/index.number_of_shards?flat_settings=true")
assert settings["events-web"]["settings"]["index.number_of_shards"] == "1", settings

# Field pickers.
fields = call("GET", "/events-*/_field_caps?fields=*")["fields"]
assert fields["bytes"]["long"]["aggregatable"] and fields["host.keyword"]["keyword"]["searchable"]
assert any(row["index"] == "events-web" for row in call("GET", "/_cat/indices?format=json&h=index,status,health,docs.count"))

histogram = {"interval": "30s", "field": "@timestamp", "min_doc_count": 0, "extended_bounds": {"min": FROM, "max": TO}, "format": "epoch_millis"}
# Time series: count by host, with a metric beside it, and several panels at a time.
panel = {"size": 0, "query": filters(), "aggs": {"3": {
    "terms": {"field": "host.keyword", "size": 10, "order": {"_key": "desc"}, "min_doc_count": 1},
    "aggs": {"2": {"date_histogram": histogram, "aggs": {"1": {"avg": {"field": "bytes"}}, "4": {"percentiles": {"field": "duration", "percents": ["95", "99"]}},
                                                         "5": {"extended_stats": {"field": "bytes", "missing": None}}}}}}}}
single = {"size": 0, "query": filters('level:"error"'), "aggs": {"2": {"date_histogram": histogram, "aggs": {}}}}
first, second = msearch(panel, single)
hosts = first["aggregations"]["3"]["buckets"]
assert [bucket["key"] for bucket in hosts] == ["web-3", "web-2", "web-1", "web-0"]
buckets = hosts[0]["2"]["buckets"]
assert len(buckets) == 121 and buckets[0]["key"] == FROM and buckets[0]["key_as_string"] == str(FROM), buckets[:2]
assert "value" in buckets[0]["1"] and "95.0" in buckets[0]["4"]["values"] and "std_deviation_bounds" in buckets[0]["5"]
assert sum(bucket["doc_count"] for bucket in second["aggregations"]["2"]["buckets"]) == 80
# Pipelines beside their metric.
piped = msearch({"size": 0, "query": filters(), "aggs": {"2": {"date_histogram": histogram, "aggs": {
    "1": {"sum": {"field": "bytes"}}, "3": {"derivative": {"buckets_path": "1"}}, "4": {"cumulative_sum": {"buckets_path": "1"}},
    "5": {"moving_avg": {"buckets_path": "1", "window": 5, "model": "simple"}}, "7": {"serial_diff": {"buckets_path": "1", "lag": 2}},
    "6": {"bucket_script": {"buckets_path": {"var1": "1"}, "script": "params.var1 / 2"}}}}}})[0]["aggregations"]["2"]["buckets"]
assert piped[1]["3"]["value"] == piped[1]["1"]["value"] - piped[0]["1"]["value"]
assert piped[2]["4"]["value"] == sum(bucket["1"]["value"] for bucket in piped[:3])
assert piped[3]["6"]["value"] == piped[3]["1"]["value"] / 2 and "5" in piped[3] and "7" in piped[3]
# A geomap: its field picker walks the mapping for a geo_point, its panel groups by geohash.


def fields_of(properties, prefix=""):
    for name, field in properties.items():
        if "properties" in field:
            yield from fields_of(field["properties"], prefix + name + ".")
        if "type" in field:
            yield prefix + name, field["type"]


types = dict(fields_of(call("GET", "/events-*/_mapping")["events-web"]["mappings"]["properties"]))
assert [name for name, kind in types.items() if kind == "geo_point"] == ["location"] and types["location.latitude"] == "double", types
cells = msearch({"size": 0, "query": filters(), "aggs": {"2": {"geohash_grid": {"field": "location", "precision": 3},
                                                              "aggs": {"1": {"avg": {"field": "bytes"}}}}}})[0]["aggregations"]["2"]["buckets"]
assert [(cell["key"], cell["doc_count"]) for cell in cells] == [("xn7", 540), ("xn0", 180)] and "value" in cells[0]["1"], cells
# An alias that shows a part is a data source of its own.
call("POST", "/_aliases", json.dumps({"actions": [{"add": {"index": "events-web", "alias": "errors", "filter": {"term": {"level": "error"}}}}]}))
part = call("POST", "/_msearch", '{"search_type":"query_then_fetch","ignore_unavailable":true,"index":"errors"}\n' +
            json.dumps({"size": 0, "query": filters(), "aggs": {"2": {"date_histogram": histogram, "aggs": {}}}}) + "\n", "application/x-ndjson")
assert sum(bucket["doc_count"] for bucket in part["responses"][0]["aggregations"]["2"]["buckets"]) == 80
assert call("GET", "/errors/_mapping/field/@timestamp")["events-web"]["mappings"]["@timestamp"]["mapping"]["@timestamp"]["type"] == "date"
# Filters and geohash groups.
groups = msearch({"size": 0, "query": filters(), "aggs": {"2": {"filters": {"filters": {
    "errors": {"query_string": {"query": "level:error", "analyze_wildcard": True}}, "rest": {"query_string": {"query": "-level:error", "analyze_wildcard": True}}}},
    "aggs": {"1": {"cardinality": {"field": "host.keyword"}}}}}})[0]["aggregations"]["2"]["buckets"]
assert groups["errors"]["doc_count"] == 80 and groups["rest"]["doc_count"] == 640 and groups["rest"]["1"]["value"] == 4

# Logs, raw data and raw documents.
logs = msearch({"size": 500, "query": filters("message:served"), "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}],
                "script_fields": {}, "fields": [{"field": "@timestamp", "format": "strict_date_optional_time_nanos"}, {"field": "*"}],
                "docvalue_fields": [{"field": "@timestamp"}], "aggs": {"2": {"date_histogram": histogram, "aggs": {}}},
                "highlight": {"fields": {"*": {}}, "pre_tags": ["@HIGHLIGHT@"], "post_tags": ["@/HIGHLIGHT@"], "fragment_size": 2147483647}})[0]
assert logs["hits"]["total"]["value"] == 720 and len(logs["hits"]["hits"]) == 500
hit = logs["hits"]["hits"][0]
assert hit["_source"]["message"] == "request 719 served" and isinstance(hit["fields"]["@timestamp"], list) and len(hit["sort"]) == 2
assert hit["highlight"]["message"] == ["request 719 @HIGHLIGHT@served@/HIGHLIGHT@"], hit

# Variables: {"find":"terms","field":"host.keyword"} and {"find":"fields","type":"keyword"}.
terms = msearch({"size": 0, "query": filters(), "aggs": {"1": {"terms": {"field": "host.keyword", "size": 500, "order": {"_key": "asc"}}}}})[0]
assert [bucket["key"] for bucket in terms["aggregations"]["1"]["buckets"]] == ["web-0", "web-1", "web-2", "web-3"]
mappings = call("GET", "/events-*/_mapping")
assert mappings["events-web"]["mappings"]["properties"]["level"]["fields"]["keyword"]["type"] == "keyword"

# Ad-hoc filters and annotations.
for query, expected in (('host:"web-1"', 180), ('-host:"web-1"', 540), ("host.keyword:/web-[12]/", 360), ("bytes:>7000", 19), ("bytes:<100", 10)):
    answer = msearch({"size": 0, "query": filters(query), "track_total_hits": True})[0]
    assert answer["hits"]["total"]["value"] == expected, (query, answer)
notes = msearch({"size": 10000, "query": {"bool": {"filter": [
    {"bool": {"should": [{"range": {"@timestamp": {"from": FROM, "to": TO, "format": "epoch_millis"}}}], "minimum_should_match": 1}},
    {"query_string": {"query": "level:error"}}]}}})[0]
assert len(notes["hits"]["hits"]) == 80
# An unknown field gives an empty answer, a broken query its reason.
assert msearch({"size": 0, "query": filters("nothing:here")})[0]["hits"]["total"]["value"] == 0
broken = call("POST", "/_msearch", '{"index":"events-*"}\n' + json.dumps({"query": {"query_string": {"query": "(("}}}) + "\n", "application/x-ndjson")
assert broken["responses"][0]["status"] == 400 and broken["responses"][0]["error"]["root_cause"][0]["reason"]
print("ok: Grafana's requests")
