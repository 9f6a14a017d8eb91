package org.hushpost

import java.nio.file.Files
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource
import kotlin.time.measureTime
import kotlinx.coroutines.runBlocking

/** Calls the same for a while, and says how often that went. */
private inline fun rate(what: String, call: () -> Unit) {
    repeat(200) { call() }
    val start = TimeSource.Monotonic.markNow()
    var calls = 0
    while (start.elapsedNow() < 2.seconds) {
        repeat(100) { call() }
        calls += 100
    }
    val each: Duration = start.elapsedNow() / calls
    println("%-50s %9.0f calls/s  (%s each)".format(what, 1e9 / each.inWholeNanoseconds, each))
}

/** Figures of the bridge; `bindings/kotlin/figures` runs it. */
fun main() = runBlocking {
    val folder = Files.createTempDirectory("hushpost-figures")
    try {
        val load = measureTime { DatabaseKey.generate() }
        val config = Config(folder.resolve("figures.db"), DatabaseKey.generate(), "ws://localhost:1")
        val make = measureTime { Client.open(config) {} }
        val open = TimeSource.Monotonic.markNow()
        Client.open(config) { client ->
            println("loading the library and the first call: $load; a new database: $make; opening it: ${open.elapsedNow()}")
            rate("sync, with a value back (connectionState)") { client.connectionState() }
            rate("sync, with an object back, closed (contacts)") { client.contacts().close() }
            rate("suspend, with one read of the database (unread)") { client.unread() }
            rate("suspend, with a list back (troubles)") { client.troubles() }
            rate("suspend, with an error back (an empty search)") { runCatching { client.search("", 0u, 1u) } }
        }
    } finally {
        folder.toFile().deleteRecursively()
    }
}
