"""Estimate pi: throw darts at a square, and see how many hit the circle in it."""

import random

DARTS = 20000


def throw(shard):
    generator = random.Random("%s" % shard)
    hits = 0
    for _ in range(DARTS):
        x, y = generator.random(), generator.random()
        hits += x * x + y * y <= 1
    return (DARTS, hits)


GB("ShardsIDReader").map(throw).aggregate(
    (0, 0),
    lambda total, one: (total[0] + one[0], total[1] + one[1]),
    lambda total, one: (total[0] + one[0], total[1] + one[1]),
).map(lambda total: 4 * total[1] / total[0]).run()
