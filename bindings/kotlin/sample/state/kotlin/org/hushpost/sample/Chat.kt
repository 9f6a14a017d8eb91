package org.hushpost.sample

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import org.hushpost.Activity
import org.hushpost.Client
import org.hushpost.ConversationId
import org.hushpost.Event
import org.hushpost.HushpostException
import org.hushpost.Message
import org.hushpost.code
import org.hushpost.events

/** What a screen shows of one conversation. */
class Chat(private val client: Client, private val id: ConversationId, scope: CoroutineScope) {
    private val conversation = client.conversation(id)
    private val shown = MutableStateFlow(emptyList<Message>())
    private val problem = MutableStateFlow<String?>(null)
    private val changes = Channel<Unit>(Channel.CONFLATED)
    private var wanted = PAGE

    /** The newest messages, oldest first. */
    val messages: StateFlow<List<Message>> = shown.asStateFlow()

    /** The code of what did not work last; none: it did. */
    val trouble: StateFlow<String?> = problem.asStateFlow()

    init {
        // Subscribed before the history is read: what comes in between is not missed. Many events are one reading.
        scope.launch(start = CoroutineStart.UNDISPATCHED) {
            client.events().collect { if (concerns(it)) changes.trySend(Unit) }
        }
        scope.launch {
            changes.trySend(Unit)
            for (change in changes) reload()
        }
    }

    /** Sends a text. It is in [messages] at once, and on its way as soon as there is a connection. */
    suspend fun send(body: String): Unit = attempt { conversation.sendText(body) }

    /** Shows older messages as well. */
    fun older() {
        wanted += PAGE
        changes.trySend(Unit)
    }

    /** The user sees what is shown. */
    suspend fun seen() {
        val last = shown.value.lastOrNull() ?: return
        attempt { conversation.markRead(last.cursor) }
    }

    /** The user takes a stranger's request. */
    suspend fun accept(): Unit = attempt { conversation.accept() }

    /** The user typed: may be called for every key. */
    suspend fun typed(): Unit = attempt { conversation.setActivity(Activity.TYPING) }

    private suspend fun reload() = attempt {
        shown.value = conversation.messagesBefore(null, wanted).messages
    }

    private fun concerns(event: Event): Boolean = when (event) {
        is Event.MessageAdded -> event.conversation == id
        is Event.MessageChanged -> event.conversation == id
        is Event.MessageRemoved -> event.conversation == id
        is Event.HistoryShared -> event.group == id
        is Event.Missed -> true
        else -> false
    }

    private suspend fun attempt(work: suspend () -> Any?) {
        try {
            work()
            problem.value = null
        } catch (error: HushpostException) {
            problem.value = error.code
        }
    }

    private companion object {
        const val PAGE = 50u
    }
}
