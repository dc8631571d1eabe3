#!/usr/bin/env python3
"""Collects the licence texts of everything that is inside Hearth.app: notices.py OUT.txt

MIT, BSD and ISC ask that their text goes along with a binary. Rust crates are those that the two programs link on macOS (no build or test
dependencies), npm packages those that are not marked "dev" in ui/package-lock.json. Equal texts are printed once, under all their owners.
"""
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = {"hearth-desktop", "hearth-cli"}
TEXTS = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "UNLICENSE*", "license*")
# C and C++ code inside a crate, under a licence of its own.
VENDORED = {"llama-cpp-sys-2": ["llama.cpp/LICENSE", "llama.cpp/vendor/*/LICENSE*"]}


def linked_crates() -> list:
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--filter-platform=aarch64-apple-darwin"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    edges = {
        node["id"]: [d["pkg"] for d in node["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"])]
        for node in metadata["resolve"]["nodes"]
    }
    found, waiting = set(), [i for i, package in packages.items() if package["name"] in PROGRAMS]
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += edges[package]
    # A package without a source is part of this workspace.
    return [packages[i] for i in found if packages[i]["source"]]


def texts(folder: pathlib.Path, patterns) -> list:
    files = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    return [file.read_text(errors="replace").strip() for file in sorted(files)]


def main(out: pathlib.Path) -> None:
    owners = {}  # text -> who asks for it
    components = []
    for crate in linked_crates():
        folder, label = pathlib.Path(crate["manifest_path"]).parent, f"{crate['name']} {crate['version']}"
        components.append(f"{label} ({crate['license'] or 'see its text below'})")
        for text in texts(folder, (*TEXTS, *VENDORED.get(crate["name"], []))):
            owners.setdefault(text, set()).add(label)
    lock = ROOT / "ui" / "package-lock.json"
    for path, package in json.loads(lock.read_text())["packages"].items():
        if not path or package.get("dev") or package.get("optional") or package.get("peer"):
            continue
        label = f"{path.split('node_modules/')[-1]} {package['version']}"
        components.append(f"{label} ({package.get('license', 'see its text below')})")
        for text in texts(ROOT / "ui" / path, TEXTS):
            owners.setdefault(text, set()).add(label)

    rule = "\n\n" + "-" * 78 + "\n"
    parts = ["Hearth contains the work of others. With thanks:\n\n"
             "SmolLM2-135M-Instruct (Apache-2.0, Hugging Face TB), the starter model\n"
             "all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers), the embedding model, converted to GGUF with 16-bit weights\n" + "\n".join(sorted(set(components)))]
    for text, names in sorted(owners.items(), key=lambda item: sorted(item[1])):
        parts.append(", ".join(sorted(names)) + "\n\n" + text)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(rule.join(parts) + "\n")
    print(f"notices: {len(set(components))} components, {len(owners)} texts in {out}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
