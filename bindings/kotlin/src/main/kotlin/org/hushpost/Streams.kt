package org.hushpost

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * What happens, from the moment it is collected: every collector has a subscription of its own. Ends when the client
 * is shut down; a collector that is cancelled ends its subscription, also while it waits.
 *
 * The flow is cold: what happens before a collector runs is not told to it. A collector that must not miss what the
 * next line brings about is started with `launch(start = CoroutineStart.UNDISPATCHED)`, which subscribes before
 * `launch` returns.
 *
 * A collector may take its time: up to 4096 events wait for it, and then it is told by [Event.Missed] that it lost
 * some. Events are hints, and the database is the truth: who was told so reads again what it shows.
 */
fun Client.events(): Flow<Event> =
    pulled({ eventStream() }, { next(BATCH) }, { cancelHandle() })

/**
 * The connection's state now, and every change that the collector is fast enough for. Cold, and ends when the client is
 * shut down, as [events].
 */
fun Client.connectionStates(): Flow<ConnectionState> =
    pulled({ connectionStateStream() }, { next(1u) }, { cancelHandle() })

/**
 * The list of conversations, as [ListChange.Reset], and then all its changes. Applied one after the other with
 * [applyTo], they keep a copy equal to it. Cold, and ends when the client is shut down, as [events].
 */
fun Client.conversationList(archived: Boolean = false): Flow<ListChange> =
    pulled({ conversationListStream(archived) }, { next(1u) }, { cancelHandle() })

/** How far it is, now and whenever that changes; ends with the upload. Who stops collecting does not stop the upload. */
fun Upload.progress(): Flow<Progress> =
    pulled({ progressStream() }, { next(1u) }, { cancelHandle() })

/** How far it is, now and whenever that changes; ends with the download. Who stops collecting does not stop it. */
fun Download.progress(): Flow<Progress> =
    pulled({ progressStream() }, { next(1u) }, { cancelHandle() })

/** Does to a copy of the list what was done to the list. */
fun ListChange.applyTo(list: MutableList<ConversationSummary>) {
    when (this) {
        is ListChange.Reset -> {
            list.clear()
            list.addAll(entries)
        }
        is ListChange.Insert -> list.add(index.toInt(), entry)
        is ListChange.Update -> list[index.toInt()] = entry
        is ListChange.Remove -> list.removeAt(index.toInt())
    }
}

/**
 * Most events that are taken at once: enough to cross the bridge seldom, few enough to wait in the SDK and not here. Of
 * the other streams one item is taken at a time, so that a slow collector gets the newest.
 */
private const val BATCH = 64u

/**
 * A flow over a feed. The next batch is asked for when the collector has taken the last one, so that a slow collector
 * holds nothing here.
 */
private fun <Feed : AutoCloseable, Item> pulled(
    open: () -> Feed,
    next: suspend Feed.() -> List<Item>,
    cancelHandle: Feed.() -> CancelHandle,
): Flow<Item> = flow {
    open().use { feed ->
        try {
            while (true) {
                val batch = feed.next()
                if (batch.isEmpty()) break
                for (item in batch) emit(item)
            }
        } finally {
            // Whatever ended it: somebody else may still wait at the same feed inside the SDK.
            feed.cancelHandle().use { it.cancel() }
        }
    }
}
