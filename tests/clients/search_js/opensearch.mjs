// The OpenSearch client against a search port. usage: opensearch.mjs URL
import assert from 'node:assert/strict';
import { Client } from '@opensearch-project/opensearch';

const client = new Client({ node: process.argv[2], maxRetries: 0 });
const index = 'os-js';

assert.equal((await client.info()).body.version.distribution, 'opensearch');
assert.equal((await client.cluster.health()).body.status, 'green');
await client.indices.create({ index, body: { settings: { index: { number_of_shards: 1 } }, mappings: { properties: { place: { type: 'geo_point' } } } } });
const body = [];
for (let n = 0; n < 300; n += 1) {
  body.push({ index: { _index: index, _id: `${n}` } }, { n, tag: `t${n % 3}`, text: n % 2 === 0 ? '東京都の天気' : 'the weather', place: { lat: 35 + n / 1000, lon: 139 } });
}
const bulk = await client.bulk({ body, refresh: true });
assert.equal(bulk.body.errors, false);
assert.equal(bulk.body.items.length, 300);
assert.equal((await client.count({ index })).body.count, 300);

const found = (await client.search({ index, body: { size: 2, query: { match: { text: '京都' } }, aggs: { tags: { terms: { field: 'tag.keyword' }, aggs: { mean: { avg: { field: 'n' } } } } } } })).body;
assert.equal(found.hits.total.value, 150);
assert.equal(found.aggregations.tags.buckets.length, 3);
assert.equal((await client.search({ index, q: 'tag:t1' })).body.hits.total.value, 100);
const near = (await client.search({ index, body: { query: { geo_distance: { distance: '1km', place: { lat: 35, lon: 139 } } } } })).body;
assert.ok(near.hits.total.value > 0 && near.hits.total.value < 300);

const pit = (await client.createPit({ index, keep_alive: '1m' })).body;
assert.ok(pit.pit_id);
const paged = (await client.search({ body: { size: 10, sort: [{ n: 'desc' }], pit: { id: pit.pit_id, keep_alive: '1m' } } })).body;
assert.equal(paged.hits.hits[0]._source.n, 299);
await client.deletePit({ body: { pit_id: [pit.pit_id] } });

const first = (await client.search({ index, scroll: '1m', size: 200 })).body;
const second = (await client.scroll({ scroll_id: first._scroll_id, scroll: '1m' })).body;
assert.equal(first.hits.hits.length + second.hits.hits.length, 300);
await client.clearScroll({ body: { scroll_id: [first._scroll_id] } });

assert.equal((await client.index({ index, id: 'x', body: { n: -1 }, refresh: 'wait_for' })).statusCode, 201);
assert.equal((await client.index({ index, id: 'x', body: { n: -2 } })).body.result, 'updated');
assert.equal((await client.get({ index, id: 'x' })).body._source.n, -2);
assert.equal((await client.mget({ index, body: { ids: ['x', '1', 'absent'] } })).body.docs.filter((doc) => doc.found).length, 2);
assert.equal((await client.delete({ index, id: 'x', refresh: true })).body.result, 'deleted');
await assert.rejects(client.create({ index, id: '1', body: {} }), (error) => error.statusCode === 409);
await client.indices.putAlias({ index, name: 'os-alias' });
assert.equal((await client.count({ index: 'os-alias' })).body.count, 300);
await client.indices.putIndexTemplate({ name: 'os-js', body: { index_patterns: ['os-js-*'], template: {} } });
assert.ok((await client.indices.existsIndexTemplate({ name: 'os-js' })).body);
await client.indices.refresh({ index });
assert.ok((await client.cat.indices({ format: 'json' })).body.length >= 1);
await assert.rejects(client.search({ index: 'absent' }), (error) => error.statusCode === 404);
await client.indices.delete({ index });
console.log('ok: @opensearch-project/opensearch');
