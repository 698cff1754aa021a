"""Secrets at rest: AES-256-GCM under the master key, bound to the tenant they belong to."""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES: Final = 12
WEAK: Final = frozenset({"", "secret", "changeme", "password", "counterfoil"})
KEY_LENGTH_MIN: Final = 16


class MasterKeyRefused(Exception):
    """The master key is missing or too weak. Set COUNTERFOIL_MASTER_KEY to at least 16 random characters."""

    code = "master_key_refused"


class SecretUnreadable(Exception):
    """A stored secret can't be opened: the master key is another one, or the row was moved between tenants."""

    code = "secret_unreadable"


class SecretBox:
    """Seals and opens secrets. A box sealed for one tenant can't be opened for another."""

    def __init__(self, master_key: str, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        if master_key.lower() in WEAK or len(master_key) < KEY_LENGTH_MIN:
            raise MasterKeyRefused(str(MasterKeyRefused.__doc__))
        self._key = hashlib.sha256(b"counterfoil/secrets/" + master_key.encode()).digest()
        self._pepper = hashlib.sha256(b"counterfoil/keys/" + master_key.encode()).digest()
        self._random_bytes = random_bytes

    def seal(self, tenant: str, secret: str) -> bytes:
        """Encrypt a secret for a tenant."""
        nonce = self._random_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, secret.encode(), tenant.encode())

    def open(self, tenant: str, sealed: bytes) -> str:
        """Decrypt a secret of a tenant. Raises SecretUnreadable."""
        nonce, text = bytes(sealed[:NONCE_BYTES]), bytes(sealed[NONCE_BYTES:])
        try:
            return AESGCM(self._key).decrypt(nonce, text, tenant.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(str(SecretUnreadable.__doc__)) from error

    def hash_key(self, key: str) -> bytes:
        """Hash an API key for storage: keyed, so that a stolen table alone can't be searched."""
        return hmac.new(self._pepper, key.encode(), hashlib.sha256).digest()
