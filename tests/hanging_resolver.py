"""Both clients of the agent in front of a name server that never answers: for a namespace alone.

`unshare --net --mount python -m tests.hanging_resolver DIRECTORY` replaces the resolver's
configuration in its own mount namespace and prints what happened as JSON.
"""

import fcntl
import json
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from agent.central_client import CentralClient
from agent.oci_auth import OciAuth
from agent.oci_client import Credentials, Means, OciClient
from agent.oci_pools import OciPools
from agent.patience import Pace
from agent.pools import PoolRef
from agent.throttle import TokenBucket
from shared.wire import Heartbeat
from simulator.keys import generate

SIOCGIFFLAGS, SIOCSIFFLAGS, UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """A new network namespace has a loopback that is down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh14x", b"lo", 0))
        now = struct.unpack("16sh14x", flags)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", now | UP))


def mute_names(home: Path) -> socket.socket:
    """Let every name be asked of a socket that never answers; return it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    for name, text in (
        ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:20 attempts:2\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ):
        (home / name).write_text(text)
        subprocess.run(["mount", "--bind", home / name, f"/etc/{name}"], check=True)
    return server


def timed(job: Callable[[], object]) -> dict[str, Any]:
    begin = time.monotonic()
    try:
        job()
    except Exception as error:  # noqa: BLE001 # whatever it is, is told
        told = f"{type(error).__name__}: {error}"
    else:
        told = "it was answered"
    return {"seconds": round(time.monotonic() - begin, 1), "told": told}


def wall() -> datetime:
    return datetime.now(UTC)


def pools(home: Path) -> OciPools:
    key = generate(home, region="eu-frankfurt-1")
    auth = OciAuth("config_file", str(key.config_file))
    bucket = TokenBucket(100, 100, time.monotonic, time.sleep)
    pace = Pace(time.monotonic, lambda _: False, random.Random(1), bucket, bucket)
    credentials = Credentials(auth, wall, time.monotonic)
    return OciPools(OciClient(Means(credentials, "https://iaas.poolkeeper.example", wall, pace)))


def main(home: Path) -> None:
    raise_loopback()
    reader, writer = pools(home / "reader"), pools(home / "writer")
    http = httpx.Client(trust_env=False)
    central = CentralClient(
        http, "https://central.poolkeeper.example", lambda: "key", time.monotonic, wall
    )
    beat = Heartbeat(
        agent_version="1", stream_id="stream-1", boot_id="boot-0001", sequence=1, sent_at=wall()
    )
    ref = PoolRef("ocid1.instancepool.oc1..web", "ocid1.compartment.oc1..c", "eu-frankfurt-1")
    with mute_names(home):
        by_itself = threading.Thread(
            target=timed, args=(lambda: socket.getaddrinfo("poolkeeper.example", 443),), daemon=True
        )
        by_itself.start()
        told = {
            "read": timed(lambda: reader.get(ref)),
            "write": timed(lambda: writer.resize(ref, 3, etag="e", token="t")),
            "central": timed(lambda: central.post(beat)),
            "the system waits still": by_itself.is_alive(),
        }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
