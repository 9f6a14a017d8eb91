#!/usr/bin/env bash
# Builds what the Swift package is made of, beside the sources. Nothing of it is committed.
#
#   bindings/swift/build.sh host          for this machine, Linux or macOS: to run tests, and programs on Linux
#   bindings/swift/build.sh xcframework   for iPhones, simulators and Macs: on macOS, with Xcode
#
# With HUSHPOST_BUILT `host` builds nothing: it names a folder that has the library and hushpost-bindgen.
set -euo pipefail
cd "$(dirname "$0")"
what="${1:-}"
root="$(cd ../.. && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

fail() {
    echo "build.sh: $1" >&2
    exit 1
}

# The Swift code goes among the sources, the C header and its module map to the folder that is named.
generate() {
    ../generate swift "$work/generated" >"$work/library"
    mkdir -p Sources/Hushpost/Generated "$1"
    cp "$work/generated/Hushpost.swift" Sources/Hushpost/Generated/
    cp "$work/generated/HushpostFFI.h" "$1/"
    cp "$work/generated/HushpostFFI.modulemap" "$1/module.modulemap"
}

host() {
    generate Sources/HushpostFFI
    rm -rf Library
    mkdir Library
    # A link: the library of a debug build is large, and a newer build is to be found at once.
    ln -s "$(tail -n 1 "$work/library")" Library/
}

# The static library for one or more Rust targets, as one file.
static_library() {
    local out="$1" parts=() triple
    shift
    for triple in "$@"; do
        # Without OpenSSL: on Apple's systems SQLCipher uses CommonCrypto.
        cargo build --locked --lib -p hushpost-ffi --no-default-features --profile release-ffi \
            --target "$triple" --target-dir "$target" --manifest-path "$root/Cargo.toml"
        parts+=("$target/$triple/release-ffi/libhushpost_ffi.a")
    done
    mkdir -p "$(dirname "$out")"
    lipo -create "${parts[@]}" -output "$out"
}

xcframework() {
    [ "$(uname -s)" = Darwin ] || fail "an XCFramework is built on macOS with Xcode. Here: build.sh host."
    command -v xcodebuild >/dev/null || fail "xcodebuild is not there: install Xcode, then run xcode-select --install."
    local triples=(aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios aarch64-apple-darwin x86_64-apple-darwin)
    rustup target add "${triples[@]}" || fail "the Rust targets ${triples[*]} are needed: install rustup."
    target="${CARGO_TARGET_DIR:-$root/target}"
    export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0

    # In a folder of its own, so that it does not meet the module map of another framework.
    generate "$work/headers/HushpostFFI"
    static_library "$work/ios/libhushpost_ffi.a" aarch64-apple-ios
    static_library "$work/simulator/libhushpost_ffi.a" aarch64-apple-ios-sim x86_64-apple-ios
    static_library "$work/macos/libhushpost_ffi.a" aarch64-apple-darwin x86_64-apple-darwin

    rm -rf HushpostFFI.xcframework HushpostFFI.xcframework.zip
    xcodebuild -create-xcframework \
        -library "$work/ios/libhushpost_ffi.a" -headers "$work/headers" \
        -library "$work/simulator/libhushpost_ffi.a" -headers "$work/headers" \
        -library "$work/macos/libhushpost_ffi.a" -headers "$work/headers" \
        -output HushpostFFI.xcframework
    ditto -c -k --keepParent HushpostFFI.xcframework HushpostFFI.xcframework.zip
    echo "Checksum for a release: $(swift package compute-checksum HushpostFFI.xcframework.zip)"
}

case "$what" in
    host) host ;;
    xcframework) xcframework ;;
    *) fail "say what to build: host, or xcframework (on macOS)." ;;
esac
