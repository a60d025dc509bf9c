#!/usr/bin/env bash
# Drives a Kinesis endpoint with the AWS CLI: kinesis_awscli.sh http://127.0.0.1:4567
# Exits non-zero on the first mismatch; prints what it covered. Needs Debian's awscli and python3.
set -euo pipefail
endpoint=$1
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 AWS_PAGER="" AWS_MAX_ATTEMPTS=2
export AWS_EC2_METADATA_DISABLED=true
name=awscli-$RANDOM$RANDOM
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's own, if it is there. Version 2 wants blobs in base64 unless told otherwise; version 1 takes them as they are.
aws=aws
if [ -x /usr/bin/aws ]; then aws=/usr/bin/aws; fi
raw=()
if [[ "$("$aws" --version 2>&1)" == aws-cli/2* ]]; then raw=(--cli-binary-format raw-in-base64-out); fi

kinesis() { "$aws" --endpoint-url "$endpoint" --output json "${raw[@]}" kinesis "$@"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { echo "ok: $*"; }
# expect WHAT EXPECTED GOT
expect() { [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"; }
# refuse NAME ARGUMENTS…: the call must fail with that error.
refuse() {
  local error=$1; shift
  if kinesis "$@" > "$work/out" 2> "$work/err"; then fail "$*: expected $error, call succeeded"; fi
  grep -q "($error)" "$work/err" || fail "$*: expected $error, got $(cat "$work/err")"
}
# records FILE: the data of a GetRecords answer, decoded, one a line
records() { python3 -c 'import base64,json,sys
for r in json.load(open(sys.argv[1]))["Records"]: print(base64.b64decode(r["Data"]).decode())' "$1"; }
# read_from TYPE [ARGUMENTS…]: data of one GetRecords call
read_from() {
  local iterator
  iterator=$(kinesis get-shard-iterator --stream-name "$name" --shard-id "$shard" --shard-iterator-type "$@" \
    --query ShardIterator --output text)
  kinesis get-records --shard-iterator "$iterator" > "$work/records"
  records "$work/records"
}

refuse ResourceNotFoundException describe-stream --stream-name "$name"
kinesis create-stream --stream-name "$name" --shard-count 2
kinesis wait stream-exists --stream-name "$name"
refuse ResourceInUseException create-stream --stream-name "$name" --shard-count 2
ok "create-stream, wait stream-exists"

expect status ACTIVE "$(kinesis describe-stream --stream-name "$name" --query StreamDescription.StreamStatus --output text)"
expect shards 2 "$(kinesis describe-stream --stream-name "$name" --query 'length(StreamDescription.Shards)' --output text)"
expect "open shards" 2 "$(kinesis describe-stream-summary --stream-name "$name" \
  --query StreamDescriptionSummary.OpenShardCount --output text)"
kinesis list-streams --query 'StreamNames[]' --output text | tr '\t' '\n' | grep -qx "$name" || fail "list-streams"
expect list-shards "shardId-000000000000 shardId-000000000001" \
  "$(kinesis list-shards --stream-name "$name" --query 'Shards[].ShardId' --output text | tr '\t' ' ')"
ok "describe-stream, describe-stream-summary, list-streams, list-shards"

shard=shardId-000000000001
high=340282366920938463463374607431768211455
latest=$(kinesis get-shard-iterator --stream-name "$name" --shard-id "$shard" --shard-iterator-type LATEST \
  --query ShardIterator --output text)
kinesis put-record --stream-name "$name" --partition-key a --data first --explicit-hash-key "$high" > "$work/put"
expect "shard of put-record" "$shard" "$(python3 -c 'import json,sys;print(json.load(open(sys.argv[1]))["ShardId"])' "$work/put")"
first=$(python3 -c 'import json,sys;print(json.load(open(sys.argv[1]))["SequenceNumber"])' "$work/put")
ok "put-record"

cat > "$work/good.json" <<JSON
[{"Data":"second","PartitionKey":"b","ExplicitHashKey":"$high"},{"Data":"third","PartitionKey":"c","ExplicitHashKey":"$high"},
 {"Data":"elsewhere","PartitionKey":"d","ExplicitHashKey":"0"}]
JSON
kinesis put-records --stream-name "$name" --records "file://$work/good.json" > "$work/puts"
expect "put-records" "0 3" "$(python3 -c 'import json,sys
a=json.load(open(sys.argv[1]));print(a["FailedRecordCount"],len(a["Records"]))' "$work/puts")"
cat > "$work/bad.json" <<JSON
[{"Data":"good","PartitionKey":"a","ExplicitHashKey":"$high"},{"Data":"bad","PartitionKey":"b","ExplicitHashKey":"${high}0"}]
JSON
refuse ValidationException put-records --stream-name "$name" --records "file://$work/bad.json"
sed -i "s/${high}0/340282366920938463463374607431768211456/" "$work/bad.json"
refuse InvalidArgumentException put-records --stream-name "$name" --records "file://$work/bad.json"
ok "put-records, with a bad neighbour refused as a whole"

all=$'first\nsecond\nthird'
expect TRIM_HORIZON "$all" "$(read_from TRIM_HORIZON)"
kinesis get-records --shard-iterator "$latest" > "$work/records"
expect LATEST "$all" "$(records "$work/records")"
expect AT_SEQUENCE_NUMBER "$all" "$(read_from AT_SEQUENCE_NUMBER --starting-sequence-number "$first")"
expect AFTER_SEQUENCE_NUMBER $'second\nthird' "$(read_from AFTER_SEQUENCE_NUMBER --starting-sequence-number "$first")"
expect AT_TIMESTAMP "$all" "$(read_from AT_TIMESTAMP --timestamp "$(date -u -d '-1 minute' +%Y-%m-%dT%H:%M:%SZ)")"
refuse InvalidArgumentException get-records --shard-iterator AAAA
ok "get-shard-iterator of all five types, get-records"

kinesis increase-stream-retention-period --stream-name "$name" --retention-period-hours 72
expect "increased retention" 72 "$(kinesis describe-stream-summary --stream-name "$name" \
  --query StreamDescriptionSummary.RetentionPeriodHours --output text)"
kinesis decrease-stream-retention-period --stream-name "$name" --retention-period-hours 24
expect "decreased retention" 24 "$(kinesis describe-stream-summary --stream-name "$name" \
  --query StreamDescriptionSummary.RetentionPeriodHours --output text)"
refuse InvalidArgumentException decrease-stream-retention-period --stream-name "$name" --retention-period-hours 23
ok "increase- and decrease-stream-retention-period"

kinesis add-tags-to-stream --stream-name "$name" --tags env=test,team=地図
expect "tags" $'env\ttest\nteam\t地図' "$(kinesis list-tags-for-stream --stream-name "$name" --query 'Tags[].[Key,Value]' --output text)"
kinesis remove-tags-from-stream --stream-name "$name" --tag-keys env
expect "tags left" team "$(kinesis list-tags-for-stream --stream-name "$name" --query 'Tags[].Key' --output text)"
ok "add-tags-to-stream, list-tags-for-stream, remove-tags-from-stream"

kinesis update-shard-count --stream-name "$name" --target-shard-count 3 --scaling-type UNIFORM_SCALING > /dev/null
kinesis wait stream-exists --stream-name "$name"
expect "open shards" 3 "$(kinesis describe-stream-summary --stream-name "$name" --query StreamDescriptionSummary.OpenShardCount --output text)"
refuse InvalidArgumentException merge-shards --stream-name "$name" --shard-to-merge shardId-000000000000 --adjacent-shard-to-merge shardId-000000000001
expect "open shards by describe-limits" true "$(kinesis describe-limits --query "OpenShardCount >= \`3\`")"
ok "update-shard-count, describe-limits"

kinesis delete-stream --stream-name "$name"
for _ in $(seq 60); do
  kinesis describe-stream-summary --stream-name "$name" > /dev/null 2> "$work/err" || break
done
grep -q "(ResourceNotFoundException)" "$work/err" || fail "delete-stream: $(cat "$work/err")"
ok "delete-stream"
echo "$("$aws" --version 2>&1): all parts passed"
