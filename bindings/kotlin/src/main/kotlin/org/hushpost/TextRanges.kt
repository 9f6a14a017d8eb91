package org.hushpost

/**
 * This range as indices of [text], in which it lies: for `substring` and spans. The SDK counts in bytes of UTF-8,
 * Kotlin in UTF-16. What lies beyond the text's end is left out, and a range that begins or ends in the middle of a
 * character has all of it, so that nothing here fails while something is shown.
 */
fun TextRange.indicesIn(text: String): IntRange {
    val first = text.indexOfByte(start, after = false)
    val end = text.indexOfByte(maxOf(start, end), after = true)
    return first until end
}

/**
 * The range of [text] that has these indices: for mentions.
 *
 * @throws IllegalArgumentException if they are not in the text, or part a character (a surrogate pair).
 */
fun TextRange.Companion.of(text: String, indices: IntRange): TextRange {
    val end = indices.last + 1
    require(indices.first in 0..end && end <= text.length) { "the range is not in the text" }
    require(!text.parts(indices.first) && !text.parts(end)) { "the range parts a character" }
    val start = text.utf8Length(0, indices.first)
    return TextRange(start.toUInt(), (start + text.utf8Length(indices.first, end)).toUInt())
}

private fun String.parts(index: Int): Boolean =
    index in 1..<length && this[index].isLowSurrogate() && this[index - 1].isHighSurrogate()

private fun String.utf8Length(from: Int, to: Int): Int {
    var bytes = 0
    var index = from
    while (index < to) {
        val character = codePointAt(index)
        bytes += utf8Length(character)
        index += Character.charCount(character)
    }
    return bytes
}

private fun utf8Length(character: Int): Int = when {
    character < 0x80 -> 1
    character < 0x800 -> 2
    character < 0x10000 -> 3
    else -> 4
}

/** The index of the character that has this byte; or, if it does not begin there, of the one after it. */
private fun String.indexOfByte(byte: UInt, after: Boolean): Int {
    var bytes = 0u
    var index = 0
    while (index < length && bytes < byte) {
        val character = codePointAt(index)
        val next = bytes + utf8Length(character).toUInt()
        if (next > byte && !after) break
        bytes = next
        index += Character.charCount(character)
    }
    return index
}
