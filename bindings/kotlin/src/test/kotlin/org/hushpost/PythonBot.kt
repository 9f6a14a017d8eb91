package org.hushpost

import java.util.concurrent.TimeUnit

/** A user of the Python package, who answers every text `X` with `python: X`. */
class PythonBot private constructor(private val process: Process) : AutoCloseable {
    val account: AccountId

    init {
        val said = process.inputStream.bufferedReader()
        fun line() = checkNotNull(said.readLine()) { "the Python user ended; what it said is above" }
        account = line().removePrefix("account ")
        check(line() == "ready") { "the Python user did not say that it is ready" }
    }

    override fun close() {
        process.destroy()
        if (!process.waitFor(10, TimeUnit.SECONDS)) process.destroyForcibly()
    }

    companion object {
        /** None, and a line that says so, unless `HUSHPOST_PYTHON_BOT` has the command. */
        fun start(stage: TestStage): PythonBot? {
            val command = System.getenv("HUSHPOST_PYTHON_BOT")?.split(' ')?.filter { it.isNotEmpty() }.orEmpty()
            if (command.isEmpty()) {
                println("SKIPPED: 5b a user of Python: HUSHPOST_PYTHON_BOT is not set")
                return null
            }
            val process = ProcessBuilder(command + stage.relay + stage.relayName)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start()
            return PythonBot(process)
        }
    }
}
