#!/usr/bin/python3
"""Drives a Kinesis endpoint with boto3: python3 kinesis_boto3.py http://127.0.0.1:4567

Exits non-zero on the first mismatch; prints what it covered. Needs Debian's python3-boto3.
"""
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MAX_HASH = 2**128 - 1
covered = []


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def done(what):
    covered.append(what)
    print(f"ok: {what}", flush=True)


def expect_error(name, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        got = error.response["Error"]
        check(got["Code"] == name, f"{arguments}: expected {name}, got {got}")
        return got["Message"]
    sys.exit(f"FAILED: {arguments}: expected {name}, call succeeded")


def wait_active(kinesis, name):
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def read_all(kinesis, iterator, expected, seconds=10):
    """Reads from an iterator until `expected` records came or the time is up."""
    records = []
    deadline = time.monotonic() + seconds
    while iterator and len(records) < expected and time.monotonic() < deadline:
        answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
        records += answer["Records"]
        check(answer["MillisBehindLatest"] >= 0, "MillisBehindLatest")
        iterator = answer.get("NextShardIterator")
        if not answer["Records"]:
            time.sleep(0.05)
    return records, iterator


def reshard(kinesis):
    """Splits, merges and scales while records go in; reads parents before children."""
    name = "reshard-" + uuid.uuid4().hex[:8]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    wait_active(kinesis, name)
    sent = {}

    def put(count):
        for i in range(count):
            key = f"key-{i % 5}"
            kinesis.put_record(StreamName=name, PartitionKey=key, Data=f"{len(sent.get(key, []))}".encode())
            sent.setdefault(key, []).append(f"{len(sent.get(key, []))}")

    put(20)
    kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    put(10)  # while UPDATING, or just after
    wait_active(kinesis, name)
    put(20)
    shards = kinesis.list_shards(StreamName=name)["Shards"]
    check([s.get("ParentShardId") for s in shards] == [None, "shardId-000000000000", "shardId-000000000000"], shards)
    check("EndingSequenceNumber" in shards[0]["SequenceNumberRange"], "the parent is closed")
    expect_error("InvalidArgumentException", kinesis.split_shard, StreamName=name, ShardToSplit="shardId-000000000000",
                 NewStartingHashKey=str(2**126))
    message = expect_error("InvalidArgumentException", kinesis.split_shard, StreamName=name,
                           ShardToSplit="shardId-000000000001", NewStartingHashKey="1")
    check("is not both greater than one plus the shard's StartingHashKey 0" in message, message)
    kinesis.merge_shards(StreamName=name, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
    wait_active(kinesis, name)
    put(20)
    answer = kinesis.update_shard_count(StreamName=name, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    check((answer["CurrentShardCount"], answer["TargetShardCount"]) == (1, 4), answer)
    wait_active(kinesis, name)
    put(20)
    check(kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["OpenShardCount"] == 4, "4 open shards")
    latest = kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    ranges = sorted((int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in latest)
    check(ranges[0][0] == 0 and ranges[-1][1] == MAX_HASH and all(a[1] + 1 == b[0] for a, b in zip(ranges, ranges[1:])), ranges)
    got, finished, waiting = {}, set(), {s["ShardId"]: s for s in kinesis.list_shards(StreamName=name)["Shards"]}
    while waiting:
        ready = [i for i, s in waiting.items() if {s.get("ParentShardId"), s.get("AdjacentParentShardId")} <= finished | {None}]
        check(ready, f"no shard is ready: {waiting}")
        for shard_id in ready:
            closed = "EndingSequenceNumber" in waiting[shard_id]["SequenceNumberRange"]
            iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while iterator:
                answer = kinesis.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    got.setdefault(record["PartitionKey"], []).append(record["Data"].decode())
                iterator = answer.get("NextShardIterator")
                check(bool(iterator) != bool(answer.get("ChildShards")), "the end of a shard names its children")
                if iterator and not closed and not answer["Records"]:
                    break
            finished.add(shard_id)
            del waiting[shard_id]
    check(got == sent, f"records per key: sent {sent}, got {got}")
    kinesis.delete_stream(StreamName=name)
    done("SplitShard, MergeShards, UpdateShardCount: every key in order, nothing lost")


def manage(kinesis, name):
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.add_tags_to_stream(StreamName=name, Tags={"team": "maps", "環境": "本番"})
    tags = kinesis.list_tags_for_stream(StreamName=name)
    check({t["Key"]: t["Value"] for t in tags["Tags"]} == {"team": "maps", "環境": "本番"} and not tags["HasMoreTags"], tags)
    page = kinesis.list_tags_for_stream(StreamName=name, Limit=1)
    check(len(page["Tags"]) == 1 and page["HasMoreTags"], page)
    kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["team", "absent"])
    check([t["Key"] for t in kinesis.list_tags_for_stream(StreamName=name)["Tags"]] == ["環境"], "tags left")
    expect_error("InvalidArgumentException", kinesis.add_tags_to_stream, StreamName=name, Tags={"a;b": "c"})
    done("AddTagsToStream, ListTagsForStream, RemoveTagsFromStream")

    answer = kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["IncomingBytes", "OutgoingRecords"])
    check(answer["CurrentShardLevelMetrics"] == [] and answer["DesiredShardLevelMetrics"] == ["IncomingBytes", "OutgoingRecords"], answer)
    answer = kinesis.disable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    check(len(answer["CurrentShardLevelMetrics"]) == 2 and answer["DesiredShardLevelMetrics"] == [], answer)
    done("EnableEnhancedMonitoring, DisableEnhancedMonitoring")

    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="fan")["Consumer"]
    check(consumer["ConsumerARN"].startswith(arn + "/consumer/fan:"), consumer)
    expect_error("ResourceInUseException", kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="fan")
    described = kinesis.describe_stream_consumer(ConsumerARN=consumer["ConsumerARN"])["ConsumerDescription"]
    check(described["ConsumerStatus"] == "ACTIVE" and described["StreamARN"] == arn, described)
    check(described["ConsumerCreationTimestamp"] == consumer["ConsumerCreationTimestamp"], described)
    check([c["ConsumerName"] for c in kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]] == ["fan"], "consumers")
    expect_error("ResourceInUseException", kinesis.delete_stream, StreamName=name)
    kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="fan")
    expect_error("ResourceNotFoundException", kinesis.describe_stream_consumer, StreamARN=arn, ConsumerName="fan")
    done("RegisterStreamConsumer, DescribeStreamConsumer, ListStreamConsumers, DeregisterStreamConsumer")

    expect_error("KMSNotFoundException", kinesis.start_stream_encryption, StreamName=name, EncryptionType="KMS", KeyId="alias/y")
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/x")
    wait_active(kinesis, name)
    described = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    check((described["EncryptionType"], described["KeyId"]) == ("KMS", "alias/x"), described)
    put = kinesis.put_record(StreamName=name, PartitionKey="sealed", Data=b"sealed")
    check(put["EncryptionType"] == "KMS", put)
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=put["ShardId"], ShardIteratorType="AT_SEQUENCE_NUMBER",
                                          StartingSequenceNumber=put["SequenceNumber"])["ShardIterator"]
    record = kinesis.get_records(ShardIterator=iterator)["Records"][0]
    check((record["Data"], record["EncryptionType"]) == (b"sealed", "KMS"), record)
    kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/x")
    wait_active(kinesis, name)
    check(kinesis.describe_stream(StreamName=name)["StreamDescription"]["EncryptionType"] == "NONE", "encryption stopped")
    done("StartStreamEncryption, StopStreamEncryption")
    limits = kinesis.describe_limits()
    check(limits["OpenShardCount"] >= 1 and limits["ShardLimit"] > limits["OpenShardCount"], limits)
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    wait_active(kinesis, name)
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    check(summary["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}, summary)
    message = expect_error("ValidationException", kinesis.update_shard_count, StreamName=name, TargetShardCount=2,
                           ScalingType="UNIFORM_SCALING")
    check("On-Demand mode" in message, message)
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    done("DescribeLimits, UpdateStreamMode")


def fan_out(kinesis):
    """Events as they come, resumed from the continuation, through a split to its children."""
    name = "fan-" + uuid.uuid4().hex[:8]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    wait_active(kinesis, name)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    one, two = (kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=c)["Consumer"]["ConsumerARN"] for c in ("one", "two"))
    for i in range(50):
        kinesis.put_record(StreamName=name, PartitionKey="k", Data=f"{i}".encode())

    def subscribe(consumer, **position):
        return kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition=position)["EventStream"]

    stream = subscribe(one, Type="TRIM_HORIZON")
    expect_error("ResourceInUseException", kinesis.subscribe_to_shard, ConsumerARN=one, ShardId=shard,
                 StartingPosition={"Type": "LATEST"})
    other = subscribe(two, Type="LATEST")  # another consumer is another subscription
    got, resume = [], None
    for event in stream:
        event = event["SubscribeToShardEvent"]
        got += [r["Data"].decode() for r in event["Records"]]
        resume = event["ContinuationSequenceNumber"]
        if len(got) >= 50:
            break
    stream.close()
    check(got == [str(i) for i in range(50)], got)
    expect_error("ResourceNotFoundException", kinesis.subscribe_to_shard, ConsumerARN=one, ShardId="shardId-000000000099",
                 StartingPosition={"Type": "LATEST"})
    expect_error("ResourceNotFoundException", kinesis.subscribe_to_shard, ConsumerARN=arn + "/consumer/none:1", ShardId=shard,
                 StartingPosition={"Type": "LATEST"})
    expect_error("InvalidArgumentException", kinesis.subscribe_to_shard, ConsumerARN=one, ShardId=shard,
                 StartingPosition={"Type": "AT_SEQUENCE_NUMBER"})
    kinesis.put_record(StreamName=name, PartitionKey="k", Data=b"50")
    kinesis.split_shard(StreamName=name, ShardToSplit=shard, NewStartingHashKey=str(2**127))
    wait_active(kinesis, name)
    time.sleep(5)  # until a newer subscription may take over
    got, children, last = [], [], None
    for event in subscribe(one, Type="AFTER_SEQUENCE_NUMBER", SequenceNumber=resume):
        last = event["SubscribeToShardEvent"]
        got += [r["Data"].decode() for r in last["Records"]]
        children += last.get("ChildShards", [])
    check(got == ["50"], got)
    check(len(children) == 2 and "ContinuationSequenceNumber" not in last, last)
    latest = []
    for event in other:
        latest += [r["Data"].decode() for r in event["SubscribeToShardEvent"]["Records"]]
    check(latest == ["50"], latest)
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    done("SubscribeToShard: two consumers, continuation, end of shard with its children")


def main():
    endpoint = sys.argv[1]
    kinesis = boto3.client(
        "kinesis", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=Config(retries={"max_attempts": 2, "mode": "standard"}))
    name = "boto3-" + uuid.uuid4().hex[:12]

    message = expect_error("ResourceNotFoundException", kinesis.describe_stream, StreamName=name)
    check(message == f"Stream {name} under account 000000000000 not found.", message)
    kinesis.create_stream(StreamName=name, ShardCount=3)
    expect_error("ResourceInUseException", kinesis.create_stream, StreamName=name, ShardCount=3)
    wait_active(kinesis, name)
    done("CreateStream, waiter StreamExists")

    description = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    check(description["StreamStatus"] == "ACTIVE", "status")
    check(description["StreamARN"].endswith(f":stream/{name}"), "ARN")
    check(description["RetentionPeriodHours"] == 24, "retention")
    check(description["HasMoreShards"] is False, "HasMoreShards")
    check(abs((datetime.now(timezone.utc) - description["StreamCreationTimestamp"]).total_seconds()) < 120, "created")
    shards = description["Shards"]
    check([s["ShardId"] for s in shards] == [f"shardId-{i:012d}" for i in range(3)], "shard ids")
    at = 0
    for shard in shards:
        check(int(shard["HashKeyRange"]["StartingHashKey"]) == at, "hash ranges touch")
        at = int(shard["HashKeyRange"]["EndingHashKey"]) + 1
    check(at == MAX_HASH + 1, "hash ranges cover everything")
    page = kinesis.describe_stream(StreamName=name, Limit=1)["StreamDescription"]
    check(page["HasMoreShards"] and len(page["Shards"]) == 1, "DescribeStream pages")
    paged = kinesis.get_paginator("describe_stream").paginate(StreamName=name, PaginationConfig={"PageSize": 2})
    check(sum(len(p["StreamDescription"]["Shards"]) for p in paged) == 3, "DescribeStream paginator")
    done("DescribeStream with pages")

    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    check(summary["OpenShardCount"] == 3 and summary["StreamName"] == name, "summary")
    done("DescribeStreamSummary")

    names = [n for p in kinesis.get_paginator("list_streams").paginate(Limit=1) for n in p["StreamNames"]]
    check(name in names and names == sorted(names), "ListStreams")
    done("ListStreams")

    listed = kinesis.list_shards(StreamName=name)
    check([s["ShardId"] for s in listed["Shards"]] == [s["ShardId"] for s in shards], "ListShards")
    first = kinesis.list_shards(StreamName=name, MaxResults=2)
    second = kinesis.list_shards(NextToken=first["NextToken"])
    check(len(first["Shards"]) == 2 and len(second["Shards"]) == 1 and "NextToken" not in second, "ListShards pages")
    check(len(kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]) == 3, "AT_LATEST")
    after = kinesis.list_shards(StreamName=name, ExclusiveStartShardId="shardId-000000000001")["Shards"]
    check([s["ShardId"] for s in after] == ["shardId-000000000002"], "ExclusiveStartShardId")
    done("ListShards with pages and filter")

    shard = shards[1]
    hash_key = shard["HashKeyRange"]["StartingHashKey"]
    latest = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="LATEST")
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    payload = bytes(range(256))
    one = kinesis.put_record(StreamName=name, Data=payload, PartitionKey="\u6d41\u308c \"key\"",
                             ExplicitHashKey=hash_key)
    check(one["ShardId"] == shard["ShardId"], "explicit hash key picks the shard")
    two = kinesis.put_record(StreamName=name, Data=b"two", PartitionKey="k", ExplicitHashKey=hash_key,
                             SequenceNumberForOrdering=one["SequenceNumber"])
    check(int(two["SequenceNumber"]) > int(one["SequenceNumber"]), "sequence numbers rise")
    done("PutRecord with ExplicitHashKey and SequenceNumberForOrdering")

    batch = [{"Data": f"record {i}".encode(), "PartitionKey": f"key-{i}"} for i in range(500)]
    answer = kinesis.put_records(StreamName=name, Records=batch)
    check(answer["FailedRecordCount"] == 0 and len(answer["Records"]) == 500, "PutRecords")
    check({r["ShardId"] for r in answer["Records"]} == {s["ShardId"] for s in shards}, "keys spread over the shards")
    done("PutRecords of 500")

    # A bad neighbour fails the whole call, names the culprit, and stores nothing.
    bad = [{"Data": b"good", "PartitionKey": "a"}, {"Data": b"bad", "PartitionKey": "x" * 257}]
    message = expect_error("ValidationException", kinesis.put_records, StreamName=name, Records=bad)
    check("'records.2.member.partitionKey' failed to satisfy constraint: Member must have length less than or equal to "
          "256" in message, message)
    bad[1] = {"Data": b"bad", "PartitionKey": "b", "ExplicitHashKey": str(MAX_HASH + 1)}
    message = expect_error("InvalidArgumentException", kinesis.put_records, StreamName=name, Records=bad)
    check(message == "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was "
          f"{MAX_HASH + 1}", message)
    expect_error("ValidationException", kinesis.put_records, StreamName=name,
                 Records=[{"Data": b"x" * (1024 * 1024 + 1), "PartitionKey": "k"}])
    expect_error("ResourceNotFoundException", kinesis.put_records, StreamName=name + "-no", Records=batch[:1])
    done("PutRecords with a bad neighbour")

    expected = {s["ShardId"]: [] for s in shards}
    expected[shard["ShardId"]] += [(one["SequenceNumber"], payload), (two["SequenceNumber"], b"two")]
    for entry, result in zip(batch, answer["Records"]):
        expected[result["ShardId"]].append((result["SequenceNumber"], entry["Data"]))
    horizon = {}
    for s in shards:
        iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=s["ShardId"],
                                              ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records, following = read_all(kinesis, iterator, len(expected[s["ShardId"]]))
        check([(r["SequenceNumber"], r["Data"]) for r in records] == expected[s["ShardId"]],
              f"TRIM_HORIZON returns every record of {s['ShardId']} once and in order")
        check(following, "an open shard has a next iterator")
        extra = kinesis.get_records(ShardIterator=following)
        check(extra["Records"] == [] and extra["NextShardIterator"], "an empty poll")
        horizon[s["ShardId"]] = records
    mine = horizon[shard["ShardId"]]
    check(mine[0]["PartitionKey"] == "\u6d41\u308c \"key\"", "partition key survives")
    check(abs((datetime.now(timezone.utc) - mine[0]["ApproximateArrivalTimestamp"]).total_seconds()) < 120, "arrival")
    done("GetShardIterator TRIM_HORIZON, GetRecords")

    def from_position(**position):
        iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard["ShardId"], **position)["ShardIterator"]
        return iterator

    records, _ = read_all(kinesis, latest["ShardIterator"], len(mine))
    check([r["SequenceNumber"] for r in records] == [r["SequenceNumber"] for r in mine], "LATEST sees what came after")
    done("GetShardIterator LATEST")
    at = from_position(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=one["SequenceNumber"])
    records, _ = read_all(kinesis, at, len(mine))
    check(records[0]["SequenceNumber"] == one["SequenceNumber"] and len(records) == len(mine), "AT_SEQUENCE_NUMBER")
    done("GetShardIterator AT_SEQUENCE_NUMBER")
    after = from_position(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=one["SequenceNumber"])
    records, _ = read_all(kinesis, after, len(mine) - 1)
    check(records[0]["SequenceNumber"] == two["SequenceNumber"], "AFTER_SEQUENCE_NUMBER leaves the named record out")
    done("GetShardIterator AFTER_SEQUENCE_NUMBER")
    records, _ = read_all(kinesis, from_position(ShardIteratorType="AT_TIMESTAMP", Timestamp=before), len(mine))
    check(len(records) == len(mine), "AT_TIMESTAMP before the first record")
    expect_error("InvalidArgumentException", kinesis.get_shard_iterator, StreamName=name, ShardId=shard["ShardId"],
                 ShardIteratorType="AT_TIMESTAMP", Timestamp=datetime.now(timezone.utc) + timedelta(hours=1))
    done("GetShardIterator AT_TIMESTAMP")
    page = kinesis.get_records(ShardIterator=from_position(ShardIteratorType="TRIM_HORIZON"), Limit=1)
    check(len(page["Records"]) == 1, "GetRecords Limit")
    message = expect_error("InvalidArgumentException", kinesis.get_records, ShardIterator="AAAA")
    check(message == "Invalid ShardIterator.", message)
    message = expect_error("ResourceNotFoundException", kinesis.get_shard_iterator, StreamName=name,
                           ShardId="shardId-000000000099", ShardIteratorType="LATEST")
    check(message == f"Shard shardId-000000000099 in stream {name} under account 000000000000 does not exist", message)
    done("iterator errors")

    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    check(summary["RetentionPeriodHours"] == 48, "increased retention")
    expect_error("InvalidArgumentException", kinesis.increase_stream_retention_period, StreamName=name,
                 RetentionPeriodHours=36)
    kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    check(summary["RetentionPeriodHours"] == 24, "decreased retention")
    expect_error("InvalidArgumentException", kinesis.decrease_stream_retention_period, StreamName=name,
                 RetentionPeriodHours=12)
    done("IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod")

    manage(kinesis, name)
    reshard(kinesis)
    fan_out(kinesis)

    old = from_position(ShardIteratorType="TRIM_HORIZON")
    kinesis.delete_stream(StreamName=name)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            kinesis.describe_stream_summary(StreamName=name)
        except ClientError as error:
            check(error.response["Error"]["Code"] == "ResourceNotFoundException", "gone")
            break
        time.sleep(0.1)
    else:
        sys.exit("FAILED: the stream did not go away")
    expect_error("ResourceNotFoundException", kinesis.get_records, ShardIterator=old)
    done("DeleteStream")
    print(f"boto3 {boto3.__version__}: all {len(covered)} parts passed")


if __name__ == "__main__":
    main()
