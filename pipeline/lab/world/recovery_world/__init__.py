"""Makes moto behave enough like AWS for a recovery executor to be tested against it over the wire.

`install` changes moto's classes for the whole process. One lock (`World.turn`) makes every call whole, one clock and one seeded
generator give every delay, and whatever is to happen later is a deed in the world's queue that the next call carries out.
"""

from recovery_world import addresses, checks, commands, groups, hiding, instances, interfaces, placement, root_volume, snapshots, tokens, volumes, wire
from recovery_world.world import WORLD


def install(seed, lag, hide):
    """Installs the world: delays of state and of visibility are drawn, in milliseconds, from the two ranges given."""
    WORLD.begin(seed, lag, hide)
    for part in (instances, interfaces, snapshots, volumes, addresses, checks, placement, root_volume, groups, commands, hiding):
        part.install()
    # Tokens come last, so that a remembered answer passes by every refusal: AWS gives it even where a new call would now fail.
    tokens.install()
    wire.install()
