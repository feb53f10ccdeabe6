"""Makes the keys and the tokens of a NATS server in operator mode, as `nk` and `nsc` do. Needs openssl for the signatures."""

import base64
import hashlib
import json
import os
import subprocess
import tempfile
import time

# The first letter of a public key, as the top five bits of its first byte.
PREFIXES = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
SEED_PREFIX = 18 << 3
# What comes before the 32 bytes of an Ed25519 key in PKCS #8 and in its public form.
PRIVATE_DER, PUBLIC_DER = bytes.fromhex("302e020100300506032b657004220420"), bytes.fromhex("302a300506032b6570032100")
EVERYTHING = {"subs": -1, "data": -1, "payload": -1}


def checksum(data):
    """CRC-16/XMODEM."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc.to_bytes(2, "little")


def text_of(data):
    return base64.b32encode(data + checksum(data)).decode().rstrip("=")


def unpadded(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    """The key of an operator, an account or a user."""

    def __init__(self, kind):
        self.kind, self.secret = kind, os.urandom(32)
        prefix = PREFIXES[kind]
        self.seed = text_of(bytes([SEED_PREFIX | prefix >> 5, (prefix & 31) << 3]) + self.secret)
        public = self.openssl("pkey", "-pubout", "-outform", "DER")
        assert public.startswith(PUBLIC_DER)
        self.public = text_of(bytes([prefix]) + public[len(PUBLIC_DER):])

    def openssl(self, *arguments):
        with tempfile.NamedTemporaryFile() as file:
            file.write(PRIVATE_DER + self.secret)
            file.flush()
            key = ["-keyform" if arguments[0] == "pkeyutl" else "-inform", "DER"]
            name = "-inkey" if arguments[0] == "pkeyutl" else "-in"
            return subprocess.run(["openssl", *arguments, *key, name, file.name], check=True, capture_output=True).stdout

    def token(self, about, more, expires=None):
        """Returns a JWT about another key, or about this one."""
        claims = {"iat": int(time.time()), "iss": self.public, "sub": about.public, "name": about.kind}
        claims |= {"exp": expires} if expires else {}
        claims["nats"] = {"type": about.kind, "version": 2, **more}
        claims["jti"] = base64.b32encode(hashlib.sha256(json.dumps(claims).encode()).digest()).decode().rstrip("=")
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, claims]
        signed = ".".join(unpadded(json.dumps(part).encode()) for part in parts)
        with tempfile.NamedTemporaryFile() as message:
            message.write(signed.encode())
            message.flush()
            signature = self.openssl("pkeyutl", "-sign", "-rawin", "-in", message.name)
        return f"{signed}.{unpadded(signature)}"


def credentials(account, expires=None):
    """Returns the text of a file with the credentials of a new user."""
    user = Key("user")
    token = account.token(user, {"pub": {}, "sub": {}, **EVERYTHING}, expires)
    return (
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )


def operator_mode(account):
    """Returns the configuration of a server that knows this account, which may use JetStream."""
    operator, system = Key("operator"), Key("account")
    limits = {**EVERYTHING, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
    storage = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    return (
        f"operator: {operator.token(operator, {})}\nsystem_account: {system.public}\nresolver: MEMORY\n"
        f"resolver_preload: {{\n  {account.public}: {operator.token(account, {'limits': {**limits, **storage}})}\n"
        f"  {system.public}: {operator.token(system, {'limits': limits})}\n}}\n"
    )
