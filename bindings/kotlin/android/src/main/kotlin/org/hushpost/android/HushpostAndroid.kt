package org.hushpost.android

import android.content.Context

/** What the library has to know of the app, once in a process. */
object HushpostAndroid {
    init {
        System.loadLibrary("hushpost_ffi")
    }

    /**
     * Lets the library ask Android whether it trusts a relay's certificate. To be called before the first `wss://`
     * connection: in `Application.onCreate`, which runs in a worker's process too. May be called again.
     *
     * Needs the AAR `rustls:rustls-platform-verifier` in the app.
     *
     * @throws RuntimeException if Android cannot be asked, as without that AAR.
     */
    fun initialize(context: Context) = initializeNative(context.applicationContext)

    @JvmStatic
    private external fun initializeNative(context: Context)
}
