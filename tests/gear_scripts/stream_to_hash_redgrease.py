"""Copy every message of the stream ``mystream`` into a hash named after its id."""

from redgrease import StreamReader, cmd

StreamReader().foreach(lambda message: cmd.hset(message["id"], mapping=message["value"])).register(
    "mystream"
)
