"""Refuse what would leave this machine, in every Python that the tests start; loopback stays, for ranks and pipes.

Python imports a module of this name at its start wherever it stands on PYTHONPATH: `tests/conftest.py` puts it there.
"""

import ipaddress
import socket
import sys

_NAMES = {None, "", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()}
_HOST_IN = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def stays_here(host: object) -> bool:
    """Tell whether a host's name or address is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return name in _NAMES or ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Raise where an event of Python's audit log names another machine."""
    if event not in _HOST_IN:
        return
    place = arguments[_HOST_IN[event]]
    if event in ("socket.connect", "socket.sendto"):
        if not isinstance(place, tuple):  # a Unix socket's path
            return
        place = place[0]
    if not stays_here(place):
        raise PermissionError(f"{event}: {place!r} is not this machine, and tests use no network")


sys.addaudithook(refuse)
