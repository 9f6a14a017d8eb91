package org.hushpost.sample

import android.app.Application
import android.content.Context
import androidx.lifecycle.DefaultLifecycleObserver
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ProcessLifecycleOwner
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.launch
import org.hushpost.Config
import org.hushpost.android.AndroidDatabaseKey
import org.hushpost.android.HushpostAndroid
import org.hushpost.android.HushpostFiles

/** Keeps the one client of the process, and connects it while the app is in front. */
class SampleApp : Application(), DefaultLifecycleObserver {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    /** The account; opened when it is needed first: a worker that a push woke needs none. */
    val store: Deferred<ChatStore> =
        scope.async(Dispatchers.IO, CoroutineStart.LAZY) { ChatStore.open(config(this@SampleApp), scope) }

    override fun onCreate() {
        super<Application>.onCreate()
        HushpostAndroid.initialize(this)
        ProcessLifecycleOwner.get().lifecycle.addObserver(this)
    }

    override fun onStart(owner: LifecycleOwner) {
        scope.launch { store.await().foreground() }
    }

    override fun onStop(owner: LifecycleOwner) {
        scope.launch { store.await().background() }
    }

    companion object {
        /** The same for the app and its worker. */
        fun config(context: Context): Config = Config(
            database = HushpostFiles.database(context).path,
            key = AndroidDatabaseKey.load(context),
            relay = BuildConfig.RELAY,
            relayName = BuildConfig.RELAY_NAME,
            // Only because the relay of a developer's machine has no certificate.
            insecureRelay = BuildConfig.DEBUG,
            manyProcesses = true,
        )
    }
}
