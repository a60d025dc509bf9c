// The Elasticsearch client of 7.17 against a search port. usage: elasticsearch.mjs URL
import assert from 'node:assert/strict';
import { Client, errors } from '@elastic/elasticsearch';

const client = new Client({ node: process.argv[2], maxRetries: 0 });
const index = 'es-js';

const { body: info } = await client.info();
assert.ok(info.version.number.startsWith('7.'));

// The helper looks at every item and would report any that failed.
const documents = Array.from({ length: 2500 }, (_, n) => ({
  n, level: n % 10 === 0 ? 'error' : 'info', message: `request ${n} of user ${n % 7}`, '@timestamp': new Date(1795219200000 + n * 1000).toISOString(),
}));
const result = await client.helpers.bulk({
  datasource: documents, onDocument: (document) => ({ index: { _index: index, _id: String(document.n) } }), refreshOnCompletion: true,
});
assert.equal(result.successful, 2500);
assert.equal(result.failed, 0);

const { body: count } = await client.count({ index });
assert.equal(count.count, 2500);
const { body: found } = await client.search({
  index, size: 3, body: {
    sort: [{ '@timestamp': 'desc' }], query: { bool: { must: [{ match: { message: 'user' } }], filter: [{ term: { 'level.keyword': 'error' } }] } },
    aggs: { levels: { terms: { field: 'level.keyword' } }, seconds: { date_histogram: { field: '@timestamp', fixed_interval: '10m' } } },
  },
});
assert.equal(found.hits.total.value, 250);
assert.equal(found.hits.hits[0]._source.n, 2490);
assert.equal(found.aggregations.levels.buckets[0].doc_count, 250);

const { body: all } = await client.msearch({ body: [{ index }, { size: 0, track_total_hits: true }, { index: 'absent' }, {}] });
assert.equal(all.responses[0].hits.total.value, 2500);
assert.equal(all.responses[1].status, 404);

const seen = new Set();
for await (const page of client.helpers.scrollSearch({ index, size: 700, body: { query: { match_all: {} } } })) {
  for (const hit of page.body.hits.hits) seen.add(hit._id);
}
assert.equal(seen.size, 2500);

const { body: pit } = await client.openPointInTime({ index, keep_alive: '1m' });
let after;
let inPit = 0;
for (;;) {
  const { body } = await client.search({ body: { size: 1000, sort: [{ n: 'asc' }], pit: { id: pit.id, keep_alive: '1m' }, ...(after && { search_after: after }) } });
  if (body.hits.hits.length === 0) break;
  inPit += body.hits.hits.length;
  after = body.hits.hits.at(-1).sort;
}
assert.equal(inPit, 2500);
await client.closePointInTime({ body: { id: pit.id } });

const made = await client.index({ index, id: 'x', body: { n: -1 } });
assert.equal(made.statusCode, 201);
assert.equal((await client.get({ index, id: 'x' })).body._source.n, -1);
assert.equal((await client.exists({ index, id: 'x' })).body, true);
await assert.rejects(client.create({ index, id: 'x', body: {} }), (error) => error instanceof errors.ResponseError && error.statusCode === 409);
assert.equal((await client.delete({ index, id: 'x', refresh: true })).body.result, 'deleted');
await assert.rejects(client.get({ index, id: 'x' }), (error) => error.statusCode === 404);

assert.equal((await client.indices.exists({ index })).body, true);
assert.equal((await client.indices.getMapping({ index })).body[index].mappings.properties.n.type, 'long');
assert.ok((await client.fieldCaps({ index, fields: '*' })).body.fields['level.keyword'].keyword.aggregatable);
assert.ok((await client.cat.indices({ format: 'json' })).body.some((row) => row.index === index && row['docs.count'] === '2500'));
await assert.rejects(client.search({ index, body: { query: { no_such_query: {} } } }), (error) => error.body.error.root_cause[0].reason.includes('no_such_query'));
assert.equal((await client.update({ index, id: '5', body: { doc: { level: 'warn' } }, refresh: true })).body.result, 'updated');
assert.equal((await client.search({ index, body: { query: { match: { message: { query: 'requst', fuzziness: 'AUTO' } } }, track_total_hits: true } })).body.hits.total.value, 2500);
await client.indices.updateAliases({ body: { actions: [{ add: { index, alias: 'es-js-errors', filter: { term: { 'level.keyword': 'error' } } } }] } });
assert.equal((await client.count({ index: 'es-js-errors' })).body.count, 250);
const { body: few } = await client.openPointInTime({ index: 'es-js-errors', keep_alive: '1m' });
assert.equal((await client.search({ body: { size: 0, track_total_hits: true, pit: { id: few.id } } })).body.hits.total.value, 250);
await client.closePointInTime({ body: { id: few.id } });
await client.index({ index: 'es-js-places', id: '1', refresh: 'wait_for', body: { location: { latitude: 35.68, longitude: 139.76, accuracy: 9 }, text: '完了🎉' } });
const { body: near } = await client.search({ index: 'es-js-places', body: { query: { bool: { must: { match: { text: '🎉' } }, filter: { geo_distance: { distance: '2km', location: '35.69,139.76' } } } } } });
assert.equal(near.hits.total.value, 1);
await assert.rejects(client.indices.putTemplate({ name: 'es-js-bad', body: { index_patterns: ['x-*'], aliases: { bad: { filter: { trem: {} } } } } }), (error) => error.statusCode === 400);
const { body: erased } = await client.deleteByQuery({ index, body: { query: { term: { 'level.keyword': 'error' } } } });
assert.equal(erased.deleted, 250);
assert.equal(erased.receipt.left, 0);
await client.indices.putIndexTemplate({ name: 'es-js', body: { index_patterns: ['es-js-*'], template: { mappings: { properties: { code: { type: 'keyword' } } } } } });
await client.index({ index: 'es-js-1', refresh: 'wait_for', body: { code: '7 8' } });
assert.equal((await client.search({ index: 'es-js-*', body: { query: { term: { code: '7 8' } } } })).body.hits.total.value, 1);
await client.indices.delete({ index: 'es-js*' });
assert.equal((await client.indices.exists({ index })).body, false);
console.log('ok: @elastic/elasticsearch 7.17');
