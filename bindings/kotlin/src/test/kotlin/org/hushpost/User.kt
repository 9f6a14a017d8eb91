package org.hushpost

import java.nio.file.Path
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

/** Whatever takes longer hangs. */
private val HANG = 60.seconds

/** Runs a test's coroutines. */
fun play(test: suspend CoroutineScope.() -> Unit): Unit = runBlocking { test() }

/** Does what has to come to an end. */
suspend fun <T> inTime(what: String, work: suspend CoroutineScope.() -> T): T =
    try {
        withTimeout(HANG, work)
    } catch (_: TimeoutCancellationException) {
        throw AssertionError("in $HANG there was not: $what")
    }

/** The error that a call gives. */
suspend inline fun <reified E : HushpostException> refused(what: String, call: suspend () -> Any?): E {
    val value = try {
        call()
    } catch (error: CancellationException) {
        throw error
    } catch (error: HushpostException) {
        return error as? E ?: throw AssertionError("$what: not ${E::class.simpleName}", error)
    }
    throw AssertionError("$what: no error, but $value")
}

/** Somebody with a database of their own, and a client that can be opened anew. */
class User(val name: String, folder: Path, relay: String, relayName: String) {
    val config: Config = Config(
        database = folder.resolve("$name.db"),
        key = DatabaseKey.generate(),
        relay = relay,
        relayName = relayName,
        manyProcesses = true,
    )
    lateinit var client: Client
        private set
    lateinit var account: AccountId
        private set

    suspend fun open() {
        client = Client.open(config)
    }

    suspend fun register() {
        account = client.register(Registration.Open)
    }

    /** Connects, and waits until everything is here. */
    suspend fun goOnline() {
        client.connect()
        untilState("$name online") { it == ConnectionState.Online }
    }

    suspend fun untilState(what: String, wanted: (ConnectionState) -> Boolean) {
        inTime(what) { client.connectionStates().first { wanted(it) } }
    }

    /** Looks again whenever something happened here, until there is an answer. */
    suspend fun <T : Any> until(what: String, look: suspend () -> T?): T = inTime("$what ($name)") {
        // Subscribed first, so that nothing happens between a look and the wait.
        client.eventStream().use { feed ->
            var found = look()
            while (found == null) {
                check(feed.next(256u).isNotEmpty()) { "the client of $name was shut down" }
                found = look()
            }
            found
        }
    }

    suspend fun with(other: AccountId): Conversation = client.conversationWith(other)

    suspend fun untilState(message: MessageRef, what: String, wanted: (MessageState) -> Boolean): Message =
        until("the message $what") { client.message(message)?.takeIf { wanted(it.state) } }

    /** Waits until a conversation has a text. */
    suspend fun untilText(conversation: Conversation, text: String): Message =
        until("a message «$text»") { conversation.all().find { it.text == text } }

    companion object {
        /** Somebody who is registered and online. */
        suspend fun online(name: String, folder: Path, stage: TestStage): User =
            User(name, folder, stage.relay, stage.relayName).apply {
                open()
                register()
                goOnline()
            }
    }
}

/** What a message says, if it is a text. */
val Message.text: String?
    get() = (content as? Content.Text)?.text?.body

/** The whole history. */
suspend fun Conversation.all(): List<Message> {
    val all = mutableListOf<Message>()
    do {
        val page = messagesAfter(all.lastOrNull()?.cursor, 500u)
        all += page.messages
    } while (page.more)
    return all
}

/** All texts of the history, in order. */
suspend fun Conversation.texts(): List<String> = all().mapNotNull { it.text }
