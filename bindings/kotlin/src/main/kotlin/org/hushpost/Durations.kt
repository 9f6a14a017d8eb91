package org.hushpost

import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** As the member of this name, with Kotlin's own duration. */
suspend fun Conversation.muteFor(time: Duration): Unit = muteFor(time.toJavaDuration())

/** As the member of this name, with Kotlin's own duration. */
suspend fun Conversation.setDisappearing(after: Duration): Unit = setDisappearing(after.toJavaDuration())

/** As the member of this name, with Kotlin's own duration. */
suspend fun Group.makeInvite(goodFor: Duration, approval: Boolean = false): InviteLink =
    makeInvite(goodFor.toJavaDuration(), approval)

/** As the function of this name, with Kotlin's own duration. */
suspend fun processPush(config: Config, budget: Duration): PushResult = processPush(config, budget.toJavaDuration())
