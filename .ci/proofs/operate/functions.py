"""Lambda functions without Lambda: the runtime API on loopback, containers that die when they are told to, and what a mapping hands over."""

import base64
import http.server
import json
import signal
import subprocess
import threading
import time

from proofs import kit
from proofs.kit import Short

# How long an invocation may take, seconds.
TIMEOUT = 120


class Container:
    """One container of a function: a runtime API of its own, and a process that is started when it is asked for."""

    def __init__(self, handler, env, log):
        self.handler, self.env, self.log = handler, env, log
        self.child, self.event, self.reply, self.number = None, None, None, 0
        self.turn = threading.Condition()
        container = self

        class Api(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                number, event = container.next()
                if event is None:
                    return
                body = json.dumps(event).encode()
                self.send_response(200)
                deadline = int((time.time() + TIMEOUT) * 1000)
                for name, value in {
                    "Lambda-Runtime-Aws-Request-Id": f"r-{number}", "Lambda-Runtime-Deadline-Ms": deadline, "Lambda-Runtime-Trace-Id": "Root=1",
                    "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:eu-central-1:123456789012:function:{container.handler}",
                    "Content-Type": "application/json", "Content-Length": len(body),
                }.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                container.answer(self.path, body)
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.server.daemon_threads = True
        # A process that was killed resets its connections.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        """Waits for an event on behalf of a process; nothing once that process has gone."""
        child = self.child
        with self.turn:
            while self.event is None:
                self.turn.wait(0.5)
                if self.child is not child or child is None or child.poll() is not None:
                    return 0, None
            event, self.event = self.event, None
            return self.number, event

    def answer(self, path, body):
        with self.turn:
            if f"/r-{self.number}/" in path:
                self.reply = (path.rsplit("/", 1)[1], body)
                self.turn.notify_all()

    def start(self, crash):
        host, port = self.server.server_address
        env = kit.CLEAN | self.env | {
            "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}", "_HANDLER": f"bootstrap.{self.handler}", "AWS_LAMBDA_FUNCTION_NAME": self.handler, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": f"{self.handler}-{id(self)}-{self.number}",
        }
        if crash:
            env |= {"FOREWARN_CRASH_AT": crash, "FOREWARN_CRASH_SIGNAL": "KILL"}
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([str(kit.binary())], env={k: str(v) for k, v in env.items()}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def invoke(self, event, crash=None, kill_after=None):
        """Gives ("response" or "error", its document), or ("killed", None) where the process was: by itself at a crash point, or from outside."""
        if crash or self.child is None or self.child.poll() is not None:
            self.stop()
            self.start(crash)
        begun = time.time()
        with self.turn:
            self.number += 1
            self.event, self.reply = event, None
            self.turn.notify_all()
        while True:
            with self.turn:
                if self.reply is None:
                    self.turn.wait(0.02)
                if self.reply is not None:
                    return self.reply[0], json.loads(self.reply[1] or b"null")
            if kill_after is not None and time.time() - begun > kill_after:
                self.child.kill()
            if (code := self.child.poll()) is not None:
                with self.turn:
                    self.event = None
                if code == -signal.SIGKILL:
                    return "killed", None
                raise Short(f"the handler {self.handler} ended by itself with {code}; see {self.log}")
            if time.time() - begun > TIMEOUT:
                raise Short(f"the handler {self.handler} did not answer within {TIMEOUT} s; see {self.log}")

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.server.shutdown()


def kinesis_event(shard, records):
    """What an event source mapping hands over."""
    item = lambda r: {
        "eventSource": "aws:kinesis", "eventID": f"{shard}:{r['SequenceNumber']}",
        "kinesis": {
            "sequenceNumber": r["SequenceNumber"], "partitionKey": r["PartitionKey"], "data": base64.b64encode(r["Data"]).decode(),
            "approximateArrivalTimestamp": r["ApproximateArrivalTimestamp"].timestamp(),
        },
    }
    return {"Records": [item(r) for r in records]}


def records_of(kinesis, stream):
    """Gives all records of a stream, by shard."""
    found = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records = []
        while True:
            page = kinesis.get_records(ShardIterator=iterator, Limit=1000)
            records += page["Records"]
            iterator = page["NextShardIterator"]
            if not page["Records"]:
                break
        found[shard["ShardId"]] = records
    return found


def download(s3, bucket, prefix, place):
    """Copies what lies under a prefix of a bucket into a directory."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            path = place / item["Key"].removeprefix(prefix).lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())


__all__ = ["Container", "download", "kinesis_event", "records_of"]
