"""Files of the two model hubs: in their caches, or downloaded on a user's request.

A machine without a network should fail within seconds. So the connection is tested before the
libraries are called, which retry many times.
"""

import os
import socket
import threading
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

_SECONDS = 2.0


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face hub; the first of several names that exists."""

    repository: str
    names: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    revision: str | None = None
    # Files that are read along with it.
    companions: tuple[str, ...] = ()

    def cached(self) -> Path | None:
        """Return the file in the hub's cache, or None."""
        from huggingface_hub import try_to_load_from_cache

        for name in self.names:
            path = try_to_load_from_cache(self.repository, name, revision=self.revision)
            if isinstance(path, str):
                return Path(path)
        return None

    def download(self) -> Path:
        """Download the file into the cache; raise OSError with the reason if that fails."""
        from huggingface_hub import constants
        from huggingface_hub.errors import EntryNotFoundError

        require_connection(constants.ENDPOINT)
        try:
            for name in self.companions:
                self._fetch(name)
            for name in self.names:
                with suppress(EntryNotFoundError):  # the next name may exist
                    return self._fetch(name)
        except Exception as error:
            raise OSError(f"{self.repository}: {error}") from error
        raise OSError(f"{self.repository} has no {' or '.join(self.names)}")

    def _fetch(self, name: str) -> Path:
        from huggingface_hub import hf_hub_download

        return Path(
            hf_hub_download(self.repository, name, revision=self.revision, etag_timeout=_SECONDS)
        )


@dataclass(frozen=True)
class UrlFile:
    """A file that torch.hub stores under the last part of its URL."""

    url: str

    def cached(self) -> Path | None:
        """Return the file in torch's cache, or None."""
        return self._path if self._path.is_file() else None

    def download(self) -> Path:
        """Download the file into the cache; raise OSError with the reason if that fails."""
        require_connection(self.url)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(self.url, str(self._path), progress=False)
        except Exception as error:
            raise OSError(f"{self.url}: {error}") from error
        return self._path

    @property
    def _path(self) -> Path:
        return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(self.url).path).name


def require_connection(url: str) -> None:
    """Check that the host of a URL, or its proxy, accepts a connection.

    Raises
    ------
    OSError
        If it does not, within seconds; immediately if ``HF_HUB_OFFLINE`` is set.
    """
    if _offline():
        raise OSError("HF_HUB_OFFLINE is set")
    parts = urlparse(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        parts = urlparse(proxy if "//" in proxy else f"//{proxy}")
    port = parts.port or {"http": 80}.get(parts.scheme, 443)
    failed = _connection_error(parts.hostname or "", port)
    if failed is not None:
        raise OSError(f"no connection to {host}: {failed}")


def _offline() -> bool:
    from huggingface_hub import constants

    set_later = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    return bool(constants.HF_HUB_OFFLINE) or set_later


def _connection_error(host: str, port: int) -> Any:
    """Return why there is no connection, or None; in a thread, since names resolve slowly."""
    found: list[Any] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_SECONDS).close()
            found.append(None)
        except OSError as error:
            found.append(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_SECONDS + 0.5)
    return found[0] if found else f"no answer in {_SECONDS:g} s"
