#!/bin/sh
# Copies what the console uses from the packages that package.json beside this names, and writes
# down in README.md of which versions it is, and by which sums it is known.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cp package.json "$made"
npm install --prefix "$made" --ignore-scripts --omit=dev --no-audit --no-fund --silent
sed '/^| `/d' README.md >"$made/README.md"
for package in htmx.org:htmx.min.js:htmx idiomorph:idiomorph-ext.min.js:idiomorph; do
    name=${package%%:*} file=${package#*:}
    licence=${file##*:}.LICENSE file=${file%%:*}
    cp "$made/node_modules/$name/dist/$file" .
    cp "$made/node_modules/$name/LICENSE" "$licence"
    version=$(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$made/node_modules/$name/package.json")
    for each in "$file" "$licence"; do
        sum=$(sha256sum "$each")
        echo "| \`$each\` | $name | $version | \`${sum%% *}\` |" >>"$made/README.md"
    done
done
cp "$made/README.md" README.md
