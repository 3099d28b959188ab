"""Who may reach a server, and what may be installed on it."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from .wheels import normal

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)", re.DOTALL)
_VERSIONS = re.compile(r"(\[[\w\s,.-]*\])?\s*(\(?[<>=!~][\w\s<>=!~,.*+]*\)?)?\s*(;[^/\\@]*)?")
"""What may come behind a name: extras, versions, a marker; no options, paths or addresses."""


class AccessError(ValueError):
    """A server would be open to whoever reaches it, or its settings of access are wrong."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_login(url: str) -> str:
    """A URL of Redis as it may be shown: without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check_password(password: str | None, redis: str | None) -> None:
    """Refuse a password that would protect nothing.

    Args:
        password: What clients are to give.
        redis: URL of a Redis that runs already, which knows its passwords by itself.

    Raises:
        AccessError: Both are given.
    """
    if password and redis:
        raise AccessError(
            "a password (--password) is for a Redis that the server starts by itself; one that"
            " runs already (--redis) has its own: let that one ask for a password (requirepass)"
        )


def check_open(host: str, protected: bool) -> None:
    """Refuse to listen where anybody could run code.

    Args:
        host: The address to listen on.
        protected: Whether there is a password, or the user has said that none is wanted.

    Raises:
        AccessError: It can be reached from elsewhere, and nothing protects it.
    """
    if not is_loopback(host) and not protected:
        raise AccessError(
            f"whoever reaches {host} could run any Python code here; give a password"
            " (--password), or say that it is meant (--unprotected)"
        )


def tls_context(cert: str | None, key: str | None, ca: str | None) -> ssl.SSLContext | None:
    """What is needed to serve TLS.

    Args:
        cert: File with the server's certificate, and those between it and the root (PEM).
        key: File with its private key; by default that of the certificate.
        ca: File with the certificates of those who sign clients' certificates, which clients have
            to show then.

    Returns:
        The context; None without a certificate: no TLS.

    Raises:
        AccessError: A file cannot be used, or the certificate is missing.
    """
    if cert is None:
        if key or ca:
            raise AccessError("TLS needs a certificate (--tls-cert)")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    path = cert
    try:
        context.load_cert_chain(cert, key)
        if ca is not None:
            path = ca
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise AccessError(f"cannot use {path} for TLS: {error}") from None
    return context


@dataclass(frozen=True)
class InstallPolicy:
    """What pip may install for functions.

    Attributes:
        installs: Whether anything.
        allowed: The lines of the list; None allows everything.
    """

    installs: bool = True
    allowed: frozenset[str] | None = None

    @classmethod
    def parse(cls, text: str) -> InstallPolicy:
        """Read a setting.

        Args:
            text: ``on``, ``off``, or ``allow:FILE``, a file with a requirement in each line: a
                package's name, which allows all of its versions, or exactly what is asked for.

        Raises:
            AccessError: It is something else, or there is no such file.
        """
        if text in ("on", "off"):
            return cls(text == "on")
        kind, _, path = text.partition(":")
        if kind != "allow" or not path:
            raise AccessError(f"requirements are 'on', 'off' or 'allow:FILE', not {text!r}")
        try:
            with open(os.path.expanduser(path), encoding="utf-8") as file:
                lines = [line.partition("#")[0].strip() for line in file]
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"cannot read the allowed requirements: {error}") from None
        return cls(True, frozenset(_normal(line) for line in lines if line))

    def refused(self, requirements: Iterable[str]) -> str | None:
        """Tell why requirements may not be installed; None if they may."""
        names = list(requirements)
        if not self.installs and names:
            return f"this server installs no requirements: {', '.join(names)}"
        if self.allowed is not None:
            others = [name for name in names if not self._allows(name)]
            if others:
                return f"not among the requirements that this server allows: {', '.join(others)}"
        return None

    def _allows(self, requirement: str) -> bool:
        assert self.allowed is not None
        if _normal(requirement) in self.allowed:
            return True
        match = _NAME.fullmatch(requirement)
        if match is None or normal(match[1]) not in self.allowed:
            return False
        return _VERSIONS.fullmatch(match[2]) is not None


def _normal(requirement: str) -> str:
    """A requirement in the form in which it is compared."""
    match = _NAME.fullmatch(requirement)
    if match is None:
        return requirement.strip()
    return normal(match[1]) + re.sub(r"\s+", "", match[2])
