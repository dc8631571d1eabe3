"""What is inside Hearth.app, and that the command in it finds the model in it. Run by `make test-bundle`.

The bundle is laid out in a temporary folder from target/debug, or HEARTH_BUNDLE names one that exists (the release workflow does this).
"""
import hashlib
import json
import os
import pathlib
import plistlib
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = {
    "SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "all-MiniLM-L6-v2.F16.gguf": "f3a286ebb413beb714de429d5c262967c67a309713cd74fe4f1cf345b9f4c733",
}

# Every key that create_info_plist of tauri-bundler 2.10.4 (src/bundle/macos/app.rs) writes for a configuration like ours: with an icon,
# a category, a minimum version, a copyright and deep links; without file associations, Assets.car and an exception domain.
TAURI_KEYS = {
    "CFBundleDevelopmentRegion", "CFBundleDisplayName", "CFBundleExecutable", "CFBundleIconFile", "CFBundleIdentifier",
    "CFBundleInfoDictionaryVersion", "CFBundleName", "CFBundlePackageType", "CFBundleShortVersionString", "CFBundleURLTypes",
    "CFBundleVersion", "CSResourcesFileMapped", "LSApplicationCategoryType", "LSMinimumSystemVersion", "LSRequiresCarbon",
    "NSHighResolutionCapable", "NSHumanReadableCopyright",
}
OUR_KEYS = {"LSUIElement"}
# Slots of an .icns that hold a PNG, and the pixels each must have.
ICON_PIXELS = {"ic11": 32, "ic12": 64, "ic07": 128, "ic13": 256, "ic08": 256, "ic14": 512, "ic09": 512, "ic10": 1024}
ICON_SMALL = {"is32", "s8mk", "il32", "l8mk"}  # 16 and 32 pixels, RGB and mask


def icns_entries(data: bytes) -> dict:
    magic, length = struct.unpack(">4sI", data[:8])
    assert magic == b"icns" and length == len(data), "not a whole icns file"
    entries, at = {}, 8
    while at < len(data):
        code, size = struct.unpack(">4sI", data[at:at + 8])
        entries[code.decode("ascii")] = data[at + 8:at + size]
        at += size
    return entries


def png_chunks(data: bytes):
    """Chunk types of a PNG, each checked against its sum."""
    at = 8
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0], "damaged PNG"
        yield kind
        at += 12 + size


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        given = os.environ.get("HEARTH_BUNDLE")
        if given:
            cls.app = pathlib.Path(given)
        else:
            folder = tempfile.TemporaryDirectory()
            cls.addClassCleanup(folder.cleanup)
            cls.app = pathlib.Path(folder.name) / "Hearth.app"
            subprocess.run(
                [sys.executable, ROOT / "scripts" / "bundle.py", "--binaries", ROOT / "target" / "debug", "--out", cls.app],
                check=True, stdout=subprocess.DEVNULL,
            )
        cls.contents = cls.app / "Contents"
        cls.plist = plistlib.loads((cls.contents / "Info.plist").read_bytes())

    def test_info_plist_has_every_key_that_tauri_writes_and_no_stray_one(self):
        keys = set(self.plist)
        self.assertEqual(TAURI_KEYS - keys, set(), "missing")
        # Xcode's tools add DT… and BuildMachine… keys on a Mac; usage strings and services must be added here when they come into use.
        self.assertEqual({key for key in keys - TAURI_KEYS - OUR_KEYS if key != "HearthBuildHost"}, set(), "unexpected")

    def test_info_plist_values(self):
        conf = json.loads((ROOT / "src-tauri" / "tauri.conf.json").read_text())
        cargo = subprocess.run(
            ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        version = next(p["version"] for p in json.loads(cargo.stdout)["packages"] if p["name"] == "hearth-desktop")
        expected = {
            "CFBundleName": "Hearth",
            "CFBundleExecutable": "hearth-desktop",
            "CFBundleIdentifier": "app.hearth.desktop",
            "CFBundlePackageType": "APPL",
            "CFBundleShortVersionString": version,
            "CFBundleVersion": version,
            "LSMinimumSystemVersion": "14.0",
            "LSApplicationCategoryType": "public.app-category.productivity",
            "LSUIElement": True,
            "NSHighResolutionCapable": True,
            "NSHumanReadableCopyright": conf["bundle"]["copyright"],
        }
        self.assertEqual({key: self.plist.get(key) for key in expected}, expected)
        self.assertEqual([entry["CFBundleURLSchemes"] for entry in self.plist["CFBundleURLTypes"]], [["hearth"]])
        self.assertEqual(self.plist["CFBundleURLTypes"][0]["CFBundleURLName"], "app.hearth.desktop hearth")

    def test_only_the_expected_files_are_inside(self):
        files = {str(path.relative_to(self.contents)) for path in self.contents.rglob("*") if not path.is_dir()}
        expected = {"Info.plist", "MacOS/hearth", "MacOS/hearth-desktop"}
        expected |= {f"Resources/{name}" for name in ("icon.icns", "LICENSE", "THIRD-PARTY-LICENSES.txt", *(f"models/{model}" for model in MODELS))}
        files -= {"_CodeSignature/CodeResources", "CodeResources"}  # written by signing and by stapling, on a Mac
        if self.plist.get("HearthBuildHost") == "linux":
            expected.add("Resources/LINUX-BUILD-DO-NOT-PUBLISH.txt")
        self.assertEqual(files, expected)

    def test_a_bundle_made_on_linux_says_so(self):
        elf = (self.contents / "MacOS" / "hearth-desktop").read_bytes()[:4] == b"\x7fELF"
        self.assertEqual(elf, self.plist.get("HearthBuildHost") == "linux")

    def test_programs_are_executable_and_nothing_else_is(self):
        for path in self.contents.rglob("*"):
            if path.is_file():
                self.assertEqual(bool(path.stat().st_mode & stat.S_IXUSR), path.parent.name == "MacOS", path)
                self.assertFalse(path.stat().st_mode & stat.S_IWOTH, path)

    def test_no_link_leads_anywhere(self):
        self.assertEqual([path for path in self.app.rglob("*") if path.is_symlink()], [])

    def test_the_models_are_those_that_were_checked(self):
        for name, sha256 in MODELS.items():
            model = self.contents / "Resources" / "models" / name
            self.assertEqual(hashlib.sha256(model.read_bytes()).hexdigest(), sha256, name)

    def test_the_licences_of_what_is_inside_go_along(self):
        notices = (self.contents / "Resources" / "THIRD-PARTY-LICENSES.txt").read_text()
        for name, its_text in (
            ("SmolLM2-135M-Instruct (Apache-2.0", "Apache License"),
            ("all-MiniLM-L6-v2 (Apache-2.0", "Apache License"),
            ("llama-cpp-sys-2 ", "The ggml authors"),
            ("tauri ", "Tauri Programme"),
            ("svelte ", "svelte contributors"),
        ):
            self.assertIn("\n" + name, notices)
            self.assertIn(its_text.lower(), notices.lower(), name)

    def test_what_is_not_a_program_stays_under_150_mb(self):
        size = sum(path.stat().st_size for path in (self.contents / "Resources").rglob("*") if path.is_file())
        self.assertLess(size, 150_000_000)

    def test_the_icon_has_every_size(self):
        entries = icns_entries((self.contents / "Resources" / self.plist["CFBundleIconFile"]).read_bytes())
        self.assertEqual(set(entries), set(ICON_PIXELS) | ICON_SMALL)
        for slot, pixels in ICON_PIXELS.items():
            png = entries[slot]
            self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n", slot)
            self.assertEqual(struct.unpack(">II", png[16:24]), (pixels, pixels), slot)
            self.assertEqual(list(png_chunks(png))[-1], b"IEND", slot)
        self.assertEqual(len(entries["s8mk"]), 16 * 16)
        self.assertEqual(len(entries["l8mk"]), 32 * 32)

    def test_the_hardened_runtime_has_no_exception(self):
        self.assertEqual(plistlib.loads((ROOT / "entitlements" / "hearth.entitlements").read_bytes()), {})

    def test_the_command_finds_the_models_of_its_bundle(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {"HEARTH_HOME": home, "HOME": home, "PATH": os.environ["PATH"]}
            listed = subprocess.run(
                [self.contents / "MacOS" / "hearth", "list", "--json"], env=environment, capture_output=True, text=True, timeout=60
            )
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual([model["name"] for model in json.loads(listed.stdout)["models"]], ["starter", "embedder"])


class Configuration(unittest.TestCase):
    """Tauri's bundler, which runs on a Mac only, must be told to put in what the tests above look for."""

    def test_tauri_gets_the_same_extra_files(self):
        bundle = json.loads((ROOT / "src-tauri" / "tauri.bundle.conf.json").read_text())["bundle"]
        self.assertEqual(set(bundle["resources"].values()), {"LICENSE", "THIRD-PARTY-LICENSES.txt", *(f"models/{model}" for model in MODELS)})
        self.assertEqual([pathlib.PurePath(path).name for path in bundle["externalBin"]], ["hearth"])

    def test_no_tray_icon_is_configured(self):
        # Rust creates the tray icon; one in the configuration would make a second.
        self.assertNotIn("trayIcon", json.loads((ROOT / "src-tauri" / "tauri.conf.json").read_text())["app"])


if __name__ == "__main__":
    unittest.main()
