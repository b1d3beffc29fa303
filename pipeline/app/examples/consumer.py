#!/usr/bin/env python3
"""Reads forewarn's announcements, drops repeats, and prints each once.

    consumer.py events.jsonl                  the JSON Lines file (standard library only)
    consumer.py --queue URL [--once]          an SQS queue fed by an EventBridge rule (needs boto3)

A rule that chooses what is urgent:
    {"source": ["forewarn"], "detail": {"confidence": ["high"]}}

Both carry the same detail. `detail.event_id` stays the same however often an event is delivered: it is kept with --seen FILE, so
that a repeat is dropped after a restart too. `detail.event_type` names the JSON Schema of the rest of the detail.
"""

import argparse
import json
import sys


class Seen:
    """The ids that were dealt with, in a file of one a line where one is given."""

    def __init__(self, path):
        self.ids, self.file = set(), None
        if path:
            self.file = open(path, "a+", encoding="utf-8")
            self.file.seek(0)
            self.ids.update(line.strip() for line in self.file)

    def add(self, event_id):
        self.ids.add(event_id)
        if self.file:
            self.file.write(event_id + "\n")
            self.file.flush()


def about(detail):
    """The instance, or the workload and how many of its instances."""
    if "members" in detail:
        return f"{detail['workload']} ({len(detail['members'])} instances)"
    return detail.get("instance_id", "-")


def deal_with(event, seen):
    """Prints an event that is new. Whatever you do instead, do it before the id is added."""
    detail = event["detail"]
    if event["source"] != "forewarn" or detail["event_id"] in seen.ids:
        return
    words = [event["time"], detail.get("confidence", "-"), event["detail-type"], about(detail), detail["event_id"]]
    if detail.get("trimmed"):
        words.append("trimmed: " + ", ".join(detail["trimmed"]))
    print("  ".join(words), flush=True)
    seen.add(detail["event_id"])


def read_file(path, seen):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            # A line without its end is being written: it comes whole next time.
            if line.endswith("\n"):
                deal_with(json.loads(line), seen)


def read_queue(url, seen, once):
    import boto3

    queue = boto3.client("sqs")
    while True:
        wait = 1 if once else 20
        reply = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        messages = reply.get("Messages", [])
        for message in messages:
            try:
                deal_with(json.loads(message["Body"]), seen)
            except (ValueError, KeyError, TypeError) as e:
                # Not ours: it stays, and the queue's own dead-letter rule takes it away.
                print(f"{message['MessageId']}: not an announcement: {e!r}", file=sys.stderr)
                continue
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if once and not messages:
            return


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", help="the JSON Lines file")
    arguments.add_argument("--queue", metavar="URL", help="the SQS queue")
    arguments.add_argument("--once", action="store_true", help="end when the queue is empty")
    arguments.add_argument("--seen", metavar="FILE", help="where the ids dealt with are kept")
    given = arguments.parse_args()
    if bool(given.file) == bool(given.queue):
        arguments.error("give a file or --queue URL")
    seen = Seen(given.seen)
    if given.file:
        read_file(given.file, seen)
    else:
        read_queue(given.queue, seen, given.once)


if __name__ == "__main__":
    main()
