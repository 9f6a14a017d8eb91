package org.hushpost

import gettingstarted.answerEverybody
import gettingstarted.makeGroup
import gettingstarted.newest
import gettingstarted.onPush
import gettingstarted.openAccount
import gettingstarted.saveFiles
import gettingstarted.sendFile
import gettingstarted.showList
import gettingstarted.trySend
import gettingstarted.writeTo
import java.nio.file.Files
import java.nio.file.Path
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** What the getting-started page shows does what the page says. */
class GettingStartedTest {
    @Test
    fun `the page's code works`(@TempDir folder: Path) = play {
        TestStage.start().use { stage ->
            val mine = Files.createDirectory(folder.resolve("mine"))
            val client = openAccount(mine, stage.relay, stage.relayName)
            val me = checkNotNull(client.accountId())
            val other = User.online("Other", folder, stage)
            val bot = launch(start = CoroutineStart.UNDISPATCHED) { answerEverybody(client) }
            val list = launch(start = CoroutineStart.UNDISPATCHED) { showList(client) }

            val conversation = other.with(me)
            val sent = conversation.sendText("hello")
            val answer = other.untilText(conversation, "you said: hello")
            assertEquals(sent, (answer.content as Content.Text).text.replyTo?.to)
            assertEquals(listOf("hello", "you said: hello"), newest(client, other.account).map { it.text })
            bot.cancelAndJoin()
            list.cancelAndJoin()

            writeTo(client, other.account, "written")
            other.untilText(conversation, "written")
            assertNull(trySend(client.conversationWith(other.account), "tried"))
            assertEquals("This cannot be sent.", trySend(client.conversationWith(other.account), ""))
            files(client, other, me, folder)
            val group = makeGroup(client, listOf(other.account)).id()
            other.until("the group's welcome") {
                other.client.conversation(group).takeIf { runCatching { "welcome" in it.texts() }.getOrDefault(false) }
            }

            client.end()
            val pushed = conversation.sendText("while you were away")
            other.untilState(pushed, "sent") { it == MessageState.Sent }
            val shown = onPush(mine, stage.relay, stage.relayName)
            assertTrue(shown.any { it.endsWith("while you were away") }, "$shown")
            other.client.end()
        }
    }

    private suspend fun files(client: Client, other: User, me: AccountId, folder: Path) {
        val bytes = ByteArray(100_000) { it.toByte() }
        inTime("an upload") { sendFile(client, other.account, Files.write(folder.resolve("page.bin"), bytes)) }
        val message = other.until("the file") { other.with(me).all().find { it.content is Content.Attachments } }
        saveFiles(other.client, message, folder)
        assertArrayEquals(bytes, Files.readAllBytes(folder.resolve("0-page.bin")))
    }
}
