"""Which commands the proxy has to know by name."""

from __future__ import annotations

GEARS = frozenset(
    b"RG." + name
    for name in (
        b"PYEXECUTE GETRESULTS GETRESULTSBLOCKING DROPEXECUTION ABORTEXECUTION DUMPEXECUTIONS"
        b" GETEXECUTION DUMPREGISTRATIONS UNREGISTER TRIGGER TRIGGERONKEY CONFIGGET CONFIGSET"
        b" INFOCLUSTER REFRESHCLUSTER PYSTATS PYDUMPREQS PYEXPORTREQ PYIMPORTREQ NETWORKTEST"
        b" PAUSEREGISTRATIONS UNPAUSEREGISTRATIONS CLEARREGISTRATIONSSTATS PYDUMPSESSIONS"
        b" PYPROFILE DUMPPLUGINS PYEXECUTEREMOTE PYFREEINTERPRETER"
    ).split()
)
"""The commands that the worker knows; Redis itself answers to all others."""

RUNS_CODE = frozenset({b"RG.PYEXECUTE", b"RG.PYIMPORTREQ", b"RG.CONFIGSET"})
"""Commands for which the right to run scripts is asked for each time."""

TRIGGERS = frozenset({b"RG.TRIGGER", b"RG.TRIGGERONKEY"})
"""Commands that need no more than the right to run scripts that are loaded (EVALSHA)."""

SCRIPTS = frozenset(b"EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO".split())
"""Commands that may do anything, to any key."""

UNNAMED_KEYS = SCRIPTS | frozenset(b"SORT SORT_RO SCAN KEYS RANDOMKEY".split())
"""Commands that may touch keys, or find them expired, which are not among their words."""

RESCUES = frozenset({b"RG.DUMPEXECUTIONS", b"RG.GETEXECUTION", b"RG.ABORTEXECUTION"})
"""Commands that are answered while functions keep everybody back: these may go wrong."""

BLOCKING = frozenset(
    b"BLPOP BRPOP BLMOVE BRPOPLPUSH BZPOPMIN BZPOPMAX BLMPOP BZMPOP XREAD XREADGROUP WAIT WAITAOF"
    b" SUBSCRIBE PSUBSCRIBE SSUBSCRIBE MONITOR SYNC PSYNC".split()
)
"""Commands that may take for ever: nobody waits for their replies, but their own client."""

STREAMING = frozenset(b"SUBSCRIBE PSUBSCRIBE SSUBSCRIBE MONITOR SYNC PSYNC".split())
"""Those of them that are answered at once, and then again and again."""

STATEFUL = frozenset(b"MULTI EXEC DISCARD WATCH UNWATCH RESET HELLO AUTH CLIENT".split())

TELLING = frozenset({b"MODULE", b"COMMAND", b"INFO"})
"""Commands whose replies tell of Gears."""

WATCHED = BLOCKING | STATEFUL | TELLING


def always_special(name: bytes) -> bool:
    """Whether the proxy has to look at every command of a name, which is in capitals."""
    return name in WATCHED or name.startswith(b"RG.")
