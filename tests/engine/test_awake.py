"""The loop stays awake for answers that come soon."""

import asyncio

import pytest

from redgrease.engine.awake import Awake
from redgrease.engine.eager import POSSIBLE

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="there is a single processor")


async def calm(awake):
    """Wait until it has stopped turning the loop."""
    while awake.turning:
        await asyncio.sleep(0)


def in_loop(test):
    def run():
        asyncio.run(test())

    return run


@in_loop
async def test_the_loop_turns_until_it_was_long_enough():
    awake = Awake()
    assert not awake.turning
    awake.ask()
    assert awake.turning
    await calm(awake)


@in_loop
async def test_the_loop_turns_on_for_a_moment_after_an_answer():
    awake = Awake()
    awake.ask()
    awake.answered()
    assert awake.turning
    await calm(awake)


@in_loop
async def test_it_is_given_up_where_answers_take_long():
    awake = Awake()
    for _ in range(20):
        awake.ask()
        await calm(awake)
        awake.forget()
    awake.ask()
    assert not awake.turning


@in_loop
async def test_it_is_taken_up_again_where_they_come_soon():
    awake = Awake()
    for _ in range(20):
        awake.ask()
        await calm(awake)
        awake.forget()
    # One that comes at once, unless the machine is in the way.
    while not awake.turning:
        awake.ask()
        awake.answered()
    await calm(awake)


@in_loop
async def test_it_is_not_done_where_there_is_more_to_do():
    awake = Awake()
    awake.ask()
    awake.ask()
    await calm(awake)
    awake.forget()
    awake.ask()
    assert awake.turning
    awake.ask()
    await asyncio.sleep(0)
    assert not awake.turning
