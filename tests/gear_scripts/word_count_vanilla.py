"""Count the words of all strings."""


def words(record):
    return record["value"].split()


GB("KeysReader").filter(lambda record: record["type"] == "string").flatmap(words).countby().run()
