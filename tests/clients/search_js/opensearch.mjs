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
assert.equal((await client.update({ index, id: '1', body: { doc: { tag: 'new' } }, refresh: true })).body.result, 'updated');
assert.equal((await client.get({ index, id: '1' })).body._source.tag, 'new');

// An alias that shows a part, of each index another.
await client.index({ index: 'os-other', id: '1', body: { n: 1, level: 'error' }, refresh: true });
await client.indices.updateAliases({ body: { actions: [
  { add: { index, alias: 'os-part', filter: { term: { 'tag.keyword': 't2' } } } },
  { add: { index: 'os-other', alias: 'os-part', filter: { term: { level: 'error' } }, is_write_index: true } }] } });
assert.equal((await client.count({ index: 'os-part' })).body.count, 101);
assert.deepEqual((await client.indices.getAlias({ name: 'os-part' })).body[index].aliases['os-part'].filter, { term: { 'tag.keyword': 't2' } });
const rows = (await client.cat.aliases({ name: 'os-part', format: 'json' })).body;
assert.deepEqual(rows.map((row) => row.filter), ['*', '*']);
assert.equal((await client.index({ index: 'os-part', body: { level: 'info' }, refresh: true })).body._index, 'os-other');
assert.equal((await client.count({ index: 'os-part' })).body.count, 101);
await assert.rejects(client.indices.putAlias({ index, name: 'os-bad', body: { filter: { trem: {} } } }), (error) => error.statusCode === 400);

// Places without a mapping, as the events have them: query, grid, sort by distance, mapping.
const shops = [[35.681, 139.767], [34.702, 135.496], [43.068, 141.35]];
await client.bulk({ refresh: true, body: shops.flatMap(([latitude, longitude], n) => [{ index: { _index: 'os-places', _id: `${n}` } }, { location: { latitude, longitude, accuracy: 5 } }]) });
const tokyo = { lat: 35.68, lon: 139.76 };
const sorted = (await client.search({ index: 'os-places', body: { sort: [{ _geo_distance: { location: tokyo, unit: 'km', order: 'asc' } }],
  aggs: { cells: { geohash_grid: { field: 'location', precision: 3 } } } } })).body;
assert.deepEqual(sorted.hits.hits.map((hit) => hit._id), ['0', '1', '2']);
assert.ok(sorted.hits.hits[1].sort[0] > 400 && sorted.hits.hits[1].sort[0] < 405);
assert.deepEqual(sorted.aggregations.cells.buckets.map((bucket) => bucket.key).sort(), ['xn0', 'xn7', 'xps']);
const box = { top_left: { lat: 36, lon: 139 }, bottom_right: { lat: 35, lon: 140 } };
assert.equal((await client.count({ index: 'os-places', body: { query: { geo_bounding_box: { location: box } } } })).body.count, 1);
assert.equal((await client.indices.getMapping({ index: 'os-places' })).body['os-places'].mappings.properties.location.type, 'geo_point');
assert.equal((await client.fieldCaps({ index: 'os-places', fields: 'location' })).body.fields.location.geo_point.type, 'geo_point');

// Paging through a point in time while documents change.
const still = (await client.createPit({ index: 'os-places', keep_alive: '1m' })).body.pit_id;
assert.equal((await client.getAllPits()).body.pits.length, 1);
await client.delete({ index: 'os-places', id: '0', refresh: true });
const seen = [];
for (let after; ;) {
  const page = (await client.search({ body: { size: 1, sort: [{ 'location.latitude': 'asc' }], pit: { id: still, keep_alive: '1m' }, ...(after && { search_after: after }) } })).body;
  if (page.hits.hits.length === 0) break;
  seen.push(page.hits.hits[0]._id);
  after = page.hits.hits[0].sort;
}
assert.deepEqual(seen, ['1', '0', '2']);
assert.equal((await client.getAllPits()).body.pits.length, 1);
await client.deleteAllPits();
assert.equal((await client.getAllPits()).body.pits.length, 0);
const erased = (await client.deleteByQuery({ index: 'os-part', body: { query: { term: { n: 1 } } }, refresh: true })).body;
assert.equal(erased.deleted, 1); // only what the alias shows: number 1 of os-other
assert.equal((await client.exists({ index, id: '1' })).body, true);
await client.indices.create({ index: 'os-kept', body: { settings: { index: { 'retention.days': 3 } }, aliases: { 'os-kept-a': { filter: { term: { n: 1 } } } } } });
assert.equal((await client.indices.getSettings({ index: 'os-kept' })).body['os-kept'].settings.index['retention.days'], '3');
await assert.rejects(client.indices.putSettings({ index: 'os-kept', body: { index: { retention: { days: -1 } } } }), (error) => error.statusCode === 400);
await client.indices.putIndexTemplate({ name: 'os-js', body: { index_patterns: ['os-js-*'], template: {} } });
assert.ok((await client.indices.existsIndexTemplate({ name: 'os-js' })).body);
await client.indices.refresh({ index });
assert.ok((await client.cat.indices({ format: 'json' })).body.length >= 1);
await assert.rejects(client.search({ index: 'absent' }), (error) => error.statusCode === 404);
await client.indices.delete({ index: 'os-*' });
console.log('ok: @opensearch-project/opensearch');
