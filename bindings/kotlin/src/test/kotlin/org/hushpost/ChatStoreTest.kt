package org.hushpost

import java.nio.file.Path
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import org.hushpost.sample.ChatStore
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** The state of the sample app, without Android. */
class ChatStoreTest {
    @Test
    fun `what a screen shows follows what happens`(@TempDir folder: Path) = play {
        TestStage.start().use { stage ->
            val job = Job()
            val scope = CoroutineScope(Dispatchers.Default + job)
            val config = Config(folder.resolve("app.db"), DatabaseKey.generate(), stage.relay, stage.relayName)
            val store = ChatStore.open(config, scope)
            assertEquals(ConnectionState.Offline, store.connection.value)
            store.foreground()
            inTime("online") { store.connection.first { it == ConnectionState.Online } }

            val id = store.conversationWith(stage.rust)
            val chat = store.chat(id, scope)
            chat.typed()
            chat.send("hello")
            inTime("the answer") { chat.messages.first { all -> all.any { it.text == "echo: hello" } } }
            inTime("the list") { store.conversations.first { list -> list.any { it.id == id && it.unread == 1uL } } }
            chat.seen()
            inTime("nothing unread") { store.conversations.first { list -> list.any { it.id == id && it.unread == 0uL } } }
            chat.send(" ")
            assertEquals("invalid_content", chat.trouble.value)

            store.background()
            inTime("offline") { store.connection.first { it == ConnectionState.Offline } }
            chat.send("later")
            inTime("it waits") { chat.messages.first { all -> all.last().state == MessageState.Queued } }
            store.foreground()
            inTime("the answer to it") { chat.messages.first { all -> all.any { it.text == "echo: later" } } }
            store.stop()
            inTime("the end") { job.cancelAndJoin() }
        }
    }
}
