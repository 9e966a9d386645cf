#!/usr/bin/env bash
# Makes analysis/fonts/*.ttf from Liberation Sans 2.1.5 (its directory is the argument): only the letters that figures
# may need, no hinting, three letters added, and a name of its own, as its licence asks of changed fonts.
set -euo pipefail
[ $# = 1 ] || { echo "usage: scripts/figure-font.sh DIR, where LiberationSans-Regular.ttf and -Bold.ttf are (github.com/liberationfonts)" >&2; exit 2; }
python3 -c 'import fontTools' 2>/dev/null || { echo "python3 lacks fontTools: pip install fonttools" >&2; exit 2; }
out="$(cd "$(dirname "$0")/.." && pwd)/analysis/fonts"
stage=$(mktemp -d)
trap 'rm -r "$stage"' EXIT
# Latin, Greek, Cyrillic, punctuation, indices, currency, letter-like, arrows, mathematics, shapes.
letters='U+0020-007E,U+00A0-017F,U+0192,U+0218-021B,U+02C6,U+02C7,U+02D8-02DD,U+0384-03CE,U+0400-045F,U+0490,U+0491'
letters+=',U+1E80-1E85,U+1EF2,U+1EF3,U+2010-2015,U+2017-201E,U+2020-2022,U+2026,U+2030,U+2032,U+2033,U+2039,U+203A,U+2044'
letters+=',U+2070,U+2074-208E,U+20AC,U+2105,U+2113,U+2116,U+2122,U+2126,U+212E,U+2150-215E,U+2190-2195,U+2202,U+2206'
letters+=',U+220F,U+2211,U+2212,U+2215,U+2219,U+221A,U+221E,U+222B,U+2248,U+2260,U+2261,U+2264,U+2265,U+25A0,U+25A1'
letters+=',U+25B2,U+25BA,U+25BC,U+25CA,U+25CB,U+25CF,U+FB01,U+FB02'
for style in Regular Bold; do
    python3 -m fontTools.subset "$1/LiberationSans-$style.ttf" --unicodes="$letters" --no-hinting --layout-features=kern \
        --notdef-outline --drop-tables+=DSIG,FFTM --name-IDs='*' --glyph-names --output-file="$stage/$style.ttf"
done
python3 - "$stage" "$out" <<'PY'
import sys
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

stage, out = sys.argv[1:]

def drawn(font, name, scale, up):
    """A glyph smaller and raised."""
    pen = TTGlyphPen(None)
    font.getGlyphSet()[name].draw(TransformPen(pen, (scale, 0, 0, scale, 0, up)))
    return pen.glyph()

for style in ("Regular", "Bold"):
    font = TTFont(f"{stage}/{style}.ttf", recalcTimestamp=False)
    letters, glyphs = font.getBestCmap(), font["glyf"]
    box = lambda letter: glyphs[letters[ord(letter)]]
    raised = box("⁴").yMin - box("₄").yMin
    middle = (box("⁴").yMin + box("⁴").yMax) / 2
    smaller = (box("⁴").yMax - box("⁴").yMin) / (box("4").yMax - box("4").yMin)
    def level(letter):
        return middle - smaller * (box(letter).yMin + box(letter).yMax) / 2
    new = {"⁰": ("₀", 1, raised), "⁻": ("−", smaller, level("−")), "⁺": ("+", smaller, level("+"))}
    for letter, (of, scale, up) in new.items():
        name, source = f"uni{ord(letter):04X}", letters[ord(of)]
        glyph = drawn(font, source, scale, up)
        font.setGlyphOrder(font.getGlyphOrder() + [name])
        glyphs[name] = glyph
        glyph.recalcBounds(glyphs)
        font["hmtx"][name] = (round(font["hmtx"][source][0] * scale), glyph.xMin)
        for table in font["cmap"].tables:
            if table.isUnicode():
                table.cmap[ord(letter)] = name
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[0x2011] = letters[ord("-")]  # A hyphen that does not break.
    names = font["name"]
    kept = {i: names.getDebugName(i) for i in (0, 13, 14)}
    full = "Amdahl Sans" if style == "Regular" else f"Amdahl Sans {style}"
    names.names = []
    made = f"{full}, changed from version 2.1.5 of a font of other name"
    for i, text in {**kept, 1: "Amdahl Sans", 2: style, 3: made, 4: full, 5: "Version 2.1.5", 6: f"AmdahlSans-{style}"}.items():
        names.setName(text, i, 3, 1, 0x409)
    font["post"].formatType = 3.0
    font.save(f"{out}/AmdahlSans-{style}.ttf")
PY
ls -l "$out"
