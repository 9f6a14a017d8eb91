package org.hushpost.sample

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.viewModels
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Button
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.collectAsState
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.unit.dp
import org.hushpost.Content
import org.hushpost.Message
import org.hushpost.MessageState

class MainActivity : ComponentActivity() {
    private val model: ChatViewModel by viewModels()

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContent {
            MaterialTheme {
                val chat by model.chat.collectAsState()
                Column(Modifier.fillMaxSize().safeDrawingPadding().padding(12.dp)) {
                    when (val open = chat) {
                        null -> ConversationList(model)
                        else -> ChatScreen(model, open)
                    }
                }
            }
        }
    }
}

@Composable
private fun ConversationList(model: ChatViewModel) {
    val conversations by model.conversations.collectAsState()
    val connection by model.connection.collectAsState()
    val account by model.account.collectAsState()
    Text(connection::class.simpleName.orEmpty(), style = MaterialTheme.typography.labelSmall)
    SelectionContainer { Text(account, style = MaterialTheme.typography.labelSmall) }
    Entry("somebody's account", "Write") { model.begin(it) }
    LazyColumn {
        items(conversations, key = { it.id }) { entry ->
            Column(Modifier.fillMaxWidth().clickable { model.open(entry.id) }.padding(vertical = 8.dp)) {
                Text(entry.name ?: entry.peer ?: entry.id, style = MaterialTheme.typography.titleMedium)
                Text(if (entry.unread > 0uL) "(${entry.unread}) ${entry.preview}" else entry.preview, maxLines = 1)
            }
        }
    }
}

@Composable
private fun ChatScreen(model: ChatViewModel, chat: Chat) {
    val messages by chat.messages.collectAsState()
    val trouble by chat.trouble.collectAsState()
    BackHandler { model.close() }
    LaunchedEffect(messages.lastOrNull()?.id) { model.seen() }
    LazyColumn(Modifier.fillMaxWidth().padding(bottom = 8.dp), reverseLayout = true) {
        item {
            trouble?.let { Text(it, color = MaterialTheme.colorScheme.error) }
            Entry("a message", "Send", typed = { model.typed() }) { model.send(it) }
        }
        items(messages.asReversed(), key = { "${it.id.sender} ${it.id.id}" }) { message ->
            Text("${if (message.isOwn) "I" else "They"}: ${said(message)} ${ticks(message.state)}")
        }
    }
}

@Composable
private fun Entry(label: String, action: String, typed: () -> Unit = {}, done: (String) -> Unit) {
    var text by remember { mutableStateOf("") }
    Row {
        OutlinedTextField(text, { text = it; typed() }, Modifier.weight(1f), label = { Text(label) })
        Button({ done(text); text = "" }, enabled = text.isNotBlank()) { Text(action) }
    }
}

private fun said(message: Message): String = when (val content = message.content) {
    is Content.Text -> content.text.body
    is Content.Attachments -> content.files.joinToString { it.fileName }
    is Content.Deleted -> "(deleted)"
    is Content.Unknown -> "(update needed)"
    else -> "(…)"
}

private fun ticks(state: MessageState): String = when (state) {
    is MessageState.Queued -> "…"
    is MessageState.Sent -> "✓"
    is MessageState.Delivered -> "✓✓"
    is MessageState.Read -> "✓✓ read"
    is MessageState.Failed -> "not sent"
    else -> ""
}
