#!/bin/sh
# A report that CI accepts: everything a reader opens is there and not empty. Usage: report-complete.sh DIR
set -eu
dir=$1
for file in report.md verdicts.json figures data; do
    [ -e "$dir/$file" ] || { echo "incomplete report: $dir/$file is missing" >&2; exit 1; }
done
[ "$(find "$dir/figures/" -name '*.svg' -size +1k | wc -l)" -ge 3 ] || {
    echo "incomplete report: fewer than 3 figures in $dir/figures" >&2
    exit 1
}
python3 - "$dir" <<'PY'
import json, pathlib, re, sys

report = pathlib.Path(sys.argv[1])
verdicts = json.loads((report / "verdicts.json").read_text())
text = (report / "report.md").read_text()
models = {row["model"] for row in verdicts["parallelism"]}
# Models that nothing was measured of share a line: `runtime/{one, two}`.
named = set(re.findall(r"`([^`{}\s]+/[^`{}\s]+)`", text))
for runtime, mechanisms in re.findall(r"`([^`{}\s]+/)\{([^}`]+)\}`", text):
    named |= {runtime + mechanism for mechanism in mechanisms.split(", ")}
problems = [f"{model} is not named in report.md" for model in models - named]
if not any(model.startswith("rust/") for model in models):
    problems.append("no rust model was judged")
if not any(model.startswith("python") for model in models):
    problems.append("no CPython was judged")
linked = re.findall(r"\]\((figures/[^)]+|data/[^)]+)\)", text)
problems += [f"report.md links {link}, which is not there" for link in linked if not (report / link).exists()]
if not linked:
    problems.append("report.md links no figure")
figures = {path.stem: set() for path in (report / "figures").glob("*.svg")}
for path in (report / "figures").iterdir():
    figures.setdefault(path.stem, set()).add(path.suffix)
problems += [f"figures/{name} has only {sorted(has)}" for name, has in figures.items() if has != {".svg", ".pdf", ".png", ".tex"}]
for problem in problems:
    print("incomplete report:", problem, file=sys.stderr)
sys.exit(bool(problems))
PY
