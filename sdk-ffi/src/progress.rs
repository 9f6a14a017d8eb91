//! How far an upload or a download is.

/// How far an upload or a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Bytes of this stage that are done. May go back: after a cut the relay says how much it has.
    pub done: u64,
    /// Bytes of this stage; 0 while that is not known.
    pub total: u64,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Stage {
    /// The file is read, made anew if it is a picture, and encrypted.
    Preparing,
    /// Waits for a connection, or for the next try.
    Waiting,
    /// Bytes are on their way.
    Transferring,
    /// It has ended: `finished` says how.
    Ended,
}

impl From<hushpost::Progress> for Progress {
    fn from(progress: hushpost::Progress) -> Self {
        Self {
            stage: match progress.stage {
                hushpost::Stage::Preparing => Stage::Preparing,
                hushpost::Stage::Transferring => Stage::Transferring,
                hushpost::Stage::Ended => Stage::Ended,
                _ => Stage::Waiting,
            },
            done: progress.done,
            total: progress.total,
        }
    }
}
