#!/bin/sh
# Copies what the console uses from the packages that package.json beside this names.
set -eu
cd "$(dirname "$0")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cp package.json "$made"
npm install --prefix "$made" --ignore-scripts --omit=dev --no-audit --no-fund --silent
for package in htmx.org:htmx.min.js:htmx idiomorph:idiomorph-ext.min.js:idiomorph; do
    name=${package%%:*} file=${package#*:}
    cp "$made/node_modules/$name/dist/${file%%:*}" .
    cp "$made/node_modules/$name/LICENSE" "${file##*:}.LICENSE"
done
