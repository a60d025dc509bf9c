// Sends the same requests to a Kinesis endpoint and to Kinesalite, whose own suite was verified against the service, and compares the
// answers: node compare.mjs http://127.0.0.1:4567. The endpoint must ask for an Authorization header and let all web origins call.
// Left out on purpose is what docs/kinesis-compatibility.md lists, and where Kinesis has changed since: more tags (50), a longer
// retention (8,760 hours), ShardCount that may be missing, larger records.
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(import.meta.url);
const kinesalite = require("kinesalite");
const schemas = path.join(path.dirname(require.resolve("kinesalite")), "validations");
const peer = kinesalite({ createStreamMs: 500, deleteStreamMs: 500, updateStreamMs: 500, shardLimit: 50 });
await new Promise((resolve, reject) => peer.listen(0, "127.0.0.1", (error) => (error ? reject(error) : resolve())));
const ours = { host: new URL(process.argv[2]).hostname, port: +new URL(process.argv[2]).port };
const theirs = { host: "127.0.0.1", port: peer.address().port };
const agents = new Map([ours, theirs].map((server) => [server, new http.Agent({ keepAlive: true })]));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const kSigned = { Authorization: "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c", "X-Amz-Date": "20260101T000000Z" };
const kJson = "application/x-amz-json-1.1";

function send(server, { method = "POST", target = "/", headers = {}, body = "" }) {
  return new Promise((resolve, reject) => {
    const all = { ...headers, "Content-Length": Buffer.byteLength(body) };
    const request = http.request({ ...server, method, path: target, headers: all, agent: agents.get(server) }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}
function call(server, operation, members) {
  const headers = { ...kSigned, "Content-Type": kJson, "X-Amz-Target": "Kinesis_20131202." + operation };
  return send(server, { headers, body: JSON.stringify(members) });
}
const json = (answer) => (answer.body === "" ? {} : JSON.parse(answer.body));

// What differs from run to run, members that are newer than Kinesalite, and the order in which broken constraints are listed.
const kNewer = ["StreamModeDetails", "StreamSummaries", "StreamId", "MaxRecordSizeInKiB", "WarmThroughput"];
function normal(answer) {
  let value = answer.body;
  try {
    value = JSON.parse(answer.body);
  } catch {
    return `${answer.status} ${value}`;
  }
  return `${answer.status} ` + JSON.stringify(value, (key, member) => {
    if (kNewer.includes(key)) return undefined;
    if (/Timestamp$/.test(key)) return "TIME";
    if (typeof member === "string") {
      if (member.startsWith("AAAAAAAAAA")) return `iterator of ${member.length}`;
      const listed = /^(\d+ validation errors? detected: )(.*)$/s.exec(member);
      return (listed ? listed[1] + listed[2].split("; ").sort().join("; ") : member)
        .replace(/(account |kinesis:us-east-1:)\d{12}/g, "$1ACCOUNT").replace(/\b4\d{55}\b/g, "SEQUENCE").replace(/Millis: \d+/g, "Millis: TIME");
    }
    if (member && typeof member === "object" && !Array.isArray(member))
      return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
    return member;
  });
}

let compared = 0;
const different = [];
function compare(what, their, our) {
  compared++;
  if (their === our) return;
  different.push(what);
  if (different.length <= 20) console.log(`DIFFERS: ${what.slice(0, 300)}\n  peer: ${their.slice(0, 600)}\n  ours: ${our.slice(0, 600)}`);
}
async function both(operation, members, what = `${operation} ${JSON.stringify(members)}`) {
  const of = (index) => (typeof members === "function" ? members(index) : members);
  const answers = await Promise.all([call(theirs, operation, of(0)), call(ours, operation, of(1))]);
  compare(what, normal(answers[0]), normal(answers[1]));
  return answers.map(json);
}

// --- Types and constraints, made from the peer's schemas ---
const kWrong = {
  String: [true, 23, -2147483648, 2147483648, 34.56, [], {}], Integer: ["23", true, [], {}], Timestamp: [true, "23", [], {}],
  Blob: [true, 23, 34.56, [], {}, "23456", "=+/=", "+/+=", "AA=A"], List: ["23", true, 23, 34.56, {}], Map: ["23", true, 23, 34.56, []],
  Structure: ["23", true, 23, 34.56, []],
};
function* places(types, before = []) {
  for (const [name, type] of Object.entries(types)) {
    const at = [...before, name];
    yield [at, type.type ?? type];
    if (type.type === "Structure") yield* places(type.children, at);
    if (type.type === "List") {
      yield [[...at, 0], type.children.type ?? type.children];
      if (type.children.type === "Structure") yield* places(type.children.children, [...at, 0]);
    }
    if (type.type === "Map") yield [[...at, "a"], type.children.type ?? type.children];
  }
}
function nested(place, value) {
  return place.reduceRight((inner, name) => (typeof name === "number" ? [inner] : { [name]: inner }), value);
}
const kLong = (size) => "a".repeat(size);
const kValues = {
  String: ["", "@", "b c", "\u00fc", "a", kLong(129), kLong(257), kLong(513)], Blob: ["", "YQ=="], Timestamp: [0, 1.5],
  List: [[], [""], [kLong(129)], ["a", ""], ["a"]], Map: [{}, { a: "b" }, { "": "" }, { a: kLong(257) }, { [kLong(129)]: "a" }],
  Records: [[], [{}], [{ PartitionKey: "", ExplicitHashKey: "" }], [{ PartitionKey: kLong(257), Data: "" }], Array(12).fill({}),
    Array(501).fill({ PartitionKey: "a", Data: "" })],
};
function valuesOf(name, type) {
  if (name === "RetentionPeriodHours") return [-1, 0, 1, 24, 168];
  if (type === "Integer") return [0, -1, 1, 1.5, 10, 10001, 100000000000];
  return kValues[name] ?? kValues[type] ?? [];
}
// Where the service's limits have grown since.
const grown = (operation, text) => (/^(Add|Remove|List)Tags/.test(operation)
  ? text.replace(/(at '(tags|tagKeys|limit)' failed to satisfy constraint: Member must have (?:length|value) less than or equal to )10\b/,
    (_, start, member) => start + (member === "tags" ? 200 : 50)) : text);

async function constraints() {
  for (const file of fs.readdirSync(schemas).filter((name) => name !== "index.js")) {
    const operation = file[0].toUpperCase() + file.slice(1, -3);
    const { types } = require(path.join(schemas, file));
    delete types.NextToken;  // it ends the peer
    for (const [place, type] of places(types))
      for (const wrong of kWrong[type] ?? []) await both(operation, nested(place, wrong));
    const choices = Object.entries(types).map(([name, type]) => [name, [undefined, ...valuesOf(name, type.type ?? type)]]);
    // Every value of every member, the others walking at their own pace.
    const most = Math.max(1, ...choices.map(([, values]) => values.length));
    for (let round = 0; round < 4 * most; ++round) {
      const members = Object.fromEntries(choices.map(([name, values], i) => [name, values[(round * (2 * i + 1) + (round >> 3)) % values.length]]));
      if (operation === "CreateStream" && (members.ShardCount === undefined || (members.StreamName === "a" && members.ShardCount >= 1))) continue;
      const answers = await Promise.all([call(theirs, operation, members), call(ours, operation, members)]);
      compare(`${operation} ${JSON.stringify(members)}`, grown(operation, normal(answers[0])), normal(answers[1]));
    }
    if (!["ListStreams", "CreateStream"].includes(operation)) await both(operation, {});
  }
  await both("CreateStream", {});
}

// --- What comes before the operation ---
async function protocol() {
  const shown = ({ status, headers, body }) => [status, headers["content-type"] ?? "-",
    ...(body.startsWith('{"StreamNames"') ? ["streams"] : [headers["content-length"], body]),
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(headers["x-amzn-requestid"]), Buffer.from(headers["x-amz-id-2"] ?? "", "base64").length,
    ...Object.keys(headers).filter((name) => name.startsWith("access-")).sort().map((name) => `${name}=${headers[name]}`)].join(" | ");
  const requests = [];
  for (const method of ["GET", "PUT", "DELETE", "OPTIONS"])
    for (const headers of [{}, { Origin: "http://a" }]) requests.push({ method, headers });
  requests.push({ method: "OPTIONS", headers: { Origin: "http://a", "Access-Control-Request-Headers": "x, y", "Access-Control-Request-Method": "POST" } });
  for (const type of [undefined, kJson, "application/json", "application/x-amz-json-1.0", kJson + "; charset=utf-8"])
    for (const target of [undefined, "Kinesis_20131202.ListStreams", "Kinesis_20131202.ListStream", "Kinesis_20131202", "X.ListStreams"])
      for (const body of ["", "{}", "hello", '""', "1", "{"])
        for (const signed of [{}, kSigned]) {
          if (body === "" && type !== kJson) continue;  // answered in CBOR, of another length
          const headers = { ...signed, ...(type ? { "Content-Type": type } : {}), ...(target ? { "X-Amz-Target": target } : {}) };
          requests.push({ headers, body });
        }
  for (const authorization of [undefined, "X", "AWS4- Signature=b Credential=a", "AWS4- Signature=b,Credential=a", "AWS4-"])
    for (const date of [undefined, "a"])
      for (const target of ["/", "/?X-Amz-Algorithm", "/?X-Amz-Algorith", "/?X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=c&X-Amz-Date=d",
        "/?X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Signature=c&X-Amz-Date=d", "/?X-Amz-Algorithm=a&X-Amz-SignedHeaders=b"]) {
        const headers = { "Content-Type": kJson, "X-Amz-Target": "Kinesis_20131202.ListStreams" };
        if (authorization) headers.Authorization = authorization;
        if (date) headers.Date = date;
        requests.push({ target, headers, body: "{}" });
      }
  for (const request of requests) {
    const [their, our] = await Promise.all([send(theirs, request), send(ours, request)]);
    compare(JSON.stringify(request), shown(their), shown(our));
  }
}

// --- A stream's life ---
async function settled(stream) {
  for (const server of [theirs, ours])
    while (json(await call(server, "DescribeStream", { StreamName: stream })).StreamDescription.StreamStatus !== "ACTIVE") await sleep(20);
}
const number = (hex) => BigInt("0x" + hex).toString();
async function lifeOfAStream() {
  const stream = "peer-" + Date.now(), missing = "missing-" + Date.now();
  const of = (members) => ({ StreamName: stream, ...members });
  await both("CreateStream", of({ ShardCount: 3 }));
  for (const operation of ["DescribeStream", "DescribeStreamSummary", "CreateStream"]) await both(operation, of({ ShardCount: 3 }), operation + " while CREATING");
  await both("PutRecord", of({ PartitionKey: "a", Data: "" }), "PutRecord while CREATING");
  await both("SplitShard", of({ ShardToSplit: "shard-0", NewStartingHashKey: "5" }), "SplitShard while CREATING");
  await settled(stream);
  for (const operation of ["DescribeStream", "DescribeStreamSummary", "ListShards", "ListTagsForStream"]) await both(operation, of({}));
  for (const operation of ["DescribeStream", "DescribeStreamSummary", "ListShards", "ListTagsForStream", "DeleteStream"])
    await both(operation, { StreamName: missing });
  const top = 1n << 128n, third = (top / 3n) * 2n;
  for (const key of [0n, third - 1n, third, top - 1n, top]) await both("PutRecord", of({ PartitionKey: "a", Data: "", ExplicitHashKey: `${key}` }));
  for (const hex of ["20000000000000000000000000000000000000000000000", "20000000000000000000000000000000000000000000003",
    "30000000000000000000000000000000000000000000001", "1ffffffffff7fffffffffffffff000000000007fffffff2",
    "20000000000800000000000000000000000000000000002", "13bb2cc3d80000000000000000000000", "2ffffffffff7fffffffffffffff000000000007fffffff2",
    "20000000000000000000000000000000000000000000002", "20000000000000000000000000000000000000000000001",
    "20000000000000000000000000000000000000800000002", "5"])
    await both("PutRecord", of({ PartitionKey: "a", Data: "", SequenceNumberForOrdering: number(hex) }));
  const records = ["a", "b", "e", "f"].map((key, i) => ({ PartitionKey: key, Data: Buffer.from(`record ${i}`).toString("base64") }));
  const put = await both("PutRecords", of({ Records: records }));
  await both("PutRecords", of({ Records: [...records, { PartitionKey: "a", Data: "", ExplicitHashKey: `${top}` }] }));

  for (const type of ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"]) {
    const at = await both("GetShardIterator", (i) => of({ ShardId: "shardId-1", ShardIteratorType: type, StartingSequenceNumber: put[i].Records[1].SequenceNumber }), type);
    const one = await both("GetRecords", (i) => ({ ShardIterator: at[i].ShardIterator }), "GetRecords " + type);
    await both("GetRecords", (i) => ({ ShardIterator: one[i].NextShardIterator }), "GetRecords at the tip");
    await both("GetShardIterator", of({ ShardId: "shardId-0", ShardIteratorType: type }));
    for (const hex of ["5", "20000000000800000000000000000000000000000000002", "20000000000000000000000000000000000000800000002",
      "20000000000000000000000000000000000000000000002", "30000000000000000000000000000000000000000000002", "13bb2cc3d80000000000000000000000"])
      await both("GetShardIterator", of({ ShardId: "shardId-0", ShardIteratorType: type, StartingSequenceNumber: number(hex) }));
  }
  for (const type of ["LATEST", "TRIM_HORIZON"])
    await both("GetShardIterator", of({ ShardId: "0", ShardIteratorType: type, StartingSequenceNumber: "5" }));
  await both("GetShardIterator", of({ ShardId: "0", ShardIteratorType: "AT_TIMESTAMP" }));
  await both("GetShardIterator", of({ ShardId: "0", ShardIteratorType: "AT_TIMESTAMP", Timestamp: Date.now() / 1000 + 1000 }), "a time to come");
  for (const token of ["a", stream, "AAAA", kLong(204), kLong(512)]) await both("GetRecords", { ShardIterator: token });
  for (const id of ["2147483647", "x-2147483647", "-00002147483647", "2147483648", "shardId-002147483648", "ABKLFD8", "2.14E4", "x-y", "."])
    for (const StreamName of [stream, missing]) {
      await both("GetShardIterator", { StreamName, ShardId: id, ShardIteratorType: "LATEST" });
      await both("SplitShard", { StreamName, ShardToSplit: id, NewStartingHashKey: "0" });
      await both("MergeShards", { StreamName, ShardToMerge: id, AdjacentShardToMerge: "x-2" });
      await both("MergeShards", { StreamName, ShardToMerge: "x-2", AdjacentShardToMerge: id });
    }

  for (const text of ["a;b", "a\tb", "a\nb", "a,b", "a%b", "\u00fc0 _./=+-@"]) {
    await both("AddTagsToStream", of({ Tags: { [text]: "1" } }));
    await both("AddTagsToStream", of({ Tags: { a: text } }));
    await both("ListTagsForStream", of({}));
    await both("RemoveTagsFromStream", of({ TagKeys: [text, "unknown"] }));
  }
  for (const RetentionPeriodHours of [23, 25, 24, 48])
    for (const way of ["Increase", "Decrease"]) await both(way + "StreamRetentionPeriod", of({ RetentionPeriodHours }));

  for (const key of ["0", "1", "113427455640312821154458202477256070484", "9".repeat(39)])
    await both("SplitShard", of({ ShardToSplit: "shard-0", NewStartingHashKey: key }));
  for (const [a, b] of [["x-0", "x-2"], ["x-1", "x-0"], ["x-1", "x-1"]]) await both("MergeShards", of({ ShardToMerge: a, AdjacentShardToMerge: b }));
  for (const [operation, members] of [["SplitShard", { ShardToSplit: "x-0", NewStartingHashKey: "2" }],
    ["MergeShards", { ShardToMerge: "x-1", AdjacentShardToMerge: "x-2" }]]) {
    await both(operation, of(members));
    await both("DescribeStream", of({}), "DescribeStream while UPDATING");
    await both(operation, of(members), operation + " while UPDATING");
    await both("PutRecord", of({ PartitionKey: "a", Data: "", ExplicitHashKey: "1" }), "PutRecord while UPDATING");
    await settled(stream);
    for (const look of ["DescribeStream", "DescribeStreamSummary", "ListShards"]) await both(look, of({}), look + " after " + operation);
    await both("PutRecord", of({ PartitionKey: "a", Data: "", ExplicitHashKey: "1" }), "PutRecord after " + operation);
  }
  await both("DeleteStream", of({}));
  for (const operation of ["DescribeStream", "DescribeStreamSummary"]) await both(operation, of({}), operation + " while DELETING");
  await both("PutRecord", of({ PartitionKey: "a", Data: "" }), "PutRecord while DELETING");
}

for (const [name, part] of Object.entries({ protocol, constraints, lifeOfAStream })) {
  const [before, wrong] = [compared, different.length];
  await part();
  console.log(`${different.length === wrong ? "ok" : "not ok"}: ${name}: ${compared - before} answers compared, ${different.length - wrong} differ`);
}
process.exit(different.length === 0 ? 0 : 1);
