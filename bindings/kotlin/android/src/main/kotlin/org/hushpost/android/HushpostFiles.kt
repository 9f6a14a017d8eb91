package org.hushpost.android

import android.content.Context
import java.io.File

/** Where an app keeps an account: nowhere that Android copies to a cloud or another device. */
object HushpostFiles {
    /** The database; what lies beside it (`-wal`, `.salt`, the folder `-media`) belongs to it. */
    fun database(context: Context): File = File(folder(context), "hushpost.db")

    /** The database's key, wrapped. */
    internal fun wrappedKey(context: Context): File = File(folder(context), "hushpost.key")

    // `noBackupFilesDir` is left out of every backup, whatever the app's rules are.
    private fun folder(context: Context): File = File(context.noBackupFilesDir, "hushpost").apply { mkdirs() }
}
