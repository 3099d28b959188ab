"""A stream processor: payments in streams become balances of accounts.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/transactions.py

or against a Gears server that is already running (at localhost:6379, or at REDGREASE_URL).

Every message of a stream ``transactions:...`` is a payment.  The function moves the money between
two accounts, completely or not at all; payments that are impossible go to another stream, with
the reason.

After a restart, a server may process a message again.  So each payment has a number, and each
number is handled only once.  All writes are inside ``redgrease.atomic()``, so that nobody sees
only some of them.  (If the server dies in the middle of the block, the writes made so far remain.)

In a cluster, a function reaches only keys of its own shard.  There, streams and accounts that
belong together need a common hash tag, such as ``transactions:{uk}:monday``.
"""

import os
import time

import redgrease

ACCOUNTS = {"alice": 100, "bob": 20, "carol": 0}
PAYMENTS = [
    ("monday", {"number": 1, "from": "alice", "to": "bob", "amount": 30}),
    ("monday", {"number": 2, "from": "bob", "to": "carol", "amount": 45}),
    ("tuesday", {"number": 3, "from": "carol", "to": "alice", "amount": 5}),
    ("tuesday", {"number": 4, "from": "carol", "to": "alice", "amount": 500}),
    ("tuesday", {"number": 3, "from": "carol", "to": "alice", "amount": 5}),  # sent twice
    ("tuesday", {"number": 5, "from": "alice", "amount": "much"}),
]

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))


def flaw(payment):
    """What is wrong with the payment itself; None if nothing is."""
    missing = [name for name in ("from", "to", "amount") if not payment.get(name)]
    if missing:
        return f"no {missing[0]!r}"
    if not payment["amount"].isdecimal() or not 0 < int(payment["amount"]) < 10**15:
        return "not an amount"
    if payment["from"] == payment["to"]:
        return "nothing to move"
    return None


def obstacle(payment):
    """Why a correct payment cannot be made at the moment; None if it can."""
    balance = redgrease.cmd.hget(f"account:{payment['from']}", "balance")
    if balance is None or not redgrease.cmd.exists(f"account:{payment['to']}"):
        return "no such account"
    return "not enough money" if int(balance) < int(payment["amount"]) else None


def process(message):
    """Make or reject one payment, unless it was handled before."""
    payment = message["value"]
    number = payment.get("number", message["id"])
    with redgrease.atomic():
        if redgrease.cmd.sismember("payments:seen", number):
            return
        reason = flaw(payment) or obstacle(payment)
        # Up to here nothing was written, so whatever goes wrong, nothing has changed.
        redgrease.cmd.sadd("payments:seen", number)
        if reason is None:
            amount = int(payment["amount"])
            redgrease.cmd.hincrby(f"account:{payment['from']}", "balance", -amount)
            redgrease.cmd.hincrby(f"account:{payment['to']}", "balance", amount)
        else:
            redgrease.cmd.xadd("payments:rejected", {**payment, "reason": reason})


# Several payments at a time, but none later than 10 milliseconds after it was sent.
processor = redgrease.StreamReader().foreach(process)
processor = processor.register("transactions:*", batch=100, duration=10)


def wait_until_processed(streams, seconds=30):
    """Wait until streams are empty: processed messages leave them."""
    deadline = time.monotonic() + seconds
    while any(r.xlen(stream) for stream in streams):
        if time.monotonic() > deadline:
            raise TimeoutError("the payments have not been processed")
        time.sleep(0.001)


def clean_up():
    """Delete all keys of this example."""
    r.delete("payments:seen", "payments:rejected")
    r.delete(*(f"account:{name}" for name in ACCOUNTS))
    r.delete(*(f"transactions:{day}" for day, _ in PAYMENTS))


def main():
    """Register the processor, make some payments, and look at the accounts."""
    clean_up()
    registered = processor.on(r, replace=True)
    for name, balance in ACCOUNTS.items():
        r.hset(f"account:{name}", "balance", balance)
    for day, payment in PAYMENTS:
        r.xadd(f"transactions:{day}", payment)
        wait_until_processed([f"transactions:{day}"])

    for name in ACCOUNTS:
        print(f"{name}: {int(r.hget(f'account:{name}', 'balance'))}")
    for _, rejected in r.xrange("payments:rejected"):
        print(f"rejected: payment {int(rejected[b'number'])}, {rejected[b'reason'].decode()}")
    print("failures:", registered.refresh().statistics.numFailures)
    registered.unregister()
    clean_up()


if __name__ == "__main__":
    main()
