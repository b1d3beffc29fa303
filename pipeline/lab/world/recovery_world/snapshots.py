"""Snapshots take time, may end in `error`, and give no volume before they are completed.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshot.html
"""

from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot

from recovery_world.patch import around, refuse
from recovery_world.world import WORLD


def install():
    """Puts the lag under the models, so that images and copies meet it too."""
    around(EBSBackend, "create_snapshot")(created)
    around(EBSBackend, "copy_snapshot")(created)
    around(EBSBackend, "create_volume")(volume_from_snapshot)
    Snapshot.progress = property(lambda snapshot: "100%" if snapshot.status == "completed" else "0%")


def created(inner, backend, *args, **kwargs):
    """Makes a snapshot that is pending for its time and then completed, or in error."""
    snapshot = inner(backend, *args, **kwargs)
    WORLD.born(snapshot.id)
    snapshot.start_time = WORLD.date()
    end = "error" if WORLD.script.take("snapshot_error", volume=snapshot.volume.id) else "completed"
    snapshot.status = "pending"
    WORLD.later(WORLD.draw("lag"), lambda: setattr(snapshot, "status", end))
    return snapshot


def volume_from_snapshot(inner, backend, *args, **kwargs):
    """Makes a volume, hidden for its time, unless its snapshot has nothing to give yet."""
    source = kwargs.get("snapshot_id")
    status = backend.get_snapshot(source).status if source else "completed"
    if status != "completed":
        refuse("IncorrectState", f"Snapshot is in invalid state - {status}")
    volume = inner(backend, *args, **kwargs)
    WORLD.born(volume.id)
    return volume
