//! How far a message is.

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MessageState {
    /// Received, and not read on this device yet.
    Unread,
    /// Received and read.
    Seen,
    /// Own: stored here, not at the relay yet.
    Queued,
    /// Own: the relay has it durably. One tick.
    Sent,
    /// Own: the recipient's device has it durably. Two ticks.
    Delivered,
    /// Own: the recipient read it. Blue.
    Read,
    /// Own: given up. `retry` tries again.
    Failed {
        /// Why.
        why: FailureReason,
    },
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FailureReason {
    /// There is no such account, as far as the relay knows.
    Unreachable,
    /// The relay refuses it for good.
    Refused,
    /// The user cancelled it before it was sent.
    Cancelled,
}

impl From<hushpost::MessageState> for MessageState {
    fn from(state: hushpost::MessageState) -> Self {
        match state {
            hushpost::MessageState::Unread => Self::Unread,
            hushpost::MessageState::Queued => Self::Queued,
            hushpost::MessageState::Sent => Self::Sent,
            hushpost::MessageState::Delivered => Self::Delivered,
            hushpost::MessageState::Read => Self::Read,
            hushpost::MessageState::Failed(why) => Self::Failed {
                why: match why {
                    hushpost::FailureReason::Unreachable => FailureReason::Unreachable,
                    hushpost::FailureReason::Cancelled => FailureReason::Cancelled,
                    _ => FailureReason::Refused,
                },
            },
            _ => Self::Seen,
        }
    }
}
