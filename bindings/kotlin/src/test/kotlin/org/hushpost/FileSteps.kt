package org.hushpost

import java.io.RandomAccessFile
import java.nio.file.Files
import java.nio.file.Path
import kotlin.random.Random
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue

private const val MIB = 1 shl 20

/** Step 7 of the scenario. */
class FileSteps(private val alice: User, private val bob: User, private val folder: Path) {
    suspend fun attachment() {
        val bytes = Random(7).nextBytes(3 * MIB)
        val file = Files.write(folder.resolve("report.bin"), bytes)
        val upload = alice.client.media().upload(file)
        val (attachment, progress) = told(upload.progress()) { upload.finished() }
        risesTo(bytes.size, progress)
        val caption = Text("the report")
        alice.with(bob.account).sendAttachments(listOf(attachment), caption)

        val received = bob.until("the attachment") {
            bob.with(alice.account).all().map { it.content }.filterIsInstance<Content.Attachments>().firstOrNull()
        }
        assertEquals(caption, received.caption)
        val offered = received.files.single()
        assertEquals("report.bin" to bytes.size.toULong(), offered.fileName to offered.size)
        val download = bob.client.media().download(offered.file)
        risesTo(bytes.size, told(download.progress()) { download.finished() }.second)
        val saved = folder.resolve("saved.bin")
        bob.client.media().save(offered.file, saved)
        assertArrayEquals(bytes, Files.readAllBytes(saved))
    }

    suspend fun cancelledUpload() {
        val media = alice.client.media()
        val file = folder.resolve("large.bin")
        RandomAccessFile(file.toFile(), "rw").use { it.setLength(8L * MIB) }
        // It stands in the middle, encrypted and not sent, for as long as there is no connection.
        alice.client.disconnect()
        try {
            cancelled(media, file)
        } finally {
            alice.goOnline()
        }
    }

    private suspend fun cancelled(media: Media, file: Path) {
        val upload = media.upload(file)
        inTime("a wait for the connection") {
            upload.progress().first { media.unfinished().any { it.fileName == "large.bin" } }
        }
        upload.cancelHandle().cancel()
        val error = refused<HushpostException.Cancelled>("a cancelled upload") { inTime("its end") { upload.finished() } }
        assertEquals("media_cancelled", error.code)
        val left = media.unfinished().single { it.fileName == "large.bin" }
        media.forget(left.id)
        assertTrue(media.unfinished().none { it.id == left.id })
    }

    /** What is done, and all that is told of how far it is meanwhile. */
    private suspend fun <T> told(progress: Flow<Progress>, work: suspend () -> T): Pair<T, List<Progress>> =
        coroutineScope {
            val all = async(start = CoroutineStart.UNDISPATCHED) { inTime("the end of the progress") { progress.toList() } }
            inTime("the end of the transfer") { work() } to all.await()
        }

    private fun risesTo(size: Int, told: List<Progress>) {
        assertEquals(Stage.ENDED, told.last().stage)
        val done = told.filter { it.stage == Stage.TRANSFERRING || it.stage == Stage.ENDED }.map { it.done }
        assertEquals(done.sorted(), done)
        assertTrue(told.last().done >= size.toULong(), "it is told up to ${told.last()}")
    }
}
