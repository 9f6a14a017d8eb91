#!/usr/bin/env bash
# Writes the generated Kotlin code, and puts the library of this machine where JNA looks for it.
#
#   bindings/kotlin/native.sh CODE_FOLDER [LIBRARY_FOLDER] [--release]
#
# A jar made of LIBRARY_FOLDER by several machines holds the libraries of all of them: JNA picks by platform. With
# HUSHPOST_BUILT nothing is built (see bindings/generate).
set -euo pipefail
code="${1:?a folder for the code}"
libraries="${2:-}"
flavour="${3:-}"
here="$(cd "$(dirname "$0")" && pwd)"

mkdir -p "$code"
fresh="$(mktemp -d)"
trap 'rm -rf "$fresh"' EXIT
library="$("$here/../generate" kotlin "$fresh" ${flavour:+"$flavour"} | tail -n 1)"

# As it is generated, an object that is passed as an argument, or lies in a record that is, is not checked for having
# been closed: its freed memory would be used. `callWithHandle` is what methods do for their own object.
file="$fresh/org/hushpost/hushpost.kt"
sed -i.before 's/^        return value\.uniffiCloneHandle()$/        return value.callWithHandle { it }/' "$file"
if cmp -s "$file" "$file.before"; then
    echo "native.sh: the generated code has changed; look at how objects are lowered" >&2
    exit 1
fi
rm "$file.before"
# Cases without fields print their name then, and not where they lie in memory.
sed -i.before 's/^    object \([A-Za-z]*\) : /    data object \1 : /' "$file"
rm "$file.before"

# Left alone if nothing changed: it takes long to compile.
mkdir -p "$code/org/hushpost"
cmp -s "$file" "$code/org/hushpost/hushpost.kt" || cp "$file" "$code/org/hushpost/hushpost.kt"

[ -n "$libraries" ] || exit 0
case "$(uname -m)" in
    x86_64 | amd64) machine=x86-64 ;;
    arm64 | aarch64) machine=aarch64 ;;
    *) machine="$(uname -m)" ;;
esac
case "$(uname -s)" in
    Darwin) platform="darwin-$machine" ;;
    MINGW* | MSYS*) platform="win32-$machine" ;;
    *) platform="linux-$machine" ;;
esac
mkdir -p "$libraries/$platform"
cp -p "$library" "$libraries/$platform/"
