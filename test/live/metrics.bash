# shellcheck shell=bash
# metrics.bash - is a file what Prometheus reads, to the letter?

# metrics_good FILE: HELP and TYPE of each metric, all its samples after them, names and labels as they may be, no sample
# twice. Says what is wrong.
metrics_good() {
    python3 - "$1" <<'END'
import re
import sys

text = open(sys.argv[1], newline="").read()
assert text.endswith("\n") and "\r" not in text, "lines"
name = r"[a-z][a-z0-9_]*"
label = r'[a-z_][a-z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
seen, samples, present = set(), set(), None
lines = iter(text[:-1].split("\n"))
for line in lines:
    if line.startswith("# HELP "):
        present, words = line[7:].split(" ", 1)
        assert re.fullmatch(name, present) and words.endswith("."), line
        assert present.startswith("sfb_") and present not in seen, line
        seen.add(present)
        assert next(lines) == f"# TYPE {present} gauge", line
        fresh = True
        continue
    match = re.fullmatch(rf"({name})\{{({label}(?:,{label})*)\}} (-?[0-9.]+(?:e[+-]?[0-9]+)?)", line)
    assert match and match[1] == present, line
    assert (match[1], match[2]) not in samples, line
    samples.add((match[1], match[2]))
    float(match[3])
assert seen == {s[0] for s in samples}, "a metric without a sample"
for metric in seen: # base units, written out
    assert not re.search(r"_(ms|minutes|hours|days|kb|mb|percent|total|count|time)$", metric), metric
    assert not re.search(r"timestamp|duration|skew|expiry", metric) or metric.endswith("_seconds"), metric
    assert "size" not in metric or metric.endswith("_bytes"), metric
END
}

# metric FILE NAME{LABELS}: its value
metric() { grep -F -- "$2 " "$1" | sed 's/.* //'; }
