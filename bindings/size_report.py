"""What takes the space: sums the symbols of the library by the crate, or the C library, that they belong to.

Reads `nm --print-size --demangle` on standard input; the argument is the size of the stripped file. See size-report.
"""

import re
import sys
from collections import Counter

GOAL = 8 * 1024 * 1024

# C has no crates in its names.
C_LIBRARIES = [
    ("SQLite, SQLCipher (C)", r"(sqlite3|fts5|sqlcipher|json[A-Z_]|vdbe|btree|pager|wal[A-Z]|where|expr|select)"),
    ("AWS-LC (C, assembly)", r"(aws_lc_|OPENSSL|CRYPTO|EVP|EC_|BN_|ec_|bn_|p256|p384|p521|ml_|mlkem|mldsa|sha|aes|gcm"
                             r"|chacha20|x25519|ed25519|edwards25519|curve25519|fiat_|RSA|BIO|kObject)"),
]


def owner(symbol: str) -> str:
    """Whose a symbol is: the first path in its name."""
    for name, pattern in C_LIBRARIES:
        if re.match(pattern, symbol):
            return name
    path = re.search(r"([a-z][a-z0-9_]*)(?:\[[0-9a-f]+\])?::", symbol)
    return path.group(1) if path else "other C, and the exports"


def main() -> None:
    shipped = int(sys.argv[1])
    sizes: Counter[str] = Counter()
    for line in sys.stdin:
        parts = line.rstrip().split(maxsplit=3)
        # Zeroed memory (b) takes no space in the file.
        if len(parts) == 4 and len(parts[2]) == 1 and parts[2].lower() in "tdrvw":
            sizes[owner(parts[3])] += int(parts[1], 16)
    print(f"{shipped:>11,} bytes as shipped, stripped; the goal is below {GOAL:,}")
    print(f"{sum(sizes.values()):>11,} of them in code and data with a name, by owner:")
    for name, size in sizes.most_common(24):
        print(f"{size:>11,}   {name}")


if __name__ == "__main__":
    main()
