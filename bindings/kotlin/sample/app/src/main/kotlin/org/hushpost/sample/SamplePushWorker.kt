package org.hushpost.sample

import android.content.Context
import android.util.Log
import androidx.work.WorkerParameters
import org.hushpost.Config
import org.hushpost.PushEnd
import org.hushpost.PushResult
import org.hushpost.android.PushWorker

/**
 * What a push starts: `PushWorker.enqueue(context, SamplePushWorker::class.java)`, from the service that gets pushes
 * (FCM's, or UnifiedPush's), which this sample leaves to you.
 */
class SamplePushWorker(context: Context, parameters: WorkerParameters) : PushWorker(context, parameters) {
    override fun config(): Config = SampleApp.config(applicationContext)

    override suspend fun show(result: PushResult) {
        // A real app posts a notification for each; the texts are for the user's eyes, not for a log.
        when (result.end) {
            PushEnd.CAUGHT_UP -> Log.i(TAG, "${result.messages.size} messages to show")
            PushEnd.OUT_OF_TIME -> Log.i(TAG, "you may have new messages")
            PushEnd.APP_IS_CONNECTED -> Log.i(TAG, "the app shows them itself")
        }
    }

    private companion object {
        const val TAG = "Hushpost"
    }
}
