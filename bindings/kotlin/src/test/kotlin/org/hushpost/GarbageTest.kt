package org.hushpost

import java.lang.reflect.InvocationTargetException
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import kotlin.random.Random
import kotlin.reflect.KClass
import kotlin.reflect.full.callSuspend
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.joinAll
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Everything that is exported, called with garbage, on objects that live, are closed, or are shut down. */
class GarbageTest {
    private val seed = System.getenv("HUSHPOST_SEED")?.toLong() ?: System.nanoTime()
    private val pool = ConcurrentHashMap<KClass<*>, MutableList<Any>>()
    private val counts = ConcurrentHashMap<String, AtomicInteger>()
    private val failures = ConcurrentLinkedQueue<String>()
    private lateinit var folder: Path
    private lateinit var texts: List<String>

    @Test
    fun `garbage gives a value or an error and never a crash`(@TempDir folder: Path) = play {
        this@GarbageTest.folder = folder
        println("GarbageTest: HUSHPOST_SEED=$seed")
        TestStage.start().use { stage ->
            val user = User.online("Garbage", folder, stage)
            fill(user, stage)
            // First nothing that ends the client for all calls after it; then everything.
            storm(12.seconds) { call -> call.name !in ENDS }
            inTime("the end of the client") { user.client.shutDown() }
            storm(6.seconds) { true }
            user.client.close()
        }
        setLogSink(null, LogLevel.ERROR)
        val called = counts.entries.sortedBy { it.key }
        println("GarbageTest: ${called.sumOf { it.value.get() }} calls of ${called.size} functions")
        assertEquals(emptyList<String>(), failures.distinct().take(20))
        assertEquals(Api.calls.map { it.name }.sorted(), called.map { it.key }, "every function was called")
    }

    /** Objects of every class, and texts that are right somewhere. */
    private suspend fun fill(user: User, stage: TestStage) {
        val client = user.client
        val conversation = user.with(stage.rust)
        val message = client.message(conversation.sendText("echo: a message")) ?: error("no message")
        val group = client.createGroup(NewGroup("a group", listOf(stage.rust)))
        val upload = client.media().upload(Files.write(folder.resolve("upload.bin"), ByteArray(1000)))
        val file = inTime("an upload") { upload.finished() }.file
        user.until("a contact") { runCatching { client.contacts().safetyNumber(stage.rust) }.getOrNull() }
        listOf(
            client, conversation, group, upload, file, user.config.key, client.media(), client.contacts(),
            group.makeInvite(null, false), client.contacts().safetyNumber(stage.rust), client.eventStream(),
            client.connectionStateStream(), client.conversationListStream(false), upload.progressStream(),
            client.media().download(file), upload.cancelHandle(), ThrowingSink,
        ).forEach { keep(it) }
        val missing = Api.objects.filter { !pool.containsKey(it) }
        assertTrue(missing.isEmpty(), "there are no objects of $missing")
        texts = listOf(
            "", " ", "garbage", "\u0000", "a\u0000b", "\uD800", "👻", "x".repeat(100_000), "ß".repeat(300), "-1", "%s%n",
            "' OR 1=1 --", "../garbage", "http://127.0.0.1:1/", "file:///etc/hosts", "ws://localhost:1", "wss://",
            stage.relay, stage.rust, user.account, message.id.id, message.conversation, message.cursor, group.id(),
        )
    }

    private suspend fun storm(time: kotlin.time.Duration, wanted: (Api.Call) -> Boolean) = withContext(Dispatchers.IO) {
        val calls = Api.calls.filter(wanted)
        val end = TimeSource.Monotonic.markNow() + time
        List(WORKERS) { worker ->
            launch {
                val random = Random(seed + worker)
                val garbage = Garbage(random, { text(it, random) }) { pool[it]?.random(random) }
                var round = 0
                while (round < 3 || end.hasNotPassedNow()) {
                    for (call in calls.shuffled(random)) {
                        one(call, garbage, random)
                        if (round >= 3 && end.hasPassedNow()) return@launch
                    }
                    round++
                }
            }
        }.joinAll()
    }

    private suspend fun one(call: Api.Call, garbage: Garbage, random: Random) {
        val arguments = try {
            val receiver = call.companion ?: call.owner?.let { pool.getValue(it).random(random) }
            val parameters = call.function.parameters
            val first = if (receiver == null) 0 else 1
            listOfNotNull(receiver) + parameters.drop(first).map { garbage.of(it.type, it.name ?: "") }
        } catch (_: Garbage.None) {
            return
        }
        counts.computeIfAbsent(call.name) { AtomicInteger() }.incrementAndGet()
        try {
            val value = if (call.function.isSuspend) {
                suspended(call, arguments)
            } else {
                call.function.call(*arguments.toTypedArray())
            }
            value.toString()
            if (value != null && value::class in Api.objects) keep(value)
            if (random.nextInt(200) == 0) (arguments.firstOrNull() as? AutoCloseable)?.takeIf { closable(it) }?.close()
        } catch (error: InvocationTargetException) {
            judge(call, error.targetException)
        } catch (error: Exception) {
            judge(call, error)
        }
    }

    private suspend fun suspended(call: Api.Call, arguments: List<Any?>): Any? = try {
        withTimeout(if (call.name in WAITS) 100.milliseconds else 60.seconds) {
            call.function.callSuspend(*arguments.toTypedArray())
        }
    } catch (_: TimeoutCancellationException) {
        if (call.name !in WAITS) failures += "${call.name} hangs with ${arguments.drop(1).toString().take(200)}"
        null
    }

    private fun judge(call: Api.Call, error: Throwable) {
        val ours = error is HushpostException && error.code != "panic"
        val theirs = error !is HushpostException && error !is InternalException && error is Exception
        if (!ours && !theirs) failures += "${call.name}: $error"
    }

    private fun keep(value: Any) {
        val kind = if (value is LogSink) LogSink::class else value::class
        val known = pool.computeIfAbsent(kind) { java.util.concurrent.CopyOnWriteArrayList() }
        if (known.size < 12) known += value else (value as? AutoCloseable)?.close()
    }

    /** The first of each class lives on, so that not everything is called on the closed. */
    private fun closable(value: AutoCloseable) = pool[value::class]?.firstOrNull() !== value

    private fun text(name: String, random: Random): String {
        // Nothing is written but where the test lives.
        if (name == "path" || name.endsWith("database")) {
            val paths = listOf("", "\u0000", "$folder", "$folder/${random.nextInt(20)}.db", "$folder/none/x")
            return (paths + ("$folder/" + "n".repeat(300))).random(random)
        }
        return texts.random(random)
    }

    private object ThrowingSink : LogSink {
        override fun log(line: LogLine) = error("the app's own fault")
    }

    private companion object {
        const val WORKERS = 6
        /** `next` of the list is here because, given up in the middle, it keeps a reader of the database to itself. */
        val ENDS = setOf("Client.shutDown", "Client.deleteAccount", "Client.disconnect")
        val WAITS = setOf(
            "EventFeed.next", "ConnectionStateFeed.next", "ConversationListFeed.next", "ProgressFeed.next",
            "Upload.finished", "Download.finished", "processPush", "Media.save", "Media.readRange", "Client.linkPreview",
        )
    }
}
