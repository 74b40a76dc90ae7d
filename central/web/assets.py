"""What pages load beside themselves: styles and scripts, from this host only."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from central.errors import not_found

FOLDER = Path(__file__).parent / "assets"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(tags=["pages"], include_in_schema=False)


@cache
def asset_bytes(name: str) -> bytes:
    """An asset's content.

    Raises:
        ApiError: 404 for a name that is none of ours; nothing outside the folder is ever read.
    """
    if name not in asset_names():
        raise not_found("asset", name[:100])
    return (FOLDER / name).read_bytes()


@cache
def packed_bytes(name: str) -> bytes:
    """An asset as browsers take it over a slow line; packed once."""
    return gzip.compress(asset_bytes(name), mtime=0)


@cache
def asset_names() -> frozenset[str]:
    """Every asset, as a path below the folder."""
    found = (path for path in FOLDER.rglob("*") if path.suffix in TYPES)
    return frozenset(path.relative_to(FOLDER).as_posix() for path in found)


@cache
def fingerprint(name: str) -> str:
    """A short digest of an asset, so that a new release is a new address."""
    return hashlib.sha256(asset_bytes(name)).hexdigest()[:12]


def asset_url(name: str) -> str:
    """Where a page finds an asset."""
    return f"/assets/{name}?v={fingerprint(name)}"


@router.get("/assets/{name:path}")
def asset(
    name: str, request: Request, v: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """One asset; an address with the right fingerprint never changes."""
    content = asset_bytes(name)
    caching = FOREVER if v == fingerprint(name) else "no-cache"
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content = packed_bytes(name)
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=TYPES[Path(name).suffix], headers=headers)
