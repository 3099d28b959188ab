"""RedisGears 1.0.6 as far as registering goes, on a real socket: no named sessions, no options."""

import base64
import re
import sys
import zlib
from typing import Any, Dict, List

from redgrease.shipping.loader import Unpickler
from support.scripted import Error, ScriptedServer, Status

_PLAN = re.compile(r"(zlib\.decompress\()?base64\.b64decode\('([^']*)'\)")
DUPLICATE = "['Traceback (most recent call last):\\n', 'spam.error: trigger already registered\\n']"


def steps_of(script: str) -> List[Any]:
    """The steps in a script that redgrease has made."""
    packed, plan = _PLAN.findall(script)[-1]
    data = base64.b64decode(plan)
    steps: List[Any] = Unpickler(zlib.decompress(data) if packed else data, {}).load()
    return steps


class OldGears(ScriptedServer):
    """A server without named sessions.

    Attributes:
        registered: The steps of what is registered, by the number of the registration.
        broken: Whether scripts fail from now on.
    """

    version = 10006

    def __init__(self) -> None:
        super().__init__()
        self.registered: Dict[int, List[Any]] = {}
        self.broken = False
        self._number = 0
        self.on("RG.PYEXECUTE", self._pyexecute)
        self.on("RG.UNREGISTER", self._unregister)
        self.on("RG.DUMPREGISTRATIONS", lambda words: list(map(self._entry, self.registered)))
        self.on("MODULE LIST", [[b"name", b"rg", b"ver", self.version]])

    def _pyexecute(self, words: Any) -> Any:
        if len(words) > 2:
            return Error("Extra unkown arguments was given.")
        script = words[1].decode()
        if "version_info))" in script:
            return [[str(tuple(sys.version_info))], []]
        steps = steps_of(script)
        trigger = steps[-1][2].get("trigger")
        taken = [other[-1][2].get("trigger") for other in self.registered.values()]
        if trigger is not None and trigger in taken:
            return Error(DUPLICATE)
        if self.broken:
            return Error("['Traceback\\n', 'ValueError: broken\\n']")
        self.registered[self._number] = steps
        self._number += 1
        return Status("OK")

    def _unregister(self, words: Any) -> Any:
        number = int(words[1].rpartition(b"-")[2])
        if self.registered.pop(number, None) is None:
            return Error("execution does not registered")
        return Status("OK")

    def _entry(self, number: int) -> List[Any]:
        steps = self.registered[number]
        (_, (reader, _, desc), _), (_, (prefix,), options) = steps[0], steps[-1]
        own = {
            "KeysReader": ["regex", prefix, "eventTypes", None, "keyTypes", None],
            "StreamReader": ["batchSize", 1, "durationMS", 0, "stream", prefix],
            "CommandReader": ["trigger", options.get("trigger")],
        }[reader]
        figures = ["mode", options["mode"], "numTriggered", 0, "numSuccess", 0, "numFailures", 0]
        figures += ["numAborted", 0, "lastError", None, "args", own]
        return ["id", f"{'0' * 40}-{number}", "reader", reader, "desc", desc,
                "RegistrationData", figures,
                "PD", f"{{'sessionId':'{'0' * 40}-{number}', 'depsList':[]}}"]  # fmt: skip
