package org.hushpost

/**
 * A stable name of the cause, in `snake_case`: for an app to decide on, and for logs. The kinds of error are the
 * subclasses of [HushpostException].
 */
val HushpostException.code: String
    get() = when (this) {
        is HushpostException.Invalid -> code
        is HushpostException.NotFound -> code
        is HushpostException.NotAllowed -> code
        is HushpostException.Network -> code
        is HushpostException.Refused -> code
        is HushpostException.Store -> code
        is HushpostException.Media -> code
        is HushpostException.Cancelled -> code
        is HushpostException.Internal -> code
    }

/** What went wrong, in English, for developers: it may change, and is not for users. */
val HushpostException.reason: String
    get() = when (this) {
        is HushpostException.Invalid -> reason
        is HushpostException.NotFound -> reason
        is HushpostException.NotAllowed -> reason
        is HushpostException.Network -> reason
        is HushpostException.Refused -> reason
        is HushpostException.Store -> reason
        is HushpostException.Media -> reason
        is HushpostException.Cancelled -> reason
        is HushpostException.Internal -> reason
    }

/** Whether the same call may succeed later without anybody doing anything. */
val HushpostException.retryable: Boolean
    get() = when (this) {
        is HushpostException.Invalid -> retryable
        is HushpostException.NotFound -> retryable
        is HushpostException.NotAllowed -> retryable
        is HushpostException.Network -> retryable
        is HushpostException.Refused -> retryable
        is HushpostException.Store -> retryable
        is HushpostException.Media -> retryable
        is HushpostException.Cancelled -> retryable
        is HushpostException.Internal -> retryable
    }
