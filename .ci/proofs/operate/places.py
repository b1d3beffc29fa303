"""Where a history lies: a folder, or a bucket of moto; each can be copied, and brought to where DuckDB reads it."""

import shutil


class Folder:
    """A history in a folder."""

    name = "local"

    def __init__(self, place, env):
        self.place, self.env = place, env

    def at(self, history):
        return str(self.place / history)

    def copy(self, old, new):
        self.remove(new)
        shutil.copytree(self.place / old, self.place / new)

    def remove(self, history):
        shutil.rmtree(self.place / history, ignore_errors=True)

    def fetch(self, history):
        return self.place / history

    def names(self, history):
        root = self.place / history
        return sorted(str(f.relative_to(root)) for f in root.rglob("*") if f.is_file())

    def read(self, history, name):
        return (self.place / history / name).read_bytes()

    def write(self, history, name, data):
        path = self.place / history / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Bucket:
    """A history in a bucket."""

    name = "s3"

    def __init__(self, place, env, s3, bucket="fleet"):
        self.place, self.env, self.s3, self.bucket = place, env, s3, bucket
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def at(self, history):
        return f"s3://{self.bucket}/{history}"

    def names(self, history):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{history}/")
        return sorted(o["Key"].removeprefix(f"{history}/") for page in pages for o in page.get("Contents", []))

    def read(self, history, name):
        return self.s3.get_object(Bucket=self.bucket, Key=f"{history}/{name}")["Body"].read()

    def write(self, history, name, data):
        self.s3.put_object(Bucket=self.bucket, Key=f"{history}/{name}", Body=data)

    def copy(self, old, new):
        self.remove(new)
        for name in self.names(old):
            self.s3.copy_object(Bucket=self.bucket, Key=f"{new}/{name}", CopySource=f"{self.bucket}/{old}/{name}")

    def remove(self, history):
        for name in self.names(history):
            self.s3.delete_object(Bucket=self.bucket, Key=f"{history}/{name}")

    def fetch(self, history):
        root = self.place / f"fetched-{history}"
        shutil.rmtree(root, ignore_errors=True)
        for name in self.names(history):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(history, name))
        return root
