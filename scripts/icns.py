#!/usr/bin/env python3
"""Packs PNG files into an .icns file: icns.py OUT.icns FOLDER, where FOLDER holds 16.png, 32.png ... 1024.png and small.icns.

The two sizes for displays without Retina come from small.icns (written by png2icns in the old RGB + mask form), because
some versions of macOS draw a PNG in those slots wrongly. Everything else is stored as PNG.
"""
import pathlib
import struct
import sys

# Type code -> pixels, from Apple's icns format: "@2x" slots hold twice the points they are named for.
PNG_SLOTS = [
    (b"ic11", 32),    # 16 pt @2x
    (b"ic12", 64),    # 32 pt @2x
    (b"ic07", 128),   # 128 pt
    (b"ic13", 256),   # 128 pt @2x
    (b"ic08", 256),   # 256 pt
    (b"ic14", 512),   # 256 pt @2x
    (b"ic09", 512),   # 512 pt
    (b"ic10", 1024),  # 512 pt @2x
]


def main(out: pathlib.Path, folder: pathlib.Path) -> None:
    body = (folder / "small.icns").read_bytes()[8:]
    for code, pixels in PNG_SLOTS:
        png = (folder / f"{pixels}.png").read_bytes()
        body += code + struct.pack(">I", len(png) + 8) + png
    out.write_bytes(b"icns" + struct.pack(">I", len(body) + 8) + body)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
