#!/usr/bin/env python3
"""Lays out Hearth.app from built programs: bundle.py --binaries target/release --out target/bundle/Hearth.app

What is published is made on a Mac by Tauri's bundler (scripts/bundle). This script makes the same layout anywhere: on Linux so that
the bundle's tests can run there, marked so that nobody ships it, and on a Mac for `make run`, where only a bundled program gets a
menu-bar icon. The keys of Info.plist are those that tauri-bundler's create_info_plist writes, from the same tauri.conf.json.
"""
import argparse
import json
import os
import pathlib
import plistlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENTITLEMENTS = ROOT / "entitlements" / "hearth.entitlements"
MAIN, COMMAND = "hearth-desktop", "hearth"
NOTICES = "THIRD-PARTY-LICENSES.txt"
LINUX_NOTE = "LINUX-BUILD-DO-NOT-PUBLISH.txt"
# Tauri's names for the categories, as far as Hearth uses them.
CATEGORIES = {"Productivity": "public.app-category.productivity", "DeveloperTool": "public.app-category.developer-tools"}


def version() -> str:
    """The workspace's version; read by pattern because the Python of macOS has no TOML reader."""
    manifest = (ROOT / "Cargo.toml").read_text()
    return re.search(r'^\[workspace\.package\][^\[]*?^version = "([^"]+)"', manifest, re.M | re.S).group(1)


def info_plist(conf: dict) -> dict:
    bundle, name, identifier = conf["bundle"], conf["productName"], conf["identifier"]
    schemes = conf["plugins"]["deep-link"]["desktop"]["schemes"]
    plist = {
        "CFBundleDevelopmentRegion": "English",
        "CFBundleDisplayName": name,
        "CFBundleExecutable": MAIN,
        "CFBundleIconFile": "icon.icns",
        "CFBundleIdentifier": identifier,
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": name,
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version(),
        "CFBundleURLTypes": [
            {"CFBundleURLSchemes": schemes, "CFBundleURLName": f"{identifier} {schemes[0]}", "CFBundleTypeRole": "Editor"}
        ],
        "CFBundleVersion": version(),
        "CSResourcesFileMapped": True,
        "LSApplicationCategoryType": CATEGORIES[bundle["category"]],
        "LSMinimumSystemVersion": bundle["macOS"]["minimumSystemVersion"],
        "LSRequiresCarbon": True,
        "NSHighResolutionCapable": True,
        "NSHumanReadableCopyright": bundle["copyright"],
    }
    # Ours win, as they do in Tauri's bundler.
    plist.update(plistlib.loads((ROOT / "src-tauri" / "Info.plist").read_bytes()))
    if sys.platform != "darwin":
        plist["HearthBuildHost"] = "linux"
    return plist


def place(source: pathlib.Path, target: pathlib.Path, mode: int, link: bool = False) -> None:
    if not source.is_file():
        sys.exit(f"bundle: {source} is missing; `make build` makes it")
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source, target)  # 98 MB that never change: a hard link where the file system allows it
            return
        except OSError:
            pass
    shutil.copyfile(source, target)
    target.chmod(mode)


def sign(app: pathlib.Path) -> None:
    """Inside out, as Apple asks; "-" is a signature for this Mac only."""
    identity = os.environ.get("APPLE_SIGNING_IDENTITY", "-")
    for path in (app / "Contents" / "MacOS" / COMMAND, app):
        subprocess.run(["codesign", "--force", "--sign", identity, "--options", "runtime", "--entitlements", ENTITLEMENTS, path], check=True)


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binaries", type=pathlib.Path, required=True, help="folder with hearth and hearth-desktop")
    arguments.add_argument("--out", type=pathlib.Path, required=True, help="the .app to write; replaced if it exists")
    options = arguments.parse_args()
    app, binaries = options.out, options.binaries
    if app.suffix != ".app":
        sys.exit("bundle: --out must name an .app")

    conf = json.loads((ROOT / "src-tauri" / "tauri.conf.json").read_text())
    if app.exists():
        shutil.rmtree(app)
    contents = app / "Contents"
    for program in (MAIN, COMMAND):
        place(binaries / program, contents / "MacOS" / program, 0o755)
    place(ROOT / "src-tauri" / "icons" / "icon.icns", contents / "Resources" / "icon.icns", 0o644)
    place(ROOT / "LICENSE", contents / "Resources" / "LICENSE", 0o644)
    subprocess.run([sys.executable, ROOT / "scripts" / "notices.py", contents / "Resources" / NOTICES], check=True, stdout=subprocess.DEVNULL)
    models = sorted((binaries / "resources" / "models").glob("*.gguf"))
    if len(models) < 2:
        sys.exit(f"bundle: the starter and the embedding model are not both under {binaries}/resources/models; `make model` puts them there")
    for model in models:
        place(model, contents / "Resources" / "models" / model.name, 0o644, link=True)
    (contents / "Info.plist").write_bytes(plistlib.dumps(info_plist(conf)))
    if sys.platform == "darwin":
        sign(app)
    else:
        (contents / "Resources" / LINUX_NOTE).write_text(
            "The programs in this bundle are Linux executables. It exists to test the layout and cannot run on a Mac.\n"
        )
    print(f"bundle: {app}")


if __name__ == "__main__":
    main()
