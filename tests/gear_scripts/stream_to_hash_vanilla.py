"""Copy every message of the stream ``mystream`` into a hash named after its id."""


def store(message):
    pairs = [word for pair in message["value"].items() for word in pair]
    execute("HSET", message["id"], *pairs)


GB("StreamReader").foreach(store).register("mystream")
