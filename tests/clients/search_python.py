"""Debian's python3-elasticsearch against a search port. usage: search_python.py URL"""
import sys

import elasticsearch
from elasticsearch import Elasticsearch, helpers

client = Elasticsearch([sys.argv[1]], timeout=60, max_retries=0)
INDEX = "es-py"
# Checks the product before the first request.
assert client.info()["version"]["number"].startswith("7.")
assert client.cluster.health(wait_for_status="yellow")["status"] == "green"
assert client.ping()

actions = ({"_index": INDEX, "_id": str(n), "_source": {"n": n, "user": f"u{n % 5}", "message": f"line {n} done", "@timestamp": 1795219200000 + n}}
           for n in range(3000))
done, errors = helpers.bulk(client, actions, chunk_size=1000, refresh="wait_for")
assert (done, errors) == (3000, []), (done, errors)
assert client.count(index=INDEX)["count"] == 3000

found = client.search(index=INDEX, size=5, query={"query_string": {"query": 'user:u3 AND message:"line 8"'}})
assert found["hits"]["total"]["value"] == 1 and found["hits"]["hits"][0]["_source"]["n"] == 8, found
found = client.search(index=INDEX, size=0, track_total_hits=True, aggs={
    "users": {"terms": {"field": "user.keyword"}, "aggs": {"top": {"max": {"field": "n"}}}}, "p": {"percentiles": {"field": "n", "percents": [50]}}})
assert found["hits"]["total"]["value"] == 3000
assert [bucket["doc_count"] for bucket in found["aggregations"]["users"]["buckets"]] == [600] * 5
assert sum(1 for _ in helpers.scan(client, index=INDEX, size=500)) == 3000

assert client.index(index=INDEX, id="a", document={"n": 1})["result"] == "created"
assert client.get(index=INDEX, id="a")["_source"] == {"n": 1}
assert client.index(index=INDEX, id="a", document={"n": 2}, refresh=True)["result"] == "updated"
assert client.search(index=INDEX, query={"ids": {"values": ["a"]}})["hits"]["hits"][0]["_source"]["n"] == 2
try:
    client.create(index=INDEX, id="a", document={})
    raise AssertionError("created twice")
except elasticsearch.ConflictError:
    pass
assert client.delete(index=INDEX, id="a")["result"] == "deleted"
assert not client.exists(index=INDEX, id="a")

helpers.bulk(client, [{"_op_type": "update", "_index": INDEX, "_id": "1", "doc": {"seen": True}}])
assert client.get(index=INDEX, id="1")["_source"]["seen"] is True and client.get(index=INDEX, id="1")["_source"]["user"] == "u1"
assert client.update(index=INDEX, id="1", body={"doc": {"seen": True}})["result"] == "noop"
assert client.update(index=INDEX, id="new", body={"doc": {"n": 1}, "doc_as_upsert": True})["result"] == "created"
try:
    client.update(index=INDEX, id="none", body={"doc": {"n": 1}})
    raise AssertionError("updated what is missing")
except elasticsearch.NotFoundError as error:
    assert error.error == "document_missing_exception"
seen = client.get(index=INDEX, id="new")
client.index(index=INDEX, id="new", document={"n": 2}, if_seq_no=seen["_seq_no"], if_primary_term=seen["_primary_term"])
try:
    client.delete(index=INDEX, id="new", if_seq_no=seen["_seq_no"], if_primary_term=seen["_primary_term"])
    raise AssertionError("deleted by an old number")
except elasticsearch.ConflictError:
    pass
assert client.delete(index=INDEX, id="new", refresh=True)["result"] == "deleted"

client.indices.put_template(name="py", body={"index_patterns": ["py-*"], "mappings": {"properties": {"code": {"type": "keyword"}}}})
assert client.indices.exists_template(name="py")
client.index(index="py-1", document={"code": "a b"}, refresh=True)
assert client.indices.get_mapping(index="py-1")["py-1"]["mappings"]["properties"]["code"]["type"] == "keyword"
client.indices.put_alias(index="py-1", name="py-now")
assert client.search(index="py-now", query={"term": {"code": "a b"}})["hits"]["total"]["value"] == 1

# A composable template with a component, an alias that shows a part, and its own time to live.
client.cluster.put_component_template(name="py-part", body={"template": {"mappings": {"properties": {"code": {"type": "keyword"}}}}})
client.indices.put_index_template(name="py-all", body={"index_patterns": ["pyt-*"], "composed_of": ["py-part"], "template": {
    "settings": {"index.retention.days": 3}, "aliases": {"pyt-errors": {"filter": {"term": {"level": "error"}}}}}})
helpers.bulk(client, [{"_index": "pyt-1", "_id": str(n), "code": "x y", "level": "error" if n % 4 == 0 else "info"} for n in range(40)], refresh=True)
assert client.count(index="pyt-errors")["count"] == 10 and client.count(index="pyt-1")["count"] == 40
assert client.indices.get_alias(index="pyt-1")["pyt-1"]["aliases"]["pyt-errors"]["filter"] == {"term": {"level": "error"}}
assert client.search(index="pyt-errors", size=0, aggs={"l": {"terms": {"field": "level.keyword"}}})["aggregations"]["l"]["buckets"] == [
    {"key": "error", "doc_count": 10}]
assert sum(1 for _ in helpers.scan(client, index="pyt-errors", size=3)) == 10
assert client.delete_by_query(index="pyt-errors", body={"query": {"match_all": {}}})["deleted"] == 10
assert client.count(index="pyt-1")["count"] == 30
client.indices.put_settings(index="pyt-1", body={"index": {"retention.days": 9}})
assert client.indices.get_settings(index="pyt-1")["pyt-1"]["settings"]["index"]["retention.days"] == "9"
client.ilm.put_lifecycle(policy="py-month", body={"policy": {"phases": {"delete": {"min_age": "30d", "actions": {"delete": {}}}}}})
assert client.ilm.get_lifecycle(policy="py-month")["py-month"]["policy"]["phases"]["delete"]["min_age"] == "30d"

# Places as the events have them, and emoji.
client.index(index="pyt-places", id="1", document={"location": {"latitude": 35.68, "longitude": 139.76, "accuracy": 3.5}, "text": "到着👍🏽"}, refresh=True)
client.index(index="pyt-places", id="2", document={"location": {"latitude": 34.7, "longitude": 135.5}, "text": "not yet"}, refresh=True)
found = client.search(index="pyt-places", query={"geo_distance": {"distance": "500km", "location": [139.76, 35.68]}},
                      sort=[{"_geo_distance": {"location": [139.76, 35.68], "unit": "km", "order": "desc"}}])
assert [hit["_id"] for hit in found["hits"]["hits"]] == ["2", "1"] and 400 < found["hits"]["hits"][0]["sort"][0] < 405, found
assert client.search(index="pyt-places", query={"match": {"text": "👍"}})["hits"]["total"]["value"] == 1
assert client.field_caps(index="pyt-places", fields="location")["fields"]["location"]["geo_point"]["searchable"]

# A point in time sees one moment.
pit = client.open_point_in_time(index="pyt-1", keep_alive="1m")["id"]
client.delete(index="pyt-1", id="1", refresh=True)
pages, after = [], None
while True:
    page = client.search(pit={"id": pit, "keep_alive": "1m"}, size=7, sort=[{"_shard_doc": "asc"}], **({"search_after": after} if after else {}))
    if not page["hits"]["hits"]:
        break
    pages += [hit["_id"] for hit in page["hits"]["hits"]]
    after = page["hits"]["hits"][-1]["sort"]
assert len(pages) == len(set(pages)) == 30 and "1" in pages, pages
assert client.close_point_in_time(body={"id": pit})["num_freed"] == 1
assert client.cluster.health(index="pyt-1", level="indices")["indices"]["pyt-1"]["status"] == "green"
try:
    client.indices.put_alias(index="pyt-1", name="py-bad", body={"filter": {"trem": {}}})
    raise AssertionError("took a filter that is no query")
except elasticsearch.RequestError as error:
    assert error.status_code == 400
client.indices.delete(index="pyt-*")
assert client.indices.stats(index=INDEX)["indices"][INDEX]["primaries"]["docs"]["count"] == 3000
assert any(row["index"] == INDEX for row in client.cat.indices(format="json"))
try:
    client.search(index="absent")
    raise AssertionError("found what is absent")
except elasticsearch.NotFoundError as error:
    assert error.error == "index_not_found_exception"
erased = client.delete_by_query(index=INDEX, body={"query": {"term": {"user.keyword": "u1"}}})
assert erased["deleted"] == 600 and erased["receipt"]["left"] == 0, erased
assert client.count(index=INDEX)["count"] == 2400
client.indices.delete(index=INDEX)
assert not client.indices.exists(index=INDEX)
print("ok: python3-elasticsearch")
