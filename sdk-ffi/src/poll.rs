//! A question with answers to choose from.

use core::fmt;

use crate::{HushpostError, Result};

/// A question with answers to choose from. The votes are in `votes`.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Poll {
    /// The question: 1 to 512 bytes.
    pub question: String,
    /// The answers: 2 to 12, each 1 to 256 bytes.
    pub options: Vec<String>,
    /// Whether several answers may be chosen.
    #[uniffi(default = false)]
    pub several: bool,
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Poll({} answers)", self.options.len())
    }
}

impl From<&hushpost::Poll> for Poll {
    fn from(poll: &hushpost::Poll) -> Self {
        Self {
            question: poll.question().to_owned(),
            options: poll.options().to_vec(),
            several: poll.allows_several(),
        }
    }
}

impl TryFrom<Poll> for hushpost::Poll {
    type Error = HushpostError;

    fn try_from(poll: Poll) -> Result<Self> {
        let made = Self::new(poll.question, poll.options)?;
        Ok(if poll.several {
            made.with_several_answers()
        } else {
            made
        })
    }
}
