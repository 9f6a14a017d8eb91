package org.hushpost

import java.nio.file.Path
import java.time.Duration

/** As the constructor, with a path. */
fun Config(
    database: Path,
    key: DatabaseKey,
    relay: String,
    relayName: String? = null,
    insecureRelay: Boolean = false,
    holdBack: Duration? = null,
    receiptDelay: Duration? = null,
    readReceipts: Boolean = true,
    preKeyStock: UInt? = null,
    maxFileBytes: ULong? = null,
    mediaCache: MediaCache? = null,
    manyProcesses: Boolean = false,
): Config = Config(
    database.toString(), key, relay, relayName, insecureRelay, holdBack, receiptDelay, readReceipts, preKeyStock,
    maxFileBytes, mediaCache, manyProcesses,
)

/** As the member of this name, with a path. */
fun Media.upload(path: Path, options: UploadOptions = UploadOptions()): Upload = upload(path.toString(), options)

/** As the member of this name, with a path. */
suspend fun Media.save(file: FileRef, path: Path): Unit = save(file, path.toString())
