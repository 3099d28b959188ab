"""A process with nothing but the standard library, that runs scripts as a server would.

It reads one script per line (as JSON) and answers with one line: the results in hexadecimal and
the type of each, or the error.  The builder is the least that does what scripts of redgrease ask.
"""

import asyncio
import inspect
import json
import sys
import traceback
import types


class GearsBuilder:
    def __init__(self, reader="KeysReader", defaultArg="*", desc=None):
        self.reader, self.default, self.desc = reader, defaultArg, desc
        self.steps = []

    def _step(self, name, function):
        if type(function) is not types.FunctionType:
            raise TypeError("%s argument must be a function" % name)
        self.steps.append((name, function))
        return self

    def map(self, function):
        return self._step("map", function)

    def filter(self, function):
        return self._step("filter", function)

    def foreach(self, function):
        return self._step("foreach", function)

    def accumulate(self, function):
        return self._step("accumulate", function)

    def run(self, arg=None, convertToStr=True, collect=True, **options):
        if convertToStr:
            self.map(lambda value: str(value))
        records = (arg or self.default)() if self.reader == "PythonReader" else [self.reader]
        for name, function in self.steps:
            records = getattr(self, "_" + name)(function, records)
        OUTPUT["results"] = list(records)
        OUTPUT["steps"] = [function.__name__ for _, function in self.steps]
        OUTPUT["options"] = dict(options, collect=collect)

    def register(self, prefix="*", convertToStr=True, collect=True, **options):
        self.run(convertToStr=convertToStr, collect=collect)
        on_registered = options.pop("onRegistered", None)
        if on_registered is not None:
            on_registered()
        OUTPUT["options"] = dict(options, prefix=prefix, collect=collect)

    def _map(self, function, records):
        for record in records:
            value = function(record)
            yield finished(value) if inspect.iscoroutine(value) else value

    def _filter(self, function, records):
        return filter(function, records)

    def _foreach(self, function, records):
        for record in records:
            function(record)
            yield record

    def _accumulate(self, function, records):
        value = None
        for record in records:
            value = function(value, record)
        yield value


def finished(coroutine):
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


OUTPUT = {}
LOG = []


def make_redisgears():
    module = types.ModuleType("redisgears")

    class GearsError(Exception):
        pass

    class Atomic:
        def __enter__(self):
            LOG.append("lock")
            return self

        def __exit__(self, *exception):
            LOG.append("unlock")

    def execute(command, *args):
        if command == "FAIL":
            raise GearsError("ERR no")
        return [command, *map(str, args)]

    def log(message, level="notice"):
        assert type(message) is str
        LOG.append([level, message])

    module.GearsError = GearsError
    module.atomicCtx = Atomic
    module.executeCommand = execute
    module.getMyHashTag = lambda: "06S"
    module.log = log
    return module


def respond(script):
    OUTPUT.clear()
    del LOG[:]
    redisgears = sys.modules["redisgears"]
    scope = {
        "__name__": "not_main",
        "GearsBuilder": GearsBuilder,
        "GB": GearsBuilder,
        "execute": redisgears.executeCommand,
        "configGet": lambda key: "value of " + key,
    }
    try:
        exec(compile(script, "<string>", "exec"), scope)
    except Exception as error:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        return {"error": "".join(lines)}
    results = OUTPUT.pop("results")
    answer = {"types": [type(result).__name__ for result in results], "log": LOG}
    answer["results"] = [
        result.hex() if isinstance(result, bytes) else result for result in results
    ]
    return dict(answer, **OUTPUT)


def main():
    sys.modules["redisgears"] = make_redisgears()
    for line in sys.stdin:
        print(json.dumps(respond(json.loads(line)), default=repr), flush=True)


if __name__ == "__main__":
    main()
