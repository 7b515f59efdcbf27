"""An OpenID Connect provider on this machine: it lets everybody in as whoever the test says, without asking."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, CLIENT_SECRET = "dermascan", "a secret of the test"


@dataclass
class Issuer:
    """A provider and what it says of whoever logs in next.

    Attributes:
        address: Where it listens; also its name ("iss").
        claims: Said of the next person, beside what the protocol asks for.
        key: Signs what is said.
        nonces: Code handed out -> nonce that came with the question.
    """

    address: str
    claims: dict[str, Any]
    key: rsa.RSAPrivateKey
    nonces: dict[str, str] = field(default_factory=dict)
    n_logins: int = 0

    def secrets_toml(self, app_address: str) -> str:
        """What ``.streamlit/secrets.toml`` says to use it."""
        return (
            "[auth]\n"
            f'redirect_uri = "{app_address}oauth2callback"\n'
            'cookie_secret = "thirty-two signs of a test secret"\n'
            f'client_id = "{CLIENT_ID}"\n'
            f'client_secret = "{CLIENT_SECRET}"\n'
            f'server_metadata_url = "{self.address}/.well-known/openid-configuration"\n'
        )

    def id_token(self, nonce: str) -> str:
        """A signed word about the person; its time is the real one."""
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "test"}
        said = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce} | self.claims
        signed = f"{_base64(json.dumps(header).encode())}.{_base64(json.dumps(said).encode())}"
        return f"{signed}.{_base64(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def public_keys(self) -> dict[str, Any]:
        """The key that proves the signature, as a JWK set."""
        numbers = self.key.public_key().public_numbers()
        n = _base64(numbers.n.to_bytes(256, "big"))
        e = _base64(numbers.e.to_bytes(3, "big"))
        return {"keys": [{"kty": "RSA", "kid": "test", "use": "sig", "alg": "RS256", "n": n, "e": e}]}

    def metadata(self) -> dict[str, Any]:
        """What a client has to know."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }


@contextmanager
def serve_issuer(**claims: Any) -> Iterator[Issuer]:
    """Run a provider on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    server.issuer = Issuer(f"http://127.0.0.1:{server.server_port}", dict(claims), key)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer, url = self.server.issuer, urlsplit(self.path)
        if url.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            code = secrets.token_urlsafe(16)
            issuer.nonces[code] = asked["nonce"]
            issuer.n_logins += 1
            answer = urlencode({"code": code, "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{answer}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._send(issuer.public_keys() if url.path == "/keys" else issuer.metadata())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        code = parse_qs(body)["code"][0]
        issuer = self.server.issuer
        token = issuer.id_token(issuer.nonces.pop(code))
        self._send({"access_token": "unused", "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _send(self, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
