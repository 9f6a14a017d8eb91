#!/usr/bin/env bash
# Builds the fuzz targets and runs each (or those named) for the given number of seconds, starting
# from the recorded messages and records of tests/fixtures; stops at the first finding.
set -euo pipefail
cd "$(dirname "$0")"

if [[ ! "${1:-}" =~ ^[0-9]+$ ]]; then
    echo "usage: fuzz/run.sh SECONDS [TARGET...]" >&2
    exit 2
fi
seconds=$1
shift
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "cargo-fuzz is missing: rustup toolchain install nightly && cargo install cargo-fuzz --locked" >&2
    exit 2
fi

targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    while read -r target; do
        targets+=("$target")
    done < <(cargo +nightly fuzz list --fuzz-dir .)
fi
cargo +nightly fuzz build --fuzz-dir .

# Every longer hexadecimal string of the fixtures is a message, a key or a record.
mkdir -p seeds
number=0
while read -r hex; do
    number=$((number + 1))
    printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")" >"seeds/$number"
done < <(grep -ohE '"[0-9a-f]{64,}"' ../tests/fixtures/*.json | tr -d '"' | sort -u)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
    inputs=("corpus/$target")
    mkdir -p "${inputs[0]}"
    if [[ $target != conversation ]]; then # its inputs are events, not messages
        inputs+=(seeds)
    fi
    # An input has at most 8 KB; hostile bytes may not cost 16 MB in one piece, nor 10 seconds.
    if ! cargo +nightly fuzz run --fuzz-dir . "$target" "${inputs[@]}" -- \
        -max_total_time="$seconds" -max_len=8192 -malloc_limit_mb=16 -timeout=10 \
        -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "FOUND SOMETHING: $target"
        exit 1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, nothing found"
done
