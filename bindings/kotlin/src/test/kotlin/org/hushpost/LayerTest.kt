package org.hushpost

import java.net.ServerSocket
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlin.random.Random
import kotlin.reflect.full.primaryConstructor
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.yield
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir

/** What is written by hand on top of the generated code, and what apps do with it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LayerTest {
    private lateinit var stage: TestStage
    private lateinit var folder: Path
    private lateinit var user: User
    private var made = 0

    @BeforeAll
    fun setUp(@TempDir folder: Path) = play {
        this@LayerTest.folder = folder
        stage = TestStage.start()
        user = User.online("Layer", folder, stage)
    }

    @AfterAll
    fun tearDown() = play {
        stage.use { inTime("the end of the client") { user.client.end() } }
    }

    private fun offline() = Config(folder.resolve("offline${made++}.db"), DatabaseKey.generate(), stage.relay)

    @Test
    fun `a collector that waits ends when it is cancelled`() = play {
        repeat(100) {
            val reader = launch(Dispatchers.Default) { user.client.events().collect() }
            if (it % 2 == 0) yield()
            inTime("its end") { reader.cancelAndJoin() }
        }
        assertTrue(user.client.connectionState() == ConnectionState.Online)
    }

    @Test
    fun `who takes one item ends the subscription`() = play {
        assertEquals(listOf(ConnectionState.Online), inTime("a state") { user.client.connectionStates().take(1).toList() })
        val lists = inTime("a list") { user.client.conversationList().take(1).toList() }
        assertTrue(lists.single() is ListChange.Reset)
    }

    @Test
    fun `two collectors both get everything`() = play {
        val readers = List(2) {
            async(start = CoroutineStart.UNDISPATCHED) {
                inTime("two messages") { user.client.events().filterIsInstance<Event.MessageAdded>().take(2).toList() }
            }
        }
        val conversation = user.with(stage.rust)
        val sent = conversation.sendText("echo: for two")
        assertEquals(sent, conversation.sendText("echo: for two again").let { readers.awaitAll(); sent })
        val got = readers.awaitAll()
        assertEquals(got[0], got[1])
        assertEquals(sent, got[0].first().message)
    }

    @Test
    fun `a copy of the list follows it`() = play {
        val list = mutableListOf<ConversationSummary>()
        val id = user.with(stage.rust).id()
        val reader = launch(start = CoroutineStart.UNDISPATCHED) {
            user.client.conversationList().first { change ->
                change.applyTo(list)
                list.any { it.id == id && it.draft == "a draft" }
            }
        }
        user.with(stage.rust).setDraft("a draft")
        inTime("the draft in the list") { reader.join() }
    }

    @Test
    fun `a slow collector of the list holds nothing up`() = play {
        val conversation = user.with(stage.rust)
        var changes = 0
        val reader = launch(start = CoroutineStart.UNDISPATCHED) {
            user.client.conversationList().take(4).collect {
                changes++
                // What an app does: it asks for more of what changed, and takes its time.
                inTime("an answer while the list is observed") { repeat(20) { user.client.unread() } }
            }
        }
        inTime("four changes") {
            while (reader.isActive) {
                conversation.setDraft("draft $changes ${System.nanoTime()}")
                yield()
            }
        }
        assertEquals(4, changes)
    }

    @Test
    fun `streams end without an error when the client is shut down`() = play {
        val client = Client.open(offline())
        val streams = mapOf(
            "events" to client.events(), "states" to client.connectionStates(), "the list" to client.conversationList(),
        )
        val readers = streams.mapValues { (_, stream) ->
            launch(Dispatchers.Default, CoroutineStart.UNDISPATCHED) { stream.collect() }
        }
        client.shutDown()
        for ((name, reader) in readers) inTime("the end of $name") { reader.join() }
        client.close()
    }

    @Test
    fun `a session is shut down however its block ends`() = play {
        val config = offline()
        var kept: Contacts? = null
        assertEquals(7, Client.open(config) { client -> kept = client.contacts(); 7 })
        assertEquals("closed", refused<HushpostException.Store>("a session that is over") { kept!!.list() }.code)
        assertThrows<IllegalArgumentException> { play { Client.open(config) { throw IllegalArgumentException() } } }
        val running = launch(start = CoroutineStart.UNDISPATCHED) { Client.open(config) { it.events().collect() } }
        inTime("the end of a session that is cancelled") { running.cancelAndJoin() }
        // It could not be opened if the one before had it still.
        Client.open(config) { it.unread() }
    }

    @Test
    fun `closing lets a handle go and shutting down ends the client`() = play {
        val client = Client.open(offline())
        val contacts = client.contacts()
        client.close()
        assertThrows<IllegalStateException> { client.connect() }
        assertEquals(emptyList<Contact>(), contacts.list())
    }

    @Test
    fun `a closed object is refused as an argument`() = play {
        val config = offline()
        config.key.close()
        assertThrows<IllegalStateException> { play { Client.open(config) } }
        assertThrows<IllegalStateException> { config.toString() }
    }

    @Test
    fun `a send that nobody waits for happens or does not and breaks nothing`() = play {
        val conversation = user.with(stage.rust)
        val texts = List(60) { "echo: cancelled $it" }
        val sends = texts.map { launch(Dispatchers.Default) { conversation.sendText(it) } }
        sends.forEachIndexed { index, send -> if (index % 3 != 0) send.cancel() }
        sends.joinAll()
        user.untilState(conversation.sendText("echo: the last"), "delivered") { it == MessageState.Delivered }
        val said = conversation.texts().filter { it.startsWith("echo: cancelled") }
        assertEquals(said.toSet().size, said.size)
        assertTrue(said.containsAll(texts.filterIndexed { index, _ -> index % 3 == 0 }))
    }

    @Test
    fun `errors have a code a reason and a hint on the base type`() = play {
        val error: HushpostException = refused<HushpostException.Invalid>("garbage") { InviteLink.parse("garbage") }
        assertEquals("invalid_input", error.code)
        assertFalse(error.retryable)
        assertTrue(error.reason.isNotEmpty())
        for (kind in HushpostException::class.sealedSubclasses) {
            val made = kind.primaryConstructor!!.call("a_code", "a reason", true)
            assertEquals(Triple("a_code", "a reason", true), Triple(made.code, made.reason, made.retryable))
        }
    }

    @Test
    fun `cases print their names`() {
        val cases = listOf(MessageState.Queued, ConnectionState.Offline, Event.CaughtUp)
        assertEquals("[Queued, Offline, CaughtUp]", cases.toString())
    }

    @Test
    fun `log lines reach the app and a sink that throws harms nothing`() = play {
        val lines = java.util.concurrent.LinkedBlockingQueue<LogLine>()
        setLogSink(object : LogSink {
            override fun log(line: LogLine) {
                lines.add(line)
                error("the app's own fault")
            }
        }, LogLevel.TRACE)
        // That there is no connection is worth a line.
        val port = ServerSocket(0).use { it.localPort }
        Client.open(offline().copy(relay = "ws://localhost:$port")) { client ->
            client.connect()
            assertNotNull(lines.poll(60, TimeUnit.SECONDS), "nothing was logged")
        }
        val conversation = user.with(stage.rust)
        user.untilState(conversation.sendText("echo: a secret text"), "delivered") { it == MessageState.Delivered }
        setLogSink(null, LogLevel.ERROR)
        assertTrue(lines.none { "a secret text" in it.toString() })
    }

    @Test
    fun `no printed form has a secret or what a user wrote`() = play {
        val marker = "what-a-user-wrote"
        val conversation = user.with(stage.rust)
        val message = user.client.message(conversation.sendText("echo: a message"))!!
        val upload = user.client.media().upload(java.nio.file.Files.write(folder.resolve("a.bin"), ByteArray(9)))
        val file = inTime("an upload") { upload.finished() }.file
        val id = Regex("""(?i)(account|sender|peer|sharedBy|by|author|from|members|accounts|votes|\.to)$""")
        fun text(name: String) = when {
            name in PRINTED -> "printed"
            name == "MessageRef.id" -> message.id.id
            name.endsWith(".id") || name.endsWith("conversation") || name.endsWith("group") -> message.conversation
            name.endsWith("cursor") -> message.cursor
            id.containsMatchIn(name) -> stage.rust
            name.endsWith("code") && !name.startsWith("InviteCode") || name.endsWith("cause") -> "a_code"
            else -> marker
        }
        val random = Random(1)
        val garbage = Garbage(random, ::text) { if (it == FileRef::class) file else DatabaseKey.generate() }
        val failures = mutableListOf<String>()
        for (kind in Api.records) {
            if (kind == UnfinishedUpload::class || kind == LogLine::class) continue
            var printed = 0
            repeat(40) {
                val record = try {
                    garbage.instance(kind)
                } catch (_: Garbage.None) {
                    return@repeat
                }
                try {
                    if (marker in record.toString()) failures += "$kind prints: $record"
                    printed++
                } catch (_: IllegalArgumentException) {
                    // A negative duration, say, that does not cross the bridge.
                } catch (_: java.time.DateTimeException) {
                } catch (_: ArithmeticException) {
                }
            }
            if (printed == 0) failures += "$kind was never printed"
        }
        assertEquals(emptyList<String>(), failures.distinct())
    }

    private companion object {
        /** A relay's address, what the relay itself knows, and an emoji: what is printed as it is. */
        val PRINTED = setOf("Config.relay", "NameMoved.name", "UserNameLost.name", "Reaction.emoji")
    }
}
