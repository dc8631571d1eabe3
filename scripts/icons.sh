#!/usr/bin/env bash
# Renders icons/src/*.svg into src-tauri/icons/. The results are committed, so only a change of a drawing needs this.
# Needs rsvg-convert (librsvg2-bin) and png2icns (icnsutils); on a Mac: brew install librsvg libicns.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in rsvg-convert png2icns python3; do
    command -v "$tool" >/dev/null || { echo "icons: $tool is missing (Debian: apt-get install librsvg2-bin icnsutils)" >&2; exit 1; }
done

src=icons/src out=src-tauri/icons
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"

render() { rsvg-convert --width "$2" --height "$2" --output "$3" "$src/$1.svg"; }

for pixels in 16 32 64 128 256 512 1024; do render app "$pixels" "$tmp/$pixels.png"; done
cp "$tmp/32.png" "$out/32x32.png"
cp "$tmp/128.png" "$out/128x128.png"
cp "$tmp/256.png" "$out/128x128@2x.png"
cp "$tmp/512.png" "$out/icon.png"
png2icns "$tmp/small.icns" "$tmp/16.png" "$tmp/32.png" >/dev/null
python3 scripts/icns.py "$out/icon.icns" "$tmp"

# Menu-bar glyphs: black with alpha for macOS, which recolours them; Linux panels do not, so they get white with a thin dark halo.
printf 'svg { color: #fff } .halo { display: inline }\n' >"$tmp/light.css"
for svg in "$src"/tray-*.svg; do
    name=$(basename "$svg" .svg)
    render "$name" 18 "$out/$name.png"
    render "$name" 36 "$out/$name@2x.png"
    rsvg-convert --stylesheet "$tmp/light.css" --width 44 --height 44 --output "$out/$name-light.png" "$svg"
done
echo "icons: $(find "$out" -type f | wc -l | tr -d ' ') files in $out"
