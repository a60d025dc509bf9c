#!/usr/bin/python3
"""Signatures of boto3 against a Kinesis endpoint that verifies them:
python3 kinesis_signatures.py http://127.0.0.1:4567

The server must know the keys ADMIN (everything) and WRITER (Put*, Describe* on web-*), both with SECRET as their secret.
Exits non-zero on the first mismatch; prints what it covered. Needs Debian's python3-boto3.
"""
import datetime
import hashlib
import json
import sys
import urllib.error
import urllib.request
import uuid

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

SECRET = "a secret for tests only"
MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
            "signing method. Consult the service documentation for details.")


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def done(what):
    print(f"ok: {what}", flush=True)


def client(endpoint, key, secret=SECRET, token=None):
    return boto3.client("kinesis", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret, aws_session_token=token, config=Config(retries={"max_attempts": 0}))


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        check(error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response)
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    sys.exit(f"FAILED: {arguments} was allowed")


class QueryAuth(botocore.auth.SigV4QueryAuth):
    """botocore's own moves a body into the query; a Kinesis request keeps it."""
    body = b""

    def payload(self, request):
        return hashlib.sha256(self.body).hexdigest()


def send(endpoint, signer_class, body, service="kinesis", age=0, change=None, **options):
    """A request signed by one of botocore's signers; (status, error name, message)."""
    request = AWSRequest("POST", endpoint + "/", headers={
        "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.ListStreams"},
        data=body if signer_class is not QueryAuth else None)
    signer = signer_class(Credentials("ADMIN", SECRET), service, "eu-west-1", **options)
    signer.body = body.encode()
    real = botocore.auth.datetime
    if age:
        class Shifted(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(seconds=age)
        botocore.auth.datetime = type("Module", (), {"datetime": Shifted})
    try:
        signer.add_auth(request)
    finally:
        botocore.auth.datetime = real
    prepared = request.prepare()
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()
               if name != "Content-Length"}
    wire = urllib.request.Request(prepared.url, data=change or body.encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(wire, timeout=20) as answer:
            return answer.status, "", ""
    except urllib.error.HTTPError as error:
        told = json.loads(error.read())
        return error.code, told["__type"], told["message"]


def main():
    endpoint = sys.argv[1]
    name = "web-" + uuid.uuid4().hex[:12]
    admin = client(endpoint, "ADMIN")
    admin.create_stream(StreamName=name, ShardCount=1)
    admin.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    admin.put_record(StreamName=name, Data=bytes(range(256)), PartitionKey="\u6d41\u308c")
    done("the right key")

    got = refusal(client(endpoint, "ADMIN", "another secret for tests").list_streams)
    check(got == ("InvalidSignatureException", MISMATCH), got)
    got = refusal(client(endpoint, "NOBODY").list_streams)
    unknown = ("UnrecognizedClientException", "The security token included in the request is invalid.")
    check(got == unknown, got)
    got = refusal(client(endpoint, "ADMIN", token="a session token").list_streams)
    check(got == unknown, got)
    done("a wrong secret, an unknown key, a session token")

    writer = client(endpoint, "WRITER")
    writer.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}] * 500)
    arn = writer.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    code, message = refusal(writer.delete_stream, StreamName=name)
    check(code == "AccessDeniedException", code)
    check(message == f"User: arn:aws:iam::000000000000:user/WRITER is not authorized to perform: kinesis:DeleteStream on "
          f"resource: {arn} because no identity-based policy allows the kinesis:DeleteStream action", message)
    check(refusal(writer.put_record, StreamName="mobile", Data=b"x", PartitionKey="k")[0] == "AccessDeniedException", "mobile")
    done("rules on actions and streams")

    plain, query = botocore.auth.SigV4Auth, QueryAuth
    check(send(endpoint, plain, "{}") == (200, "", ""), "header form")
    check(send(endpoint, plain, '{"Limit":2}', change=b'{"Limit":1}')[2] == MISMATCH, "changed body")
    check(send(endpoint, plain, "{}", service="s3")[2] == "Credential should be scoped to correct service: 'kinesis'.", "service")
    check(send(endpoint, plain, "{}", age=240)[0] == 200, "four minutes old")
    check(send(endpoint, plain, "{}", age=-240)[0] == 200, "four minutes ahead")
    status, code, message = send(endpoint, plain, "{}", age=360)
    check((status, code) == (400, "InvalidSignatureException") and message.startswith("Signature expired: "), message)
    status, code, message = send(endpoint, plain, "{}", age=-360)
    check((status, code) == (400, "InvalidSignatureException") and message.startswith("Signature not yet current: "), message)
    done("botocore's signer by header: body, service, time window")

    check(send(endpoint, query, "{}", expires=60) == (200, "", ""), "query form")
    check(send(endpoint, query, "{}", expires=600, age=500) == (200, "", ""), "query form, old and alive")
    check(send(endpoint, query, '{"Limit":2}', expires=600, change=b'{"Limit":1}')[2] == MISMATCH, "query form, changed body")
    status, code, message = send(endpoint, query, "{}", expires=60, age=500)
    check(code == "InvalidSignatureException" and message.startswith("Signature expired: "), message)
    done("botocore's signer by query")

    admin.delete_stream(StreamName=name)


if __name__ == "__main__":
    main()
