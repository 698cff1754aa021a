"""Secrets at rest: AES-256-GCM under a master key, bound to the tenant they belong to.

A box says under which key it was sealed, by the key's name, so that several keys may be in use while one replaces
another: the first of them seals, all of them open.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FORMAT: Final = b"\x01"
NAME_BYTES: Final = 8
NONCE_BYTES: Final = 12
HEAD_BYTES: Final = len(FORMAT) + NAME_BYTES
WEAK: Final = frozenset({"", "secret", "changeme", "password", "counterfoil"})
KEY_LENGTH_MIN: Final = 16


class MasterKeyRefused(Exception):
    """The master key is missing or too weak. Set COUNTERFOIL_MASTER_KEY to at least 16 random characters."""

    code = "master_key_refused"


class SecretUnreadable(Exception):
    """A stored secret can't be opened: the master key is another one, or the row was moved between tenants."""

    code = "secret_unreadable"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key. Its name tells it from others and gives nothing of it away."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if self.text.lower() in WEAK or len(self.text) < KEY_LENGTH_MIN:
            raise MasterKeyRefused(str(MasterKeyRefused.__doc__))

    @property
    def name(self) -> str:
        """What the key is called in boxes and messages."""
        return self.derived("name")[:NAME_BYTES].hex()

    def derived(self, purpose: str) -> bytes:
        """Give the key for one purpose, from which none for another can be learned."""
        return hashlib.sha256(f"counterfoil/{purpose}/{self.text}".encode()).digest()


class SecretBox:
    """Seals and opens secrets. A box sealed for one tenant can't be opened for another.

    `master_keys` are separated by commas. Raises MasterKeyRefused when one of them is too weak.
    """

    def __init__(self, master_keys: str, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        given = [text.strip() for text in master_keys.split(",")]
        self._keys = tuple(MasterKey(text) for text in given if text) or (MasterKey(""),)
        self._ciphers = {each.name: AESGCM(each.derived("secrets")) for each in self._keys}
        self._random_bytes = random_bytes

    @property
    def name(self) -> str:
        """The name of the key that seals."""
        return self._keys[0].name

    @property
    def names(self) -> frozenset[str]:
        """The names of the keys that open."""
        return frozenset(self._ciphers)

    @property
    def head(self) -> bytes:
        """What a box sealed by this one begins with."""
        return FORMAT + bytes.fromhex(self.name)

    def seal(self, tenant: str, secret: str) -> bytes:
        """Encrypt a secret for a tenant."""
        nonce = self._random_bytes(NONCE_BYTES)
        return self.head + nonce + self._ciphers[self.name].encrypt(nonce, secret.encode(), tenant.encode())

    def open(self, tenant: str, sealed: bytes) -> str:
        """Decrypt a secret of a tenant. Raises SecretUnreadable."""
        rest = bytes(sealed[HEAD_BYTES:])
        cipher = self._ciphers.get(bytes(sealed[len(FORMAT) : HEAD_BYTES]).hex())
        try:
            if cipher is None or bytes(sealed[: len(FORMAT)]) != FORMAT:
                raise ValueError("not a box, or one under another key")
            return cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], tenant.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(str(SecretUnreadable.__doc__)) from error

    def fresh(self) -> str:
        """Give a new secret of 256 random bits."""
        return self._random_bytes(32).hex()

    def derived(self, purpose: str) -> tuple[bytes, ...]:
        """Give the keys for one purpose, the newest first."""
        return tuple(each.derived(purpose) for each in self._keys)


def hash_key(pepper: str, key: str) -> bytes:
    """Hash an API key for storage: keyed with a secret of its tenant, so that nobody can write a hash of their own."""
    return hmac.new(pepper.encode(), key.encode(), hashlib.sha256).digest()
