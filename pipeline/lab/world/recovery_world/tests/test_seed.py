"""One seed and one order of calls give one world."""

from recovery_world.tests.support import WorldTest


class SeedA(WorldTest):
    flags = ("--seed", "11", "--lag-ms", "1000:100000")
    seen = {}

    def test_ids_and_lag_come_from_the_seed(self):
        instance = self.launch()
        steps = 0
        while self.state(instance) == "pending":
            self.advance(10_000)
            steps += 1
        # The two classes run one after the other, and the later one compares.
        SeedA.seen.setdefault("first", (instance, steps))
        self.assertEqual(SeedA.seen["first"], (instance, steps))


class SeedB(SeedA):
    pass


class SeedOther(WorldTest):
    flags = ("--seed", "12")

    def test_another_seed_gives_other_ids(self):
        self.assertNotEqual(SeedA.seen.get("first", ("", 0))[0], self.launch())
