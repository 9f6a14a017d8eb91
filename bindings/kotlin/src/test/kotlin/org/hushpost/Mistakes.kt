package org.hushpost

import java.net.ServerSocket
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue

/** Step 11 of the scenario. */
class Mistakes(private val alice: User, private val bob: User, private val folder: Path) {
    suspend fun all() {
        val before = alice.with(bob.account).all().size
        aWrongKey()
        nobodyAnswers()
        garbage()
        emptyAndMissing()
        shutDown()
        assertEquals(before, alice.with(bob.account).all().size)
    }

    private suspend fun aWrongKey() {
        val right = Config(folder.resolve("kept.db"), DatabaseKey.generate(), alice.config.relay, alice.config.relayName)
        Client.open(right) { it.register(Registration.Open) }
        val wrong = right.copy(key = DatabaseKey.generate())
        val error = refused<HushpostException.Store>("a wrong key") { Client.open(wrong) }
        assertEquals("wrong_key", error.code)
        assertFalse(error.retryable)
        Client.open(right) { assertTrue(it.accountId() != null, "the account is still there") }
    }

    private suspend fun nobodyAnswers() {
        // Free a moment ago, so nobody listens.
        val port = ServerSocket(0).use { it.localPort }
        val config = Config(folder.resolve("alone.db"), DatabaseKey.generate(), "ws://localhost:$port")
        Client.open(config) { client ->
            val error = refused<HushpostException.Network>("a relay that is not there") {
                client.register(Registration.Open)
            }
            assertEquals("not_connected", error.code)
            assertTrue(error.retryable)
        }
    }

    private suspend fun garbage() {
        val client = alice.client
        val garbage = listOf("", "garbage", "\u0000", "x".repeat(100_000), "👻".repeat(50))
        for (text in garbage) {
            invalid("a conversation's id") { client.conversation(text) }
            invalid("an account's id") { client.conversationWith(text) }
            invalid("a message's id") { client.message(MessageRef(alice.account, text)) }
            invalid("a cursor") { alice.with(bob.account).messagesBefore(text, 10u) }
            invalid("an upload's id") { client.media().resume(text) }
            invalid("an invite link") { InviteLink.parse(text) }
            invalid("a URL") { Client.open(alice.config.copy(relay = text)) }
        }
        invalid("a key") { DatabaseKey.fromBytes(ByteArray(31)) }
    }

    private suspend fun emptyAndMissing() {
        val conversation = alice.with(bob.account)
        for (text in listOf("", "  \n ")) {
            assertEquals(
                "invalid_content",
                refused<HushpostException.Invalid>("an empty text") { conversation.sendText(text) }.code,
            )
        }
        val missing = alice.client.media().upload(folder.resolve("missing.bin"))
        refused<HushpostException.Media>("a missing file") { inTime("its end") { missing.finished() } }
    }

    private suspend fun shutDown() {
        val config = Config(folder.resolve("closed.db"), DatabaseKey.generate(), alice.config.relay)
        val client = Client.open(config)
        client.shutDown()
        val error = refused<HushpostException.Store>("a closed client") { client.conversations(false, 0u, 1u) }
        assertEquals("closed", error.code)
        client.close()
    }

    private inline fun invalid(what: String, call: () -> Any?) {
        val error = try {
            call()
            throw AssertionError("$what: no error")
        } catch (error: HushpostException.Invalid) {
            error
        }
        assertEquals("invalid_input", error.code, what)
    }
}
