package org.hushpost.android

import android.content.Context
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingWorkPolicy
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequest
import androidx.work.OutOfQuotaPolicy
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import kotlin.time.Duration.Companion.seconds
import org.hushpost.Config
import org.hushpost.HushpostException
import org.hushpost.PushResult
import org.hushpost.processPush
import org.hushpost.retryable

/**
 * Fetches what waits at the relay when a push woke the app, and has it shown. An app derives from it, and calls
 * [enqueue] with its own class from wherever its pushes arrive.
 */
abstract class PushWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    /** How the app's client is set up, with `manyProcesses`: the app and this worker share the database. */
    protected abstract fun config(): Config

    /** Shows notifications. If the time was over first, one that says "you may have new messages". */
    protected abstract suspend fun show(result: PushResult)

    final override suspend fun doWork(): Result = try {
        // Well within what an expedited job is given.
        show(processPush(config(), 20.seconds))
        Result.success()
    } catch (error: HushpostException) {
        if (error.retryable && runAttemptCount < MAX_TRIES) Result.retry() else Result.failure()
    }

    companion object {
        private const val MAX_TRIES = 3
        private const val NAME = "hushpost-push"

        /** Has [worker] run as soon as it may. After one that runs, so that nothing is missed. */
        fun enqueue(context: Context, worker: Class<out PushWorker>) {
            val request = OneTimeWorkRequest.Builder(worker)
                .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
                .setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
                .build()
            WorkManager.getInstance(context).enqueueUniqueWork(NAME, ExistingWorkPolicy.APPEND_OR_REPLACE, request)
        }
    }
}
