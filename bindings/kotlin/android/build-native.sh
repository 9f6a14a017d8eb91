#!/usr/bin/env bash
# Makes what the AAR is built from: the library for each ABI, and the generated code.
#
#   ANDROID_NDK_HOME=… bindings/kotlin/android/build-native.sh
#
# Needs the NDK (r27 or later), and the Rust targets, which `rustup target add` brings.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cd "$here/../../.."
api=23

ndk="${ANDROID_NDK_HOME:-${ANDROID_NDK_ROOT:-}}"
if [ -z "$ndk" ]; then
    echo "build-native.sh: set ANDROID_NDK_HOME to the folder of an Android NDK, r27 or later" >&2
    exit 1
fi
case "$(uname -s)" in
    Darwin) host=darwin-x86_64 ;;
    *) host=linux-x86_64 ;;
esac
tools="$ndk/toolchains/llvm/prebuilt/$host/bin"
if [ ! -x "$tools/llvm-readelf" ]; then
    echo "build-native.sh: $ndk is no Android NDK for this machine: $tools/llvm-readelf is not there" >&2
    exit 1
fi

# ABI, Rust's target, and what the NDK's compiler calls it.
build() {
    local abi="$1" target="$2" clang="$tools/${3}${api}-clang"
    local name="${target//-/_}"
    if ! rustc --print target-libdir --target "$target" | xargs test -d; then
        echo "build-native.sh: rustup target add $target" >&2
        exit 1
    fi
    # Memory pages of newer devices have 16 KiB: segments that are aligned to less do not load there.
    env "CARGO_TARGET_${name^^}_LINKER=$clang" \
        "CARGO_TARGET_${name^^}_RUSTFLAGS=-Clink-arg=-Wl,-z,max-page-size=16384" \
        "CC_$name=$clang" "CXX_$name=$clang++" "AR_$name=$tools/llvm-ar" "RANLIB_$name=$tools/llvm-ranlib" \
        "ANDROID_NDK_ROOT=$ndk" "PATH=$tools:$PATH" \
        cargo build --locked --lib -p hushpost-ffi --profile release-ffi --target "$target"
    local folder="$here/src/main/jniLibs/$abi" library
    library="${CARGO_TARGET_DIR:-target}/$target/release-ffi/libhushpost_ffi.so"
    mkdir -p "$folder"
    cp "$library" "$folder/"
    check "$abi" "$folder/libhushpost_ffi.so"
}

check() {
    local abi="$1" library="$2" wrong
    wrong="$("$tools/llvm-readelf" --program-headers --wide "$library" \
        | awk '$1 == "LOAD" && strtonum_($NF) < 16384 { print $NF }
               function strtonum_(hex,   i, n) {
                   n = 0
                   for (i = 3; i <= length(hex); i++) n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
                   return n
               }')"
    if [ -n "$wrong" ]; then
        echo "build-native.sh: $abi: segments aligned to $wrong, not to 0x4000: it does not load on every device" >&2
        exit 1
    fi
    echo "$abi: $(wc -c < "$library") bytes"
}

build arm64-v8a aarch64-linux-android aarch64-linux-android
build armeabi-v7a armv7-linux-androideabi armv7a-linux-androideabi
build x86_64 x86_64-linux-android x86_64-linux-android
"$here/../native.sh" "$here/generated"
