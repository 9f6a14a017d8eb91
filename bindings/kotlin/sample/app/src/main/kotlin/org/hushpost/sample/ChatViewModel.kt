package org.hushpost.sample

import android.app.Application
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.stateIn
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import org.hushpost.ConnectionState
import org.hushpost.ConversationId
import org.hushpost.ConversationSummary
import org.hushpost.HushpostException

/** Outlives rotations; what it shows is in [ChatStore] and [Chat]. */
class ChatViewModel(app: Application) : AndroidViewModel(app) {
    private val store = (app as SampleApp).store
    private val opened = MutableStateFlow<Chat?>(null)
    private var chatScope: CoroutineScope? = null

    /** The open conversation; none: the list is shown. */
    val chat: StateFlow<Chat?> = opened.asStateFlow()

    val conversations: StateFlow<List<ConversationSummary>> = flow { emitAll(store.await().conversations) }
        .stateIn(viewModelScope, SharingStarted.Eagerly, emptyList())

    val connection: StateFlow<ConnectionState> = flow { emitAll(store.await().connection) }
        .stateIn(viewModelScope, SharingStarted.Eagerly, ConnectionState.Offline)

    val account: StateFlow<String> = flow { emit(store.await().account().orEmpty()) }
        .stateIn(viewModelScope, SharingStarted.Lazily, "")

    /** Begins a conversation with an account that was typed, pasted or scanned. */
    fun begin(account: String) = viewModelScope.launch {
        try {
            open(store.await().conversationWith(account.trim()))
        } catch (_: HushpostException.Invalid) {
            // No account id: the list stays.
        }
    }

    fun open(conversation: ConversationId) = viewModelScope.launch {
        close()
        val scope = CoroutineScope(viewModelScope.coroutineContext + Job(viewModelScope.coroutineContext.job))
        chatScope = scope
        opened.value = store.await().chat(conversation, scope)
    }

    fun close() {
        opened.value = null
        chatScope?.cancel()
        chatScope = null
    }

    fun send(body: String) = viewModelScope.launch { opened.value?.send(body) }

    fun typed() = viewModelScope.launch { opened.value?.typed() }

    fun seen() = viewModelScope.launch { opened.value?.seen() }
}
