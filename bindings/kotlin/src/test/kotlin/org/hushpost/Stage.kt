package org.hushpost

import java.io.BufferedReader
import java.util.concurrent.TimeUnit

/**
 * The stage of `bindings/SCENARIO.md`: a relay, and a user of the Rust crate who echoes, in a process that
 * `HUSHPOST_STAGE_BIN` names.
 */
class TestStage private constructor(private val process: Process) : AutoCloseable {
    private val answers: BufferedReader = process.inputStream.bufferedReader()

    /** Where the relay is. */
    val relay: String

    /** The name by which the relay knows itself. */
    val relayName: String

    /** The account of the user of the Rust crate. */
    val rust: AccountId

    init {
        val at = words("relay", 3)
        relay = at[1]
        relayName = at[2]
        rust = words("rust", 2)[1]
        check(line() == "ready") { "the stage did not say that it is ready" }
    }

    /** Has the stage do something: `kill`, `start`, `wipe`, `renew`. */
    fun does(command: String) {
        process.outputStream.write("$command\n".toByteArray())
        process.outputStream.flush()
        val answer = line()
        check(answer == "done") { "the stage, asked to $command: $answer" }
    }

    /** It ends, and the relay with it, when its standard input does. */
    override fun close() {
        process.outputStream.close()
        if (!process.waitFor(60, TimeUnit.SECONDS)) process.destroyForcibly()
    }

    private fun line(): String = checkNotNull(answers.readLine()) { "the stage ended; what it said is above" }

    private fun words(first: String, count: Int): List<String> {
        val line = line()
        val words = line.split(' ')
        check(words.size == count && words[0] == first) { "the stage said: $line" }
        return words
    }

    companion object {
        fun start(): TestStage {
            val program = checkNotNull(System.getenv("HUSHPOST_STAGE_BIN")) {
                "HUSHPOST_STAGE_BIN has to name the stage: use bindings/kotlin/run-tests"
            }
            val process = ProcessBuilder(program).redirectError(ProcessBuilder.Redirect.INHERIT).start()
            return TestStage(process)
        }
    }
}
