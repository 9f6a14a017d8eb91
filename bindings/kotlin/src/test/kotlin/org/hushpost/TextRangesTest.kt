package org.hushpost

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class TextRangesTest {
    private val text = "aß–🌳z"

    @Test
    fun `bytes and indices go back and forth at every character`() {
        val places = listOf(0 to 0, 1 to 1, 2 to 3, 3 to 6, 5 to 10, 6 to 11)
        for ((from, fromByte) in places) for ((to, toByte) in places) {
            if (to < from) continue
            val range = TextRange(fromByte.toUInt(), toByte.toUInt())
            assertEquals(from until to, range.indicesIn(text))
            assertEquals(range, TextRange.of(text, from until to))
        }
    }

    @Test
    fun `what is not in the text is left out`() {
        assertEquals(6 until 6, TextRange(11u, 99u).indicesIn(text))
        assertEquals(5 until 6, TextRange(10u, UInt.MAX_VALUE).indicesIn(text))
        assertEquals(0 until 0, TextRange(0u, 5u).indicesIn(""))
        assertEquals(1 until 1, TextRange(1u, 0u).indicesIn(text))
    }

    @Test
    fun `a parted character is whole`() {
        assertEquals("🌳", text.substring(TextRange(7u, 8u).indicesIn(text)))
        assertEquals("ß–", text.substring(TextRange(2u, 4u).indicesIn(text)))
    }

    @Test
    fun `a range that is sent has to be right`() {
        assertThrows<IllegalArgumentException> { TextRange.of(text, 0..6) }
        assertThrows<IllegalArgumentException> { TextRange.of(text, 4..5) }
        assertThrows<IllegalArgumentException> { TextRange.of(text, 3..3) }
        assertThrows<IllegalArgumentException> { TextRange.of(text, -1..2) }
        assertThrows<IllegalArgumentException> { TextRange.of(text, 4..1) }
    }
}
