"""A stream processor: payments in streams become balances of accounts.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/transactions.py

or against a Gears server that listens already (localhost:6379, or what REDGREASE_URL says).

Every message of a stream ``transactions:...`` is a payment.  The function moves the money between
two accounts, at once or not at all; what cannot be paid goes to another stream, with the reason.
A stream is processed at least once: so each payment carries a number, and is noted when it is made.
"""

import os
import time

import redgrease

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))


def problem(payment):
    """What is wrong with a payment, if anything."""
    try:
        amount = int(payment["amount"])
    except (KeyError, ValueError):
        return "no amount"
    if amount <= 0:
        return "not a positive amount"
    if payment.get("from") == payment.get("to"):
        return "nothing to move"
    balance = int(redgrease.cmd.hget(f"account:{payment['from']}", "balance") or 0)
    return "not enough money" if balance < amount else None


def pay(message):
    """Make one payment."""
    payment = message["value"]
    with redgrease.atomic():  # nobody sees the money on neither or both of the accounts
        if not redgrease.cmd.sadd("payments:made", payment.get("number", message["id"])):
            return "made before"
        reason = problem(payment)
        if reason is not None:
            redgrease.cmd.xadd("payments:rejected", {**payment, "reason": reason})
            return reason
        redgrease.cmd.hincrby(f"account:{payment['from']}", "balance", -int(payment["amount"]))
        redgrease.cmd.hincrby(f"account:{payment['to']}", "balance", int(payment["amount"]))
    return "made"


def main():
    """Register the processor, make some payments, and look at the accounts."""
    for key in r.scan_iter("account:*"):
        r.delete(key)
    r.delete("payments:made", "payments:rejected", "transactions:monday", "transactions:tuesday")
    for name, balance in (("alice", 100), ("bob", 20), ("carol", 0)):
        r.hset(f"account:{name}", "balance", balance)

    processor = redgrease.StreamReader().map(pay).register("transactions:*", on=r)

    payments = [
        ("monday", 1, "alice", "bob", 30),
        ("monday", 2, "bob", "carol", 45),
        ("tuesday", 3, "carol", "alice", 5),
        ("tuesday", 4, "carol", "alice", 500),  # more than there is
        ("tuesday", 3, "carol", "alice", 5),  # sent twice
    ]
    for day, number, giver, taker, amount in payments:
        r.xadd(
            f"transactions:{day}",
            {"number": number, "from": giver, "to": taker, "amount": amount},
        )
        while r.xlen(f"transactions:{day}"):  # processed messages leave the stream
            time.sleep(0.001)

    for name in ("alice", "bob", "carol"):
        print(f"{name}: {int(r.hget(f'account:{name}', 'balance'))}")
    for _, rejected in r.xrange("payments:rejected"):
        print(f"rejected: payment {int(rejected[b'number'])}, {rejected[b'reason'].decode()}")
    print("failures:", processor.refresh().statistics.numFailures)
    processor.unregister()


if __name__ == "__main__":
    main()
