"""The project as files and imports, for tests that hold the whole tree to a rule."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", "data", "runs", "out", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
TEXT_ENDINGS = {
    ".py",
    ".js",
    ".html",
    ".css",
    ".md",
    ".toml",
    ".txt",
    ".json",
    ".csv",
    ".yml",
    ".yaml",
    ".cfg",
    ".sh",
    "",
}


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file of the project: what git knows or would add, or the whole tree where git is absent."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        found = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not _NOT_OURS & set(p.relative_to(ROOT).parts)]
    return tuple(sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts))


def text_files() -> list[Path]:
    """Return the project's files that hold text a person wrote."""
    return [p for p in project_files() if p.suffix in TEXT_ENDINGS and p.stat().st_size < 2**20]


def python_files(*tops: str) -> list[Path]:
    """Return the .py files below some top-level names (all of them when none is given)."""
    return [p for p in project_files() if p.suffix == ".py" and (not tops or p.relative_to(ROOT).parts[0] in tops)]


def relative(path: Path) -> str:
    """Return a path as the documents write it."""
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Import:
    """One imported module: its dotted name, the line, and whether importing the file imports it too."""

    module: str
    line: int
    is_at_import_time: bool


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    """Return what a file imports; those under ``if TYPE_CHECKING`` are left out, for they never run.

    ``from package import name`` counts as ``package.name`` where that is a module of ours, and as ``package``
    otherwise.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return tuple(_walk(tree, path, is_at_import_time=True))


def _walk(node: ast.AST, path: Path, *, is_at_import_time: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _walk(other, path, is_at_import_time=is_at_import_time)
        elif isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, is_at_import_time)
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, path)
            for alias in child.names:
                yield Import(_module_of(base, alias.name), child.lineno, is_at_import_time)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, path, is_at_import_time=is_at_import_time and not is_function)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _module_of(base: str, name: str) -> str:
    as_path = ROOT.joinpath(*base.split("."), name)
    return f"{base}.{name}" if as_path.with_suffix(".py").is_file() or as_path.is_dir() else base


def module_name(path: Path) -> str:
    """Return the dotted name of a file of ours."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
