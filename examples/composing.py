"""Composing functions: parts that are written once, and combined as needed.

Run it against the embedded server::

    redgrease serve --port 0 -- python examples/composing.py

or against a Gears server that is already running (at localhost:6379, or at REDGREASE_URL).

A GearFunction is a value: each step makes a new one and leaves the old one unchanged.  So several
chains can share a beginning, and a Python function can add steps to any chain it is given.
"""

import os

import redgrease

r = redgrease.RedisGears.from_url(os.environ.get("REDGREASE_URL", "redis://localhost:6379"))

ORDERS = {
    "order:1": {"customer": "ann", "item": "tea", "price": 4, "country": "UK"},
    "order:2": {"customer": "bob", "item": "coffee", "price": 6, "country": "IT"},
    "order:3": {"customer": "ann", "item": "cake", "price": 9, "country": "UK"},
    "order:4": {"customer": "cat", "item": "coffee", "price": 5, "country": "UK"},
}

# --- Parts: all orders, and those from the UK.
orders = redgrease.KeysReader("order:*").values(type="hash")
british = orders.filter(lambda order: order["country"] == "UK")


def prices(function):
    """Continue with the prices."""
    return function.map(lambda order: int(order["price"]))


def by_customer(function):
    """Sum the prices of each customer's orders."""
    return function.aggregateby(
        lambda order: order["customer"],
        0,
        lambda customer, total, order: total + int(order["price"]),
        lambda customer, total, part: total + part,
    ).map(lambda group: (group["key"], group["value"]))


def audited(reader):
    """Record who orders something expensive."""
    return (
        reader.values()
        .filter(lambda order: int(order["price"]) > 100)
        .foreach(lambda order: redgrease.cmd.rpush("audit", order["customer"]))
    )


def main():
    """Combine them in several ways."""
    for key, order in ORDERS.items():
        r.hset(key, mapping=order)

    print("Orders:", orders.count().run(on=r))
    print("British orders:", british.count().run(on=r))
    print("Turnover:", prices(orders).aggregate(0, lambda total, price: total + price).run(on=r))
    print("British average:", prices(british).avg().run(on=r))
    # The server's order is ascending by default; it calls the other one `reverse=False`.
    print("Most expensive:", prices(orders).sort(reverse=False).limit(1).run(on=r))
    print("British customers:", sorted(by_customer(british).run(on=r)))

    # --- The same part after several readers: it gets the reader as an argument.
    registered = [
        audited(redgrease.KeysReader()).register("order:*", eventTypes=["hset"], mode="sync", on=r),
        audited(redgrease.StreamReader()).register("orders", mode="sync", on=r),
    ]
    r.hset("order:5", mapping={"customer": "dan", "item": "gold", "price": 900, "country": "CH"})
    r.xadd("orders", {"customer": "eve", "item": "silver", "price": 300, "country": "CH"})
    r.xadd("orders", {"customer": "fay", "item": "iron", "price": 20, "country": "CH"})
    print("To be audited:", [name.decode() for name in r.lrange("audit", 0, -1)])
    for function in registered:
        function.unregister()
    r.delete("audit", "orders", "order:5", *ORDERS)


if __name__ == "__main__":
    main()
