package gettingstarted

import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.runBlocking
import org.hushpost.*

// page: open
/** Opens the account that lives in a folder, or makes one, and connects. */
suspend fun openAccount(folder: Path, relay: String, relayName: String? = null): Client {
    val config = Config(folder.resolve("hushpost.db"), keyOf(folder), relay, relayName, manyProcesses = true)
    val client = Client.open(config)
    try {
        client.register(Registration.Open)
    } catch (error: HushpostException.Network) {
        // Registered earlier, it works offline; if not, it is asked for again at the next start.
        System.err.println("not connected yet: ${error.reason}")
    }
    client.connect()
    return client
}

/** The database's key. An app keeps it in the system's secret store; a file that only its owner reads will do here. */
fun keyOf(folder: Path): DatabaseKey {
    val file = folder.resolve("database.key")
    if (Files.exists(file)) return DatabaseKey.fromBytes(Files.readAllBytes(file))
    val key = DatabaseKey.generate()
    Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))
    Files.write(file, key.bytes())
    return key
}
// page end

// page: bot
/** Answers everybody who writes, until the client is shut down. */
suspend fun answerEverybody(client: Client) {
    client.events().collect { event ->
        when (event) {
            is Event.MessageAdded -> answer(client, event)
            // Too slow, and events are lost: what is shown has to be read again.
            is Event.Missed -> System.err.println("${event.events} events lost")
            else -> Unit
        }
    }
}

private suspend fun answer(client: Client, event: Event.MessageAdded) {
    val message = client.message(event.message) ?: return
    val content = message.content
    if (message.isOwn || content !is Content.Text) return
    val conversation = client.conversation(event.conversation)
    conversation.markRead(message.cursor)
    // Answering a stranger's request accepts it.
    conversation.sendText("you said: ${content.text.body}", replyTo = message.id)
}
// page end

// page: send
/** Writes to somebody, and says how far the message is. */
suspend fun writeTo(client: Client, account: AccountId, body: String) {
    val conversation = client.conversationWith(account)
    // When this returns, the message is on the disk: it arrives whatever happens to this process.
    val sent = conversation.sendText(body)
    println("it is ${client.message(sent)?.state}")
}
// page end

// page: history
/** The newest messages of a conversation, oldest first. */
suspend fun newest(client: Client, account: AccountId): List<Message> {
    val page = client.conversationWith(account).messagesBefore(null, 50u)
    // Older ones: messagesBefore(page.messages.first().cursor, 50u), while page.more
    return page.messages
}
// page end

// page: list
/** Prints the list of conversations whenever it changes. */
suspend fun showList(client: Client) {
    val list = mutableListOf<ConversationSummary>()
    client.conversationList().collect { change ->
        change.applyTo(list)
        println(list.joinToString("\n") { "${it.name ?: it.id}  ${it.unread} unread  ${it.preview}" })
    }
}
// page end

// page: group
/** Makes a group, and says something in it. */
suspend fun makeGroup(client: Client, members: List<AccountId>): Group {
    val group = client.createGroup(NewGroup("Gardeners", members))
    group.conversation().sendText("welcome")
    val link = group.makeInvite(goodFor = null, approval = false)
    println("whoever has this may join: ${link.text()}")
    return group
}
// page end

// page: files
/** Sends a file. */
suspend fun sendFile(client: Client, account: AccountId, file: Path) {
    val upload = client.media().upload(file)
    upload.progress().collect { println("${it.stage} ${it.done} of ${it.total}") }
    client.conversationWith(account).sendAttachments(listOf(upload.finished()), Text("have a look"))
}

/** Saves the files of a message in a folder. */
suspend fun saveFiles(client: Client, message: Message, folder: Path) {
    val content = message.content as? Content.Attachments ?: return
    content.files.forEachIndexed { index, file ->
        // A name was chosen by its sender, and may be one that is there already.
        client.media().save(file.file, folder.resolve("$index-${file.fileName}"))
    }
}
// page end

// page: push
/** What a background worker does when a push woke it: no client is opened, and the app may run meanwhile. */
suspend fun onPush(folder: Path, relay: String, relayName: String? = null): List<String> {
    val config = Config(folder.resolve("hushpost.db"), keyOf(folder), relay, relayName, manyProcesses = true)
    val result = processPush(config, 20.seconds)
    if (result.end == PushEnd.OUT_OF_TIME) return listOf("you may have new messages")
    return result.messages.map { "${it.title ?: "Somebody"}: ${it.preview}" }
}
// page end

// page: errors
/** Sends, and says what the user can do if that is not possible. */
suspend fun trySend(conversation: Conversation, body: String): String? = try {
    conversation.sendText(body)
    null
} catch (error: HushpostException) {
    when {
        error.code == "verification_needed" -> "Their devices changed: compare the safety number again."
        error is HushpostException.Invalid -> "This cannot be sent."
        error.retryable -> "Please try again."
        else -> "That did not work (${error.code})."
    }
}
// page end

// page: main
/** Arguments: a folder, and perhaps an account to write to. Without one it answers whoever writes. */
fun main(arguments: Array<String>) = runBlocking {
    val folder = Files.createDirectories(Path.of(arguments[0]))
    val client = openAccount(folder, System.getenv("RELAY") ?: "ws://localhost:4810")
    println("this account is ${client.accountId()}")
    if (arguments.size < 2) answerEverybody(client) else talkTo(client, arguments[1])
}

private suspend fun talkTo(client: Client, account: AccountId) {
    writeTo(client, account, "hello from Kotlin")
    client.events().filterIsInstance<Event.MessageAdded>().collect {
        newest(client, account).forEach { message ->
            val said = (message.content as? Content.Text)?.text?.body
            println("${message.sent} ${if (message.isOwn) "I" else "they"}: $said")
        }
    }
}
// page end
