"""The server process that ``GearsServer`` starts: ``python -m redgrease.engine``.

Its options come as a line of JSON on standard input.  When the server answers, a line of JSON on
standard output tells its addresses; it ends when standard input is closed, so it never outlives
the process that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from .access import AccessError
from .supervisor import ServerOptions, Supervisor, run


async def serve_parent(supervisor: Supervisor) -> int:
    """Tell the parent the addresses, and wait until it is gone."""
    assert supervisor.proxy is not None
    ready = {
        "port": supervisor.proxy.port,
        "redis_url": supervisor.redis_url,
        "link": supervisor.link_path,
        "worker_pid": supervisor.worker_pid,
    }
    print(json.dumps(ready), flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    return 0


def main() -> int:
    """Run the server; returns its exit status."""
    os.umask(0o077)  # what is kept, and the sockets, are for this user alone
    try:
        return run(ServerOptions.from_json(sys.stdin.readline()), serve_parent)
    except (OSError, RuntimeError, AccessError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
