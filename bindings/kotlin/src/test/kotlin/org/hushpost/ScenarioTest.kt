package org.hushpost

import java.nio.file.Path
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.yield
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.MethodOrderer.OrderAnnotation
import org.junit.jupiter.api.Order
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.TestMethodOrder
import org.junit.jupiter.api.io.TempDir

/** The story of `bindings/SCENARIO.md`, step by step: each goes on where the one before ended. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(OrderAnnotation::class)
class ScenarioTest {
    private lateinit var stage: TestStage
    private lateinit var folder: Path
    private lateinit var alice: User
    private lateinit var bob: User
    private lateinit var files: FileSteps

    @BeforeAll
    fun setUp(@TempDir folder: Path) {
        this.folder = folder
        stage = TestStage.start()
        alice = User("Alice", folder, stage.relay, stage.relayName)
        bob = User("Bob", folder, stage.relay, stage.relayName)
        files = FileSteps(alice, bob, folder)
    }

    @AfterAll
    fun tearDown() = play {
        stage.use {
            inTime("the end of the clients") {
                alice.client.end()
                bob.client.end()
            }
        }
    }

    @Test
    @Order(10)
    fun `1 two register`() = play {
        for (user in listOf(alice, bob)) {
            user.open()
            assertNull(user.client.accountId())
            user.register()
            user.goOnline()
        }
        assertTrue(alice.account != bob.account)
        alice.client.end()
        alice.open()
        assertEquals(alice.account, alice.client.accountId())
        alice.goOnline()
    }

    @Test
    @Order(20)
    fun `2 one to one with ticks`() = play {
        val sent = alice.with(bob.account).sendText("hello, Bob")
        val request = bob.until("a request") {
            bob.client.conversations(false, 0u, 10u).find { it.peer == alice.account && it.requested }
        }
        val conversation = bob.client.conversation(request.id)
        val got = bob.untilText(conversation, "hello, Bob")
        assertEquals(sent, got.id)
        assertEquals(1uL, conversation.summary().unread)
        alice.untilState(sent, "sent") { it == MessageState.Sent }

        conversation.accept()
        alice.untilState(sent, "delivered") { it == MessageState.Delivered }
        assertFalse(conversation.summary().requested)

        conversation.markRead(got.cursor)
        val read = alice.untilState(sent, "read") { it == MessageState.Read }
        assertNotNull(read.accepted)
        assertNotNull(read.delivered)
        assertNotNull(read.read)
        assertEquals(0uL, conversation.summary().unread)
    }

    @Test
    @Order(30)
    fun `3 offline`() = play {
        bob.client.disconnect()
        val conversation = alice.with(bob.account)
        val texts = listOf("offline 1", "offline 2", "offline 3")
        val sent = texts.map { conversation.sendText(it) }
        sent.forEach { message -> alice.untilState(message, "sent") { it == MessageState.Sent } }
        bob.goOnline()
        bob.untilText(bob.with(alice.account), "offline 3")
        sent.forEach { message -> alice.untilState(message, "delivered") { it == MessageState.Delivered } }
        assertEquals(texts, bob.with(alice.account).texts().filter { it.startsWith("offline") })
    }

    @Test
    @Order(40)
    fun `4 a relay that dies`() = play {
        stage.does("kill")
        val sent = alice.with(bob.account).sendText("into the dark")
        alice.untilState("a connection that waits") { it is ConnectionState.Waiting }
        assertEquals(MessageState.Queued, alice.client.message(sent)?.state)
        stage.does("start")
        alice.untilState("Alice online again") { it == ConnectionState.Online }
        bob.untilState("Bob online again") { it == ConnectionState.Online }
        alice.untilState(sent, "delivered") { it == MessageState.Delivered }
        assertEquals(1, bob.with(alice.account).texts().count { it == "into the dark" })
    }

    @Test
    @Order(50)
    fun `5 a user of another language`() = play {
        val conversation = alice.with(stage.rust)
        conversation.sendText("are you there?")
        val answer = alice.untilText(conversation, "echo: are you there?")
        assertEquals(stage.rust, answer.id.sender)
        assertNull((answer.content as Content.Text).text.replyTo)
    }

    @Test
    @Order(55)
    fun `5b a user of Python`() = play {
        val bot = PythonBot.start(stage) ?: return@play
        bot.use { withPython(bot.account) }
    }

    private suspend fun withPython(python: AccountId) {
        val conversation = alice.with(python)
        conversation.sendText("are you there?")
        assertEquals(python, alice.untilText(conversation, "python: are you there?").id.sender)

        val group = alice.client.createGroup(NewGroup("Three languages", listOf(python, stage.rust)))
        group.conversation().sendText("who is here?")
        val rust = alice.untilText(group.conversation(), "echo: who is here?")
        val fromPython = alice.untilText(group.conversation(), "python: who is here?")
        assertEquals(listOf(stage.rust, python), listOf(rust.id.sender, fromPython.id.sender))
        // Only Rust answers that: what it echoes of Python's has come from one to the other.
        alice.untilText(group.conversation(), "echo: python: who is here?")
        group.leave()
    }

    @Test
    @Order(60)
    fun `6 a group with a removal`() = play {
        val group = alice.client.createGroup(NewGroup("The three", listOf(bob.account, stage.rust)))
        val atAlice = group.conversation()
        val atBob = bob.until("the group") {
            bob.client.conversations(false, 0u, 10u).find { it.id == group.id() }?.let { bob.client.conversation(it.id) }
        }
        if (atBob.summary().requested) atBob.accept()
        assertEquals("The three", atBob.summary().name)

        atAlice.sendText("Alice says")
        bob.untilText(atBob, "echo: Alice says")
        atBob.sendText("Bob says")
        alice.untilText(atAlice, "Bob says")
        alice.untilText(atAlice, "echo: Bob says")
        assertTrue("Alice says" in atBob.texts())

        group.remove(listOf(bob.account))
        bob.until("that Bob is out") { bob.client.group(group.id()).info().takeIf { it.members.isEmpty() } }
        assertEquals(2, group.info().members.size)
        refused<HushpostException.NotAllowed>("writing to a group one is not in") { atBob.sendText("let me in") }

        atAlice.sendText("without Bob")
        alice.untilText(atAlice, "echo: without Bob")
        // Said after it, and come: what was said before it would be here as well.
        alice.with(bob.account).sendText("after the group")
        bob.untilText(bob.with(alice.account), "after the group")
        assertTrue(atBob.texts().none { "without Bob" in it })
    }

    @Test
    @Order(70)
    fun `7 an attachment`() = play { files.attachment() }

    @Test
    @Order(71)
    fun `7 an upload that is cancelled`() = play { files.cancelledUpload() }

    @Test
    @Order(80)
    fun `8 search`() = play {
        val said = "the parcel is in the ÄLDERBUSCH 🌳, behind the shed"
        alice.with(bob.account).sendText(said)
        bob.untilText(bob.with(alice.account), said)
        val hit = bob.client.search("älderbusch", 0u, 10u).single()
        assertEquals(said, hit.message.text)
        assertEquals(listOf("ÄLDERBUSCH"), hit.highlights.map { said.substring(it.indicesIn(said)) })
        assertEquals(emptyList<SearchHit>(), bob.client.search("xylophone", 0u, 10u))
    }

    @Test
    @Order(90)
    fun `9 typing`() = play {
        val typing = async(start = CoroutineStart.UNDISPATCHED) {
            inTime("typing") { bob.client.events().filterIsInstance<Event.Typing>().first() }
        }
        alice.with(bob.account).setActivity(Activity.TYPING)
        val conversation = bob.with(alice.account).id()
        assertEquals(Event.Typing(conversation, alice.account, Activity.TYPING), typing.await())
    }

    @Test
    @Order(100)
    fun `10 a key changes`() = play {
        val contacts = alice.client.contacts()
        val number = contacts.safetyNumber(stage.rust)
        assertEquals(60, number.digits().count { it.isDigit() })
        assertFalse(number.matchesScanned(number.qrPayload()), "the other's code is the mirror image of one's own")
        contacts.setVerified(stage.rust, true)

        val changed = async(start = CoroutineStart.UNDISPATCHED) {
            inTime("that devices changed") {
                alice.client.events().filterIsInstance<Event.DevicesChanged>().first { it.account == stage.rust }
            }
        }
        stage.does("renew")
        changed.await()
        assertEquals(true, contacts.get(stage.rust)?.changePending)
        val conversation = alice.with(stage.rust)
        val error = refused<HushpostException.NotAllowed>("writing to who changed") { conversation.sendText("still you?") }
        assertEquals("verification_needed", error.code)

        contacts.acceptChange(stage.rust)
        conversation.sendText("you again")
        alice.untilText(conversation, "echo: you again")
        assertTrue("still you?" !in conversation.texts())
    }

    @Test
    @Order(110)
    fun `11 what goes wrong`() = play { Mistakes(alice, bob, folder).all() }

    @Test
    @Order(120)
    fun `12 five hundred at once`() = play {
        val conversation = alice.with(bob.account)
        val texts = List(500) { "burst $it" }
        val atBob = bob.with(alice.account)
        val id = atBob.id()
        val come = async(start = CoroutineStart.UNDISPATCHED) {
            inTime("500 messages") {
                bob.client.events().filterIsInstance<Event.MessageAdded>().filter { it.conversation == id }
                    .take(500).map { it.message }.toList()
            }
        }
        val sent = coroutineScope {
            texts.map { async(Dispatchers.Default) { conversation.sendText(it) } }.awaitAll()
        }
        assertEquals(500, sent.toSet().size)
        assertEquals(sent.toSet(), come.await().toSet())
        assertEquals(texts.sorted(), atBob.texts().filter { it.startsWith("burst ") }.sorted())
    }

    @Test
    @Order(130)
    fun `13 a subscription cancelled in the middle`() = play {
        var seen = 0
        val reader = launch(start = CoroutineStart.UNDISPATCHED) {
            alice.client.events().onEach { seen++ }.first { false }
        }
        alice.with(bob.account).sendText("an event")
        inTime("an event") { while (seen == 0) yield() }
        inTime("the end of the subscription") { reader.cancelAndJoin() }

        val next = async(start = CoroutineStart.UNDISPATCHED) {
            inTime("another event") { alice.client.events().filterIsInstance<Event.MessageAdded>().first() }
        }
        val sent = alice.with(bob.account).sendText("another event")
        assertEquals(sent, next.await().message)
    }

    @Test
    @Order(140)
    fun `14 a push`() = play {
        bob.client.contacts().setName(alice.account, "Alice")
        bob.client.end()
        val conversation = alice.with(bob.account)
        val texts = listOf("pushed 1", "pushed 2")
        texts.map { conversation.sendText(it) }
            .forEach { message -> alice.untilState(message, "sent") { it == MessageState.Sent } }

        val result = processPush(bob.config, java.time.Duration.ofSeconds(20))
        assertEquals(PushEnd.CAUGHT_UP, result.end)
        val shown = result.messages.filter { it.preview.startsWith("pushed") }
        assertEquals(texts, shown.map { it.preview })
        assertTrue(shown.all { it.title == "Alice" })

        bob.open()
        bob.goOnline()
        assertEquals(texts, bob.with(alice.account).texts().filter { it.startsWith("pushed") })
    }
}
