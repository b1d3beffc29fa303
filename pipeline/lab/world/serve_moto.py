"""Serves much of AWS on a free port of 127.0.0.1, says the port on stdout, and ends with its standard input.

Arguments: the services that will be asked for, loaded first. Kinesis is mended, for resharding in moto 5.2.5 is not what AWS
does: a split puts its parent's records again, a merge copies those of both parents, and new ones go on going into closed shards. DynamoDB
does one call at a time, for moto's transactions would undo what others wrote meanwhile, and gets up to 100 items in one. It never says
TransactionConflict, and it knows a transaction's ClientRequestToken only if `tokens` is among the services.
"""

import sys
import threading
from collections import OrderedDict
from hashlib import md5

from moto.backends import get_backend
from moto.kinesis import models as kinesis
from moto.server import ThreadedMotoServer

TURN = threading.RLock()


def one_at_a_time(cls, name):
    """The server has a thread for each call; moto's shards do not expect that."""
    inner = getattr(cls, name)

    def call(self, *args, **kwargs):
        with TURN:
            return inner(self, *args, **kwargs)

    setattr(cls, name, call)


def open_shard_for_key(self, partition_key, explicit_hash_key):
    """A record goes into the open shard whose range has its hash."""
    place = int(explicit_hash_key) if explicit_hash_key else int(md5(partition_key.encode()).hexdigest(), 16)
    for shard in self.shards.values():
        if shard.is_open and shard.starting_hash <= place <= shard.ending_hash:
            return shard
    return None


def records_stay(name, parents):
    """A split or a merge leaves every record where it is."""
    inner = getattr(kinesis.Stream, name)

    def call(self, *args):
        kept = [(self.shards[shard], self.shards[shard].records) for shard in args[:parents]]
        for shard, _ in kept:
            shard.records = OrderedDict()
        try:
            inner(self, *args)
        finally:
            for shard, records in kept:
                shard.records = records

    setattr(kinesis.Stream, name, call)


def put_record(self, partition_key, data, explicit_hash_key):
    """Numbers go on when older records are no longer kept."""
    self.newest = getattr(self, "newest", 0) + 1
    self.records[self.newest] = kinesis.Record(partition_key, data, self.newest, explicit_hash_key)
    return str(self.newest)


def forget(inner):
    """Nothing ever grows old here: asking for a shorter retention takes away all that is there."""

    def call(self, stream_arn, stream_name, *args, **kwargs):
        inner(self, stream_arn, stream_name, *args, **kwargs)
        for shard in self.describe_stream(stream_arn=stream_arn, stream_name=stream_name).shards.values():
            shard.records.clear()

    return call


kinesis.Stream.get_shard_for_key = open_shard_for_key
kinesis.Shard.put_record = put_record
backend = kinesis.KinesisBackend
backend.decrease_stream_retention_period = forget(backend.decrease_stream_retention_period)
records_stay("split_shard", 1)
records_stay("merge_shards", 2)
for method in ("put_record", "put_records", "get_records", "split_shard", "merge_shards", "list_shards"):
    one_at_a_time(backend, method)

def mend_dynamodb(tokens):
    """What moto's DynamoDB does otherwise than AWS's; loaded only where it is asked for."""
    from moto.dynamodb import responses
    from moto.dynamodb.exceptions import DynamodbException

    handler = responses.DynamoHandler
    write, done = handler.transact_write_items, {}

    def write_once(self):
        """A transaction whose token was seen is not carried out again, and its token is for no other."""
        token, items = self.body.get("ClientRequestToken"), self.body["TransactItems"]
        if token not in done:
            result = write(self)
            done[token] = (items, result)
        if done[token][0] != items:
            raise DynamodbException("IdempotentParameterMismatchException", "This token was another transaction's")
        return done[token][1]

    if tokens:
        handler.transact_write_items = write_once
    responses.TRANSACTION_MAX_ITEMS = 100
    one_at_a_time(handler, "call_action")


services = [service for service in sys.argv[1:] if service != "tokens"]
if "dynamodb" in services:
    mend_dynamodb("tokens" in sys.argv[1:])
for service in services:
    get_backend(service)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
