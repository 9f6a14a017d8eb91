package org.hushpost

import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.withContext

/**
 * Opens a client for as long as [block] runs, and shuts it down afterwards, however the block ends: with a value, an
 * exception, or cancelled.
 *
 * ```
 * Client.open(config) { client ->
 *     client.connect()
 *     …
 * }
 * ```
 *
 * Two words for an end, and why: [Client.close] lets this process's *handle* go, as of every object here, and nothing
 * else: the client stays connected, and its streams go on. [Client.shutDown] ends the connection, waits for what is
 * being written, and closes the database. An app shuts its client down; handles that are not closed are let go when
 * they are garbage. A record that holds a handle ([Config], [Attachment]) has `destroy`, which closes it for everybody
 * who has the same record: it is not needed.
 */
suspend fun <T> Client.Companion.open(config: Config, block: suspend (Client) -> T): T {
    val client = open(config)
    try {
        return block(client)
    } finally {
        withContext(NonCancellable) { client.end() }
    }
}

/** Shuts the client down, and lets it go: it is of no use from then on. */
suspend fun Client.end() {
    use { it.shutDown() }
}
