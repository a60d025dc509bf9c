#!/usr/bin/python3
"""Drives the DynamoDB subset and CloudWatch's PutMetricData with boto3: dynamodb_boto3.py http://127.0.0.1:4567

Exits non-zero on the first mismatch; prints what it covered. HONRYU_ADMIN in the environment: where /metrics is.
The server verifies signatures: keys ADMIN (everything) and LEASES (tables leases-*), see run_client.py.
"""
import concurrent.futures
import os
import sys
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SECRET = "a secret for tests only"
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
        return error.response
    return sys.exit(f"FAILED: {arguments}: expected {name}, call succeeded")


def message_of(response):
    return response["Error"]["Message"]


def client(service, endpoint, key="ADMIN"):
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=SECRET,
                        config=Config(retries={"max_attempts": 2, "mode": "standard"}))


def tables(dynamo, name):
    """Create, describe, wait, change, list."""
    check("not found" in message_of(expect_error("ResourceNotFoundException", dynamo.describe_table, TableName=name)), "no table yet")
    made = dynamo.create_table(TableName=name, AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
                               KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
                               Tags=[{"Key": "team", "Value": "a"}])["TableDescription"]
    check(made["TableStatus"] == "CREATING" and made["TableArn"].endswith(":table/" + name), made)
    dynamo.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    message = message_of(expect_error("ResourceInUseException", dynamo.create_table, TableName=name,
                                      AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
                                      KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST"))
    check(message == f"Table already exists: {name}", message)
    about = dynamo.describe_table(TableName=name)["Table"]
    check(about["TableStatus"] == "ACTIVE" and about["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST", about)
    check(about["KeySchema"] == [{"AttributeName": "leaseKey", "KeyType": "HASH"}], about)
    done("CreateTable, DescribeTable, waiter TableExists")
    changed = dynamo.update_table(TableName=name, AttributeDefinitions=[{"AttributeName": "leaseOwner", "AttributeType": "S"},
                                                                        {"AttributeName": "leaseKey", "AttributeType": "S"}],
                                  GlobalSecondaryIndexUpdates=[{"Create": {
                                      "IndexName": "LeaseOwnerToLeaseKeyIndex",
                                      "KeySchema": [{"AttributeName": "leaseOwner", "KeyType": "HASH"},
                                                    {"AttributeName": "leaseKey", "KeyType": "RANGE"}],
                                      "Projection": {"ProjectionType": "KEYS_ONLY"}}}])["TableDescription"]
    check(changed["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING", changed)
    index = dynamo.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"][0]
    check(index["IndexStatus"] == "ACTIVE" and index["Projection"] == {"ProjectionType": "KEYS_ONLY"}, index)
    done("UpdateTable with a new global index")
    arn = about["TableArn"]
    dynamo.tag_resource(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    dynamo.untag_resource(ResourceArn=arn, TagKeys=["team"])
    check(dynamo.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}], "tags")
    dynamo.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    ttl = dynamo.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    check(ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}, ttl)
    backups = dynamo.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    check(backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED", backups)
    backups = dynamo.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    check(backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED", backups)
    done("tags, time to live, continuous backups")
    names = [n for page in dynamo.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1}) for n in page["TableNames"]]
    check(name in names, names)
    done("ListTables with pages")


def every_type(dynamo, name):
    item = {"leaseKey": {"S": "types"}, "n": {"N": "-0012.3400"}, "b": {"B": b"\x00\xff\x10"}, "t": {"BOOL": True}, "f": {"BOOL": False},
            "null": {"NULL": True}, "l": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}]}, "m": {"M": {"x": {"M": {"y": {"S": "deep"}}}}},
            "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["3", "1.50"]}, "bs": {"BS": [b"\x01", b"\x02"]}, "empty": {"S": ""},
            "big": {"N": "12345678901234567890123456789012345678"}, "unicode": {"S": "\u6d41\u308c \"x\""}}
    dynamo.put_item(TableName=name, Item=item)
    got = dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "types"}}, ConsistentRead=True)["Item"]
    expected = dict(item, n={"N": "-12.34"}, ns={"NS": ["1.5", "3"]}, ss={"SS": ["a", "b"]})
    got["ss"]["SS"].sort()
    got["ns"]["NS"].sort()
    check(got == expected, f"{got}\n{expected}")
    part = dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "types"}}, ProjectionExpression="m.x.y, l[1], #n",
                           ExpressionAttributeNames={"#n": "n"})["Item"]
    check(part == {"m": {"M": {"x": {"M": {"y": {"S": "deep"}}}}}, "l": {"L": [{"N": "1"}]}, "n": {"N": "-12.34"}}, part)
    check("Item" not in dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "none"}}), "an absent item")
    message = message_of(expect_error("ValidationException", dynamo.get_item, TableName=name, Key={"other": {"S": "x"}}))
    check(message == "The provided key element does not match the schema", message)
    expect_error("ResourceNotFoundException", dynamo.get_item, TableName=name + "-no", Key={"leaseKey": {"S": "x"}})
    expect_error("ValidationException", dynamo.put_item, TableName=name, Item={"leaseKey": {"S": "x"}, "n": {"N": "1" * 39}})
    message = message_of(expect_error("ValidationException", dynamo.put_item, TableName=name, Item={"n": {"N": "1"}}))
    check(message == "One or more parameter values were invalid: Missing the key leaseKey in the item", message)
    expect_error("ValidationException", dynamo.put_item, TableName=name, Item={"leaseKey": {"S": "x"}, "big": {"S": "x" * 410000}})
    dynamo.delete_item(TableName=name, Key={"leaseKey": {"S": "types"}})
    done("PutItem and GetItem of every type, projections, their errors")


def legacy_leases(dynamo, name):
    """What KCL sends for a lease: Expected and AttributeUpdates."""
    lease = {"leaseKey": {"S": "shardId-0"}, "leaseCounter": {"N": "0"}, "checkpoint": {"S": "TRIM_HORIZON"}}
    absent = {"leaseKey": {"Exists": False}}
    dynamo.put_item(TableName=name, Item=lease, Expected=absent)
    message = message_of(expect_error("ConditionalCheckFailedException", dynamo.put_item, TableName=name, Item=lease, Expected=absent))
    check(message == "The conditional request failed", message)
    key = {"leaseKey": {"S": "shardId-0"}}
    take = {"leaseOwner": {"Value": {"S": "worker-1"}, "Action": "PUT"}, "leaseCounter": {"Value": {"N": "1"}, "Action": "PUT"},
            "ownerSwitchesSinceCheckpoint": {"Value": {"N": "1"}, "Action": "ADD"}, "pendingCheckpoint": {"Action": "DELETE"}}
    expected = {"leaseCounter": {"Value": {"N": "0.0"}}, "leaseOwner": {"Exists": False}}
    dynamo.update_item(TableName=name, Key=key, AttributeUpdates=take, Expected=expected)
    expect_error("ConditionalCheckFailedException", dynamo.update_item, TableName=name, Key=key, AttributeUpdates=take, Expected=expected)
    got = dynamo.get_item(TableName=name, Key=key)["Item"]
    check(got == dict(lease, leaseOwner={"S": "worker-1"}, leaseCounter={"N": "1"}, ownerSwitchesSinceCheckpoint={"N": "1"}), got)
    owned = dynamo.query(TableName=name, IndexName="LeaseOwnerToLeaseKeyIndex", KeyConditionExpression="leaseOwner = :leaseOwner",
                         ExpressionAttributeValues={":leaseOwner": {"S": "worker-1"}})
    check(owned["Items"] == [{"leaseKey": {"S": "shardId-0"}, "leaseOwner": {"S": "worker-1"}}], owned)
    expect_error("ConditionalCheckFailedException", dynamo.delete_item, TableName=name, Key=key,
                 Expected={"leaseOwner": {"Value": {"S": "worker-2"}}})
    old = dynamo.delete_item(TableName=name, Key=key, Expected={"leaseOwner": {"ComparisonOperator": "EQ", "AttributeValueList": [
        {"S": "worker-1"}]}}, ReturnValues="ALL_OLD")["Attributes"]
    check(old["leaseCounter"] == {"N": "1"}, old)
    check(dynamo.query(TableName=name, IndexName="LeaseOwnerToLeaseKeyIndex", KeyConditionExpression="leaseOwner = :o",
                       ExpressionAttributeValues={":o": {"S": "worker-1"}})["Count"] == 0, "the index forgets")
    done("leases with Expected and AttributeUpdates, and their owners' index")


def updates(dynamo, name):
    key = {"leaseKey": {"S": "u"}}

    def update(expression, values=None, names=None, **more):
        if values:
            more["ExpressionAttributeValues"] = values
        if names:
            more["ExpressionAttributeNames"] = names
        return dynamo.update_item(TableName=name, Key=key, UpdateExpression=expression, **more)

    new = update("SET a = if_not_exists(a, :z) + :one, l = :l, m = :m ADD s :s, c :one", {
        ":z": {"N": "0"}, ":one": {"N": "1"}, ":l": {"L": [{"S": "x"}]}, ":m": {"M": {"k": {"S": "v"}}}, ":s": {"SS": ["p", "q"]}},
        ReturnValues="ALL_NEW")["Attributes"]
    check(new["a"] == {"N": "1"} and new["c"] == {"N": "1"} and sorted(new["s"]["SS"]) == ["p", "q"], new)
    new = update("SET a = a - :half, l = list_append(l, :l), #m.k = :w REMOVE gone DELETE s :s", {
        ":half": {"N": "0.5"}, ":l": {"L": [{"S": "y"}]}, ":w": {"S": "w"}, ":s": {"SS": ["p"]}}, {"#m": "m"},
        ReturnValues="UPDATED_NEW")["Attributes"]
    check(new == {"a": {"N": "0.5"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}, "m": {"M": {"k": {"S": "w"}}}, "s": {"SS": ["q"]}}, new)
    old = update("REMOVE l[0] SET a = :a", {":a": {"N": "9"}}, ReturnValues="UPDATED_OLD")["Attributes"]
    check(old == {"a": {"N": "0.5"}, "l": {"L": [{"S": "x"}]}}, old)
    failed = expect_error("ConditionalCheckFailedException", dynamo.update_item, TableName=name, Key=key, UpdateExpression="SET a = :a",
                          ConditionExpression="attribute_not_exists(leaseKey) OR (a < :a AND NOT contains(s, :q))",
                          ExpressionAttributeValues={":a": {"N": "1"}, ":q": {"S": "q"}})
    check(message_of(failed) == "The conditional request failed", failed)
    update("SET a = :a", {":a": {"N": "10"}, ":low": {"N": "8"}, ":s": {"S": "S"}, ":x": {"S": "u"}, ":two": {"N": "2"}},
           {"#l": "l"}, ConditionExpression="a BETWEEN :low AND :a AND size(#l) < :two AND begins_with(leaseKey, :x) AND leaseKey IN (:s, :x) "
           "AND attribute_type(leaseKey, :s) AND attribute_exists(m.k)")
    message = message_of(expect_error("ValidationException", dynamo.update_item, TableName=name, Key=key, UpdateExpression="SET a = :a",
                                      ExpressionAttributeValues={":a": {"N": "1"}, ":b": {"N": "1"}}))
    check(message == "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}", message)
    message = message_of(expect_error("ValidationException", dynamo.update_item, TableName=name, Key=key, UpdateExpression="SET a ="))
    check(message == 'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "="', message)
    expect_error("ValidationException", dynamo.update_item, TableName=name, Key=key, UpdateExpression="SET leaseKey = :a",
                 ExpressionAttributeValues={":a": {"S": "other"}})
    dynamo.delete_item(TableName=name, Key=key)
    done("UpdateItem with SET, REMOVE, ADD, DELETE, conditions and ReturnValues")


def pages(dynamo, name):
    for first in range(0, 100, 25):
        dynamo.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": {
            "leaseKey": {"S": f"shardId-{i:03d}"}, "streamName": {"S": f"s{i % 2}"}, "leaseOwner": {"S": f"w{i % 4}"}}}}
            for i in range(first, first + 25)]})
    check(dynamo.scan(TableName=name)["Count"] == 100, "Scan")
    scan = dynamo.get_paginator("scan").paginate(TableName=name, FilterExpression="streamName = :s",
                                                 ExpressionAttributeValues={":s": {"S": "s1"}}, PaginationConfig={"PageSize": 7})
    got = [item["leaseKey"]["S"] for page in scan for item in page["Items"]]
    check(sorted(got) == [f"shardId-{i:03d}" for i in range(1, 100, 2)], got)
    parts = [[i["leaseKey"]["S"] for page in dynamo.get_paginator("scan").paginate(TableName=name, Segment=s, TotalSegments=4)
              for i in page["Items"]] for s in range(4)]
    check(sorted(sum(parts, [])) == [f"shardId-{i:03d}" for i in range(100)] and all(parts), "segments share the table out")
    query = dynamo.get_paginator("query").paginate(
        TableName=name, IndexName="LeaseOwnerToLeaseKeyIndex", KeyConditionExpression="leaseOwner = :w AND leaseKey BETWEEN :a AND :b",
        ExpressionAttributeValues={":w": {"S": "w1"}, ":a": {"S": "shardId-010"}, ":b": {"S": "shardId-050"}}, ScanIndexForward=False,
        PaginationConfig={"PageSize": 3})
    got = [item["leaseKey"]["S"] for page in query for item in page["Items"]]
    check(got == [f"shardId-{i:03d}" for i in range(49, 9, -4)], got)
    check(dynamo.scan(TableName=name, Select="COUNT", Limit=10).get("Items", []) == [], "Select COUNT")
    expect_error("ValidationException", dynamo.query, TableName=name, IndexName="NoSuchIndex", KeyConditionExpression="a = :a",
                 ExpressionAttributeValues={":a": {"S": "x"}})
    batch = dynamo.batch_get_item(RequestItems={name: {"Keys": [{"leaseKey": {"S": f"shardId-{i:03d}"}} for i in range(95, 105)]}})
    check(len(batch["Responses"][name]) == 5 and not batch["UnprocessedKeys"], batch)
    done("BatchWriteItem, Scan with pages, filter and segments, Query forwards and back, BatchGetItem")


def transactions(dynamo, name):
    def put(key, condition=None):
        one = {"TableName": name, "Item": {"leaseKey": {"S": key}, "v": {"N": "1"}}}
        if condition:
            one["ConditionExpression"] = condition
        return {"Put": one}

    dynamo.transact_write_items(TransactItems=[put("t1"), put("t2")], ClientRequestToken="token-1")
    dynamo.delete_item(TableName=name, Key={"leaseKey": {"S": "t1"}})
    dynamo.transact_write_items(TransactItems=[put("t1"), put("t2")], ClientRequestToken="token-1")  # again: does nothing
    check("Item" not in dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "t1"}}), "a repeated token")
    expect_error("IdempotentParameterMismatchException", dynamo.transact_write_items, TransactItems=[put("t3")], ClientRequestToken="token-1")
    failed = expect_error("TransactionCanceledException", dynamo.transact_write_items, TransactItems=[
        put("t1"), put("t2", "attribute_not_exists(leaseKey)"),
        {"ConditionCheck": {"TableName": name, "Key": {"leaseKey": {"S": "t2"}}, "ConditionExpression": "v = :v",
                            "ExpressionAttributeValues": {":v": {"N": "1.0"}}}}][:2])
    check([r["Code"] for r in failed["CancellationReasons"]] == ["None", "ConditionalCheckFailed"], failed)
    check("[None, ConditionalCheckFailed]" in message_of(failed), failed)
    check("Item" not in dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "t1"}}), "nothing of a cancelled transaction")
    dynamo.transact_write_items(TransactItems=[
        put("t4"), {"Update": {"TableName": name, "Key": {"leaseKey": {"S": "t2"}}, "UpdateExpression": "ADD v :v",
                               "ExpressionAttributeValues": {":v": {"N": "1"}}}},
        {"ConditionCheck": {"TableName": name, "Key": {"leaseKey": {"S": "t5"}}, "ConditionExpression": "attribute_not_exists(leaseKey)"}}])
    check(dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "t2"}})["Item"]["v"] == {"N": "2"}, "a transaction")
    expect_error("ValidationException", dynamo.transact_write_items, TransactItems=[put("t6"), put("t6")])
    done("TransactWriteItems, cancelled and repeated")


def races(dynamo, name):
    """Of many that take a lease at once one gets it."""
    dynamo.put_item(TableName=name, Item={"leaseKey": {"S": "race"}, "leaseCounter": {"N": "0"}})

    def increment(_):
        won = 0
        for _ in range(20):
            now = dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "race"}}, ConsistentRead=True)["Item"]["leaseCounter"]
            try:
                dynamo.update_item(TableName=name, Key={"leaseKey": {"S": "race"}}, Expected={"leaseCounter": {"Value": now}},
                                   AttributeUpdates={"leaseCounter": {"Action": "ADD", "Value": {"N": "1"}}})
                won += 1
            except dynamo.exceptions.ConditionalCheckFailedException:
                pass
        return won

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        won = sum(pool.map(increment, range(8)))
    counter = dynamo.get_item(TableName=name, Key={"leaseKey": {"S": "race"}})["Item"]["leaseCounter"]
    check(counter == {"N": str(won)} and won >= 20, f"{counter}, {won} won")
    done("conditional updates that race")


def metrics(endpoint):
    cloudwatch = client("cloudwatch", endpoint)
    cloudwatch.put_metric_data(Namespace="my-app", MetricData=[
        {"MetricName": "RecordsProcessed", "Unit": "Count", "Dimensions": [{"Name": "ShardId", "Value": "shardId-0"}],
         "StatisticValues": {"SampleCount": 4, "Sum": 40, "Minimum": 1, "Maximum": 30}},
        {"MetricName": "Lag", "Unit": "Milliseconds", "Value": 12.5}, {"MetricName": "Sizes", "Values": [1, 2], "Counts": [3, 1]}])
    expect_error("InvalidParameterValue", cloudwatch.put_metric_data, Namespace="my-app", MetricData=[{"MetricName": "x" * 256, "Value": 1}])
    expect_error("InvalidAction", cloudwatch.list_metrics)
    large = [{"MetricName": f"m{i}", "Value": 1, "Dimensions": [{"Name": "Padding", "Value": "x" * 200}]} for i in range(100)]
    cloudwatch.put_metric_data(Namespace="large", MetricData=large)  # newer versions compress it before they sign it
    if "HONRYU_ADMIN" in os.environ:
        page = urllib.request.urlopen(os.environ["HONRYU_ADMIN"] + "/metrics").read().decode()
        for line in ('honryu_cloudwatch_sum{dimension_shard_id="shardId-0",metric="RecordsProcessed",namespace="my-app",unit="Count"} 40',
                     'honryu_cloudwatch_samples_total{metric="Sizes",namespace="my-app",unit="None"} 4',
                     'honryu_cloudwatch_average{metric="Lag",namespace="my-app",unit="Milliseconds"} 12.5'):
            check(line in page, f"{line} in\n" + "\n".join(row for row in page.splitlines() if "cloudwatch" in row))
    done("PutMetricData, shown at /metrics")


def main():
    endpoint = sys.argv[1]
    dynamo = client("dynamodb", endpoint)
    name = "leases-" + uuid.uuid4().hex[:8]
    tables(dynamo, name)
    every_type(dynamo, name)
    legacy_leases(dynamo, name)
    updates(dynamo, name)
    pages(dynamo, name)
    transactions(dynamo, name)
    races(dynamo, name)
    metrics(endpoint)
    own = client("dynamodb", endpoint, "LEASES")
    own.put_item(TableName=name, Item={"leaseKey": {"S": "mine"}})
    expect_error("AccessDeniedException", own.put_item, TableName="other-table", Item={"leaseKey": {"S": "x"}})
    expect_error("AccessDeniedException", own.delete_table, TableName=name)
    expect_error("AccessDeniedException", own.list_tables)
    expect_error("InvalidSignatureException", boto3.client(
        "dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="ADMIN", aws_secret_access_key="wrong" * 5).list_tables)
    done("signatures and allow rules")
    dynamo.delete_table(TableName=name)
    dynamo.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    expect_error("ResourceNotFoundException", dynamo.scan, TableName=name)
    done("DeleteTable, waiter TableNotExists")
    print(f"boto3 {boto3.__version__}: all {len(covered)} parts passed")


if __name__ == "__main__":
    main()
