"""Single DES, the one primitive that deriving STS keys needs and the domain has not got [STS-53]."""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes


def des_encrypt(key: bytes, block: bytes) -> bytes:
    """Encrypt one block of eight octets, ECB without padding; ``DesEncrypt`` of the tokens' room.

    Triple DES under the same key three times is single DES. It protects nothing here: old meters' keys are derived so.
    """
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 - one block; the standard says so
    return encryptor.update(block) + encryptor.finalize()
