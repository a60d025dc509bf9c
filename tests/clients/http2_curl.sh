#!/usr/bin/env bash
# HTTP/2 and TLS as curl speaks them. usage: http2_curl.sh URL [CA_FILE]
set -euo pipefail
url=$1 ca=${2:-}
version=$(curl --version | head -n 1)
case $(curl --version) in *HTTP2*) ;; *) echo "this curl does not speak HTTP/2: $version"; exit 77 ;; esac
trust=() h2=(--http2-prior-knowledge)
if [ -n "$ca" ]; then trust=(--cacert "$ca") h2=(--http2); fi

# call PROTOCOL-OPTION… OPERATION BODY: the answer, then the HTTP version that was spoken
call() {
  local body=${*: -1} operation=${*: -2:1}
  curl --silent --show-error --max-time 20 "${trust[@]}" "${@:1:$#-2}" --write-out '\n%{http_version}\n' --data-binary "$body" \
    --header "X-Amz-Target: Kinesis_20131202.$operation" --header 'Content-Type: application/x-amz-json-1.1' "$url"
}
expect() {
  if [ "$2" != "$3" ]; then
    echo "FAILED: $1: expected '$2', found '$3'" >&2
    exit 1
  fi
}

name="h2-$RANDOM$RANDOM"
expect "HTTP/2 is spoken" 2 "$(call "${h2[@]}" CreateStream "{\"StreamName\":\"$name\",\"ShardCount\":1}" | tail -n 1)"
until call "${h2[@]}" DescribeStreamSummary "{\"StreamName\":\"$name\"}" | grep -q '"ACTIVE"'; do sleep 0.1; done
expect "HTTP/1.1 on the same port" 1.1 "$(call --http1.1 ListStreams '{}' | tail -n 1)"
echo "ok: create and describe a stream over HTTP/2, HTTP/1.1 on the same port"

# A body of many frames: 500 records of a kilobyte.
records=$(mktemp)
trap 'rm -f "$records"' EXIT
python3 - "$name" > "$records" <<'PYTHON'
import base64, json, sys
data = base64.b64encode(b"x" * 1000).decode()
print(json.dumps({"StreamName": sys.argv[1], "Records": [{"PartitionKey": str(i), "Data": data} for i in range(500)]}))
PYTHON
expect "all records taken" '"FailedRecordCount":0' "$(call "${h2[@]}" PutRecords "@$records" | grep -o '"FailedRecordCount":[0-9]*')"
iterator=$(call "${h2[@]}" GetShardIterator "{\"StreamName\":\"$name\",\"ShardId\":\"0\",\"ShardIteratorType\":\"TRIM_HORIZON\"}" |
  sed -n 's/.*"ShardIterator":"\([^"]*\)".*/\1/p')
expect "all records read" 500 "$(call "${h2[@]}" GetRecords "{\"ShardIterator\":\"$iterator\"}" | grep -o '"PartitionKey"' | wc -l)"
echo "ok: put and get 500 records over HTTP/2"
echo "$version: all parts passed"
