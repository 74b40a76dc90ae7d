"""The YAML editor's bundle: made of the sources beside it, small, with its licences."""

import gzip
import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EDITOR = ROOT / "central" / "web" / "editor"
VENDOR = ROOT / "central" / "web" / "assets" / "vendor"
BUNDLE = VENDOR / "yaml-editor.js"
SOURCES = ("build.js", "completion.js", "editor.js", "package-lock.json", "package.json")


def test_the_bundle_is_made_of_these_sources() -> None:
    digest = hashlib.sha256(b"".join((EDITOR / name).read_bytes() for name in SOURCES)).hexdigest()
    assert digest in BUNDLE.read_text("utf-8")[:300], "run `make editor`"


def test_all_scripts_together_stay_below_300_kb() -> None:
    scripts = VENDOR.parent.rglob("*.js")
    packed = sum(len(gzip.compress(script.read_bytes())) for script in scripts)
    assert packed < 300_000


def test_the_licences_of_what_is_bundled_are_kept() -> None:
    text = (VENDOR / "yaml-editor.LICENSES.txt").read_text("utf-8")
    for name in ("@codemirror/view", "@codemirror/lang-yaml", "@lezer/yaml", "style-mod", "crelt"):
        assert f"{name} " in text
    assert text.count("Permission is hereby granted") >= 10


def test_the_lock_file_holds_hashes_and_no_address() -> None:
    lock = (EDITOR / "package-lock.json").read_text("utf-8")
    assert "://" not in lock
    assert lock.count('"integrity"') > 20
    assert "^" not in (EDITOR / "package.json").read_text("utf-8"), "exact versions"
