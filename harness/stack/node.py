"""Builds packages of Node.js functions: what `sam build` does with npm and esbuild.

Sources: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html
         https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html (which SDK a runtime includes)
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.emulator.cache import DEPENDENCIES, cache_dir
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPTS = {".js", ".mjs", ".cjs"}
_ESBUILD = "esbuild@0.25"
_SDK_3 = re.compile(r"""["'](@(?:aws-sdk|smithy)/[\w.-]+)""")
_SDK_2 = re.compile(r"""["'](aws-sdk)(?:/[\w./-]+)?["']""")
_LAST_WITH_SDK_2 = 16
_NO_CODE = shutil.ignore_patterns("dist-types", "*.d.ts", "*.map", "*.md")
_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def build(tree: Path, runtime: str, metadata: Mapping[str, Any], origin: Path) -> None:
    """Makes a package of the code in `tree`, a copy of `origin`: installs what package.json names, bundles with esbuild where the template's
    Metadata says so, and adds the modules of the AWS SDK that the runtime includes on AWS and the code uses.

    Raises UsageError where npm is missing or fails."""
    bundles = metadata.get("BuildMethod") == "esbuild"
    manifest = _manifest(tree / "package.json", origin)
    if manifest and not (origin / "node_modules").is_dir():
        wanted = {**manifest.get("dependencies", {}), **(manifest.get("devDependencies", {}) if bundles else {})}
        if wanted:
            command = "ci" if (tree / "package-lock.json").is_file() and "file:" not in json.dumps(wanted) else "install"
            _npm([command, *([] if bundles else ["--omit=dev"]), "--no-save", "--install-links"], tree)
    if bundles:
        _bundle(tree, runtime, metadata.get("BuildProperties") or {})
    _add_sdk(tree, runtime)
    for links in sorted(tree.rglob("node_modules/.bin")):
        shutil.rmtree(links)


def _manifest(path: Path, origin: Path) -> dict[str, Any]:
    """Returns package.json, written again with the paths of local packages absolute: they are relative to the original directory."""
    if not path.is_file():
        return {}
    try:
        manifest: dict[str, Any] = dict(json.loads(path.read_text("utf-8")))
        for section in ("dependencies", "devDependencies"):
            for name, version in (manifest.get(section) or {}).items():
                if str(version).startswith("file:"):
                    manifest[section][name] = f"file:{(origin / str(version).removeprefix('file:')).resolve()}"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{origin / 'package.json'} is not a package.json: {error}") from error
    path.write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def _npm(arguments: Sequence[str], directory: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError("npm is not found: it installs the packages of Node.js functions; install Node.js with npm")
    done = subprocess.run([npm, *arguments, *_QUIET], cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"npm {' '.join(arguments)} failed:\n{(done.stderr or done.stdout).strip()}")


def _bundle(tree: Path, runtime: str, properties: Mapping[str, Any]) -> None:
    """Leaves in the tree what esbuild makes of the entry points alone."""
    esbuild = tree / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        esbuild = _kept([_ESBUILD]) / ".bin" / "esbuild"
    entries = properties.get("EntryPoints") or ["app.ts" if (tree / "app.ts").is_file() else "app.js"]
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=tree.parent) as scratch:
        command = [
            str(esbuild), *map(str, entries), "--bundle", "--platform=node", "--log-level=warning", f"--outdir={scratch}",
            f"--format={properties.get('Format', 'cjs')}", f"--target={properties.get('Target', 'es2020')}",
        ]  # fmt: skip
        command += (
            ["--external:@aws-sdk/*", "--external:@smithy/*"] if _major(runtime) > _LAST_WITH_SDK_2 else ["--external:aws-sdk"]
        )
        for name, option in (("Minify", "minify"), ("Sourcemap", "sourcemap"), ("KeepNames", "keep-names")):
            command += [f"--{option}"] if str(properties.get(name, False)).lower() == "true" else []
        command += [f"--external:{name}" for name in properties.get("External") or []]
        command += [f"--main-fields={properties['MainFields']}"] if "MainFields" in properties else []
        for name, option in (("OutExtension", "out-extension"), ("Loader", "loader"), ("Banner", "banner")):
            command += [f"--{option}:{value}" for value in properties.get(name) or []]
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UsageError(f"esbuild failed:\n{done.stderr.strip()}")
        externals = [name for name in properties.get("External") or [] if (tree / "node_modules" / name).is_dir()]
        for path in tree.iterdir():
            if path.is_dir() and not (path.name == "node_modules" and externals):
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
        shutil.copytree(scratch, tree, dirs_exist_ok=True)


def _add_sdk(tree: Path, runtime: str) -> None:
    """Adds the modules that the code names, of the SDK that this runtime includes, where the package lacks them."""
    pattern = _SDK_3 if _major(runtime) > _LAST_WITH_SDK_2 else _SDK_2
    scripts = (path for path in tree.rglob("*") if path.suffix in _SCRIPTS and path.is_file() and "node_modules" not in path.parts)
    named = {name for script in scripts for name in pattern.findall(script.read_text("utf-8", "replace"))}
    missing = sorted(name for name in named if not (tree / "node_modules" / name).is_dir())
    if missing:
        major = 3 if pattern is _SDK_3 else 2
        kept = _kept([f"{name}@{major if name.startswith(('@aws-sdk', 'aws-sdk')) else 'latest'}" for name in missing])
        modules = tree / "node_modules"
        for package in sorted([*kept.glob("[!@.]*"), *kept.glob("@*/*")]):
            target = modules / package.relative_to(kept)
            if package.is_dir() and not target.exists():
                shutil.copytree(package, target, ignore=_NO_CODE)


def _kept(packages: Sequence[str]) -> Path:
    """Returns a node_modules directory of the cache that has these packages."""
    name = "npm-" + hashlib.sha256("\n".join(packages).encode()).hexdigest()[:32]
    kept = cache_dir() / DEPENDENCIES / name
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=kept.parent) as scratch:
            root = Path(scratch) / name
            root.mkdir()
            (root / "package.json").write_text("{}\n")
            _npm(["install", *packages], root)
            try:
                root.rename(kept)
            except OSError:
                # Another run was faster.
                shutil.rmtree(root)
    return kept / "node_modules"


def _major(runtime: str) -> int:
    found = re.search(r"\d+", runtime)
    return int(found[0]) if found else _LAST_WITH_SDK_2 + 2
