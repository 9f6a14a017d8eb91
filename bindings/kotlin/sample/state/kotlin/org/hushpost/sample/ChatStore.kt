package org.hushpost.sample

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import org.hushpost.AccountId
import org.hushpost.Client
import org.hushpost.Config
import org.hushpost.ConnectionState
import org.hushpost.ConversationId
import org.hushpost.ConversationSummary
import org.hushpost.HushpostException
import org.hushpost.Registration
import org.hushpost.applyTo
import org.hushpost.code
import org.hushpost.connectionStates
import org.hushpost.conversationList
import org.hushpost.end

/**
 * What the app shows of one account, as state that a screen observes. Plain Kotlin: no part of it knows Android.
 *
 * There is one for the whole process, made with the application and kept until it ends: a second client on the same
 * database would take the connection from the first.
 */
class ChatStore private constructor(private val client: Client, private val scope: CoroutineScope) {
    private val list = MutableStateFlow(emptyList<ConversationSummary>())
    private val state = MutableStateFlow(client.connectionState())
    private val problem = MutableStateFlow<String?>(null)

    /** The list of conversations, as it is now. */
    val conversations: StateFlow<List<ConversationSummary>> = list.asStateFlow()

    /** Whether there is a connection. */
    val connection: StateFlow<ConnectionState> = state.asStateFlow()

    /** The code of why the account could not be registered; none: it is, or that was not tried yet. */
    val trouble: StateFlow<String?> = problem.asStateFlow()

    init {
        scope.launch { client.connectionStates().collect { state.value = it } }
        scope.launch {
            client.conversationList().collect { change ->
                list.value = list.value.toMutableList().also { change.applyTo(it) }
            }
        }
    }

    /** This account, to be shown or scanned. */
    suspend fun account(): AccountId? = client.accountId()

    /** The app came to the front, or the network is back. Registers first if that has not worked yet. */
    suspend fun foreground() {
        try {
            client.register(Registration.Open)
            problem.value = null
        } catch (error: HushpostException) {
            // Without a network, what was registered before works all the same; the rest is tried again next time.
            problem.value = error.code
        }
        client.connect()
    }

    /** The app went to the background: from here on a push wakes a worker. */
    suspend fun background() {
        client.disconnect()
    }

    /** The conversation with somebody, opened if there is none. */
    suspend fun conversationWith(account: AccountId): ConversationId =
        client.conversationWith(account).use { it.id() }

    /** What a screen shows of one conversation, for as long as its scope lives. */
    fun chat(conversation: ConversationId, scope: CoroutineScope): Chat = Chat(client, conversation, scope)

    /** Ends everything: for a sign-out, and for tests. The scope is to be cancelled by who made it. */
    suspend fun stop() {
        client.end()
    }

    companion object {
        /** Opens the account of a database, or makes one. Works offline. */
        suspend fun open(config: Config, scope: CoroutineScope): ChatStore = ChatStore(Client.open(config), scope)
    }
}
