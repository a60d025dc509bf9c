// Drives a Kinesis endpoint with the AWS SDK for JavaScript v3: node kinesis.mjs http://127.0.0.1:4567
// Twice: over its default handler, which speaks HTTP/2, and over its HTTP/1.1 handler.
import {
  KinesisClient, CreateStreamCommand, DeleteResourcePolicyCommand, DeleteStreamCommand, DescribeAccountSettingsCommand,
  DescribeStreamSummaryCommand, GetRecordsCommand, GetResourcePolicyCommand, GetShardIteratorCommand, ListShardsCommand,
  ListStreamConsumersCommand, ListTagsForResourceCommand, MergeShardsCommand, PutRecordCommand, PutRecordsCommand,
  PutResourcePolicyCommand, RegisterStreamConsumerCommand, SplitShardCommand, SubscribeToShardCommand, TagResourceCommand,
  UntagResourceCommand, UpdateAccountSettingsCommand, UpdateMaxRecordSizeCommand, UpdateShardCountCommand, UpdateStreamModeCommand,
  UpdateStreamWarmThroughputCommand, waitUntilStreamExists, waitUntilStreamNotExists,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const endpoint = process.argv[2];
const text = (bytes) => Buffer.from(bytes).toString();
const done = (what) => console.log(`ok: ${what}`);

async function readAll(client, name, shard, type = "TRIM_HORIZON") {
  const found = [];
  let { ShardIterator: iterator } = await client.send(
    new GetShardIteratorCommand({ StreamName: name, ShardId: shard, ShardIteratorType: type }));
  for (let i = 0; iterator && i < 50; i++) {
    const answer = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
    found.push(...answer.Records);
    iterator = answer.NextShardIterator;
    if (answer.MillisBehindLatest === 0 && answer.Records.length === 0) break;
  }
  return found;
}

// Merging, uniform scaling, and what the API has got in later years; the stream has two open shards.
async function manage(client, name, arn) {
  const active = () => waitUntilStreamExists({ client, minDelay: 0.2, maxDelay: 1, maxWaitTime: 30 }, { StreamName: name });
  const open = async () => (await client.send(new ListShardsCommand({ StreamName: name })))
    .Shards.filter((shard) => !shard.SequenceNumberRange.EndingSequenceNumber);
  await active();  // a subscription learns of the split before the stream is ACTIVE again
  const [left, right] = await open();
  await client.send(new MergeShardsCommand({ StreamName: name, ShardToMerge: left.ShardId, AdjacentShardToMerge: right.ShardId }));
  await active();
  assert.equal((await open())[0].ParentShardId, left.ShardId);
  await client.send(new UpdateShardCountCommand({ StreamName: name, TargetShardCount: 2, ScalingType: "UNIFORM_SCALING" }));
  await active();
  assert.equal((await open()).length, 2);

  await client.send(new TagResourceCommand({ ResourceARN: arn, Tags: { team: "maps", tier: "gold" } }));
  await client.send(new UntagResourceCommand({ ResourceARN: arn, TagKeys: ["tier"] }));
  const { Tags: tags } = await client.send(new ListTagsForResourceCommand({ ResourceARN: arn }));
  assert.deepEqual(tags, [{ Key: "team", Value: "maps" }]);
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  await client.send(new PutResourcePolicyCommand({ ResourceARN: arn, Policy: policy }));
  assert.equal((await client.send(new GetResourcePolicyCommand({ ResourceARN: arn }))).Policy, policy);
  await client.send(new DeleteResourcePolicyCommand({ ResourceARN: arn }));
  assert.equal((await client.send(new ListStreamConsumersCommand({ StreamARN: arn }))).Consumers.length, 1);

  await client.send(new UpdateMaxRecordSizeCommand({ StreamARN: arn, MaxRecordSizeInKiB: 1024 }));
  await active();
  await client.send(new UpdateStreamModeCommand({ StreamARN: arn, StreamModeDetails: { StreamMode: "ON_DEMAND" } }));
  await active();
  const warm = await client.send(new UpdateStreamWarmThroughputCommand({ StreamARN: arn, WarmThroughputMiBps: 10 }));
  assert.equal(warm.WarmThroughput.TargetMiBps, 10);
  await active();
  const settings = await client.send(new DescribeAccountSettingsCommand({}));
  assert.equal(settings.MinimumThroughputBillingCommitment.Status, "DISABLED");
  await assert.rejects(
    client.send(new UpdateAccountSettingsCommand({ MinimumThroughputBillingCommitment: { Status: "ENABLED" } })),
    (error) => error.name === "InvalidArgumentException");
}

async function run(handlerName, options) {
  const client = new KinesisClient({
    endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" }, ...options,
  });
  const name = `js-${randomUUID().slice(0, 8)}`;
  await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: 1 }));
  await waitUntilStreamExists({ client, minDelay: 0.2, maxDelay: 1, maxWaitTime: 30 }, { StreamName: name });
  await assert.rejects(client.send(new CreateStreamCommand({ StreamName: name, ShardCount: 1 })),
    (error) => error.name === "ResourceInUseException");
  done(`${handlerName}: CreateStream, waiter StreamExists, an error of the service`);

  await client.send(new PutRecordCommand({ StreamName: name, PartitionKey: "k", Data: Buffer.from("0") }));
  const put = await client.send(new PutRecordsCommand({
    StreamName: name, Records: Array.from({ length: 499 }, (_, i) => ({ PartitionKey: "k", Data: Buffer.from(`${i + 1}`) })),
  }));
  assert.equal(put.FailedRecordCount, 0);
  const shard = (await client.send(new ListShardsCommand({ StreamName: name }))).Shards[0].ShardId;
  const records = await readAll(client, name, shard);
  assert.deepEqual(records.map((r) => text(r.Data)), Array.from({ length: 500 }, (_, i) => `${i}`));
  assert.ok(Math.abs(records[0].ApproximateArrivalTimestamp - Date.now()) < 60000);
  done(`${handlerName}: PutRecord, PutRecords, ListShards, GetShardIterator, GetRecords`);

  const { StreamDescriptionSummary: summary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: name }));
  const { Consumer: consumer } = await client.send(
    new RegisterStreamConsumerCommand({ StreamARN: summary.StreamARN, ConsumerName: "fan" }));
  const subscribe = async (position) => (await client.send(new SubscribeToShardCommand(
    { ConsumerARN: consumer.ConsumerARN, ShardId: shard, StartingPosition: position }))).EventStream;
  // The events of a closed shard end by themselves, with its children.
  await client.send(new SplitShardCommand({ StreamName: name, ShardToSplit: shard, NewStartingHashKey: (2n ** 127n).toString() }));
  const fanned = [];
  let last;
  for await (const event of await subscribe({ Type: "TRIM_HORIZON" })) {
    last = event.SubscribeToShardEvent;
    fanned.push(...last.Records.map((r) => text(r.Data)));
  }
  assert.equal(fanned.length, 500);
  assert.equal(last.ChildShards.length, 2);
  done(`${handlerName}: RegisterStreamConsumer, SplitShard, SubscribeToShard to the shard's end`);

  await manage(client, name, summary.StreamARN);
  done(`${handlerName}: MergeShards, UpdateShardCount, tags, policies, record size, mode, warm throughput, account settings`);

  await client.send(new DeleteStreamCommand({ StreamName: name, EnforceConsumerDeletion: true }));
  await waitUntilStreamNotExists({ client, minDelay: 0.2, maxDelay: 1, maxWaitTime: 30 }, { StreamName: name });
  client.destroy();
  done(`${handlerName}: DeleteStream, waiter StreamNotExists`);
}

await run("HTTP/2 (default handler)", {});
await run("HTTP/1.1 (NodeHttpHandler)", { requestHandler: new NodeHttpHandler() });
console.log(`AWS SDK for JavaScript 3 on Node.js ${process.version}: all parts passed`);
