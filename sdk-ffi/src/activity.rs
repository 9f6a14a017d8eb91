//! What somebody does in a conversation right now.

/// What somebody does in a conversation right now. Forget it after 5 seconds without another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Activity {
    /// Nothing any more.
    Stopped,
    /// Typing.
    Typing,
    /// Recording a voice note.
    Recording,
}

impl From<hushpost::Activity> for Activity {
    fn from(activity: hushpost::Activity) -> Self {
        match activity {
            hushpost::Activity::Typing => Self::Typing,
            hushpost::Activity::Recording => Self::Recording,
            hushpost::Activity::Stopped => Self::Stopped,
        }
    }
}

impl From<Activity> for hushpost::Activity {
    fn from(activity: Activity) -> Self {
        match activity {
            Activity::Stopped => Self::Stopped,
            Activity::Typing => Self::Typing,
            Activity::Recording => Self::Recording,
        }
    }
}
