#!/bin/sh
# The tables and figures of the documents are what their commands print, and one that is not is seen.
set -eu
cd "$1"
scripts/update-tables --check README.md docs/results.md docs/format.md results/performance.md
changed=$(mktemp)
trap 'rm -f "$changed"' EXIT
planted() {
  if scripts/update-tables --check "$changed" 2> /dev/null; then
    echo "$1 was not seen" >&2
    exit 1
  fi
}
sed 's/^| all | [0-9]/| all | 77/' results/performance.md > "$changed"
planted "a changed table"
command='scripts/schema-table results/schema/tuned-v2.schema.json'
printf 'The schema is <!-- %s -->of 7 tables<!-- end -->.\n' "$command" > "$changed"
planted "a changed figure in a sentence"
printf '<!-- %s -->\n\na table\n\nprose\n\n<!-- %s -->\n\n<!-- end -->\n' "$command" "$command" > "$changed"
planted "a table without its end"
