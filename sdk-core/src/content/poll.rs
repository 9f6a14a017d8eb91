//! A question with answers to choose from.

use core::fmt;

use crate::content::{ContentError, generated};

/// Bytes of a question, UTF-8.
pub const MAX_QUESTION_LEN: usize = 512;
/// Bytes of an answer, UTF-8.
pub const MAX_OPTION_LEN: usize = 256;
/// Answers to choose from.
pub const MAX_OPTIONS: usize = 12;
const MIN_OPTIONS: usize = 2;

/// A question with answers to choose from.
#[derive(Clone, PartialEq, Eq)]
pub struct Poll {
    question: String,
    options: Vec<String>,
    several: bool,
}

impl Poll {
    /// A question of 1 to 512 bytes with 2 to 12 different answers of 1 to 256 bytes; one may be chosen.
    ///
    /// # Errors
    /// [`ContentError::Empty`], [`ContentError::TooLong`], [`ContentError::Malformed`] for fewer than two
    /// answers, or two that are the same.
    pub fn new(
        question: impl Into<String>,
        options: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ContentError> {
        let question = question.into();
        // One more than allowed shows that there are too many; the rest is not looked at.
        let options = options.into_iter().take(MAX_OPTIONS.saturating_add(1));
        let options: Vec<String> = options.map(Into::into).collect();
        if question.len() > MAX_QUESTION_LEN {
            return Err(ContentError::TooLong("question"));
        }
        if options.len() > MAX_OPTIONS || options.iter().any(|one| one.len() > MAX_OPTION_LEN) {
            return Err(ContentError::TooLong("answers"));
        }
        if question.trim().is_empty() || options.iter().any(|one| one.trim().is_empty()) {
            return Err(ContentError::Empty);
        }
        let distinct: std::collections::BTreeSet<_> = options.iter().collect();
        if options.len() < MIN_OPTIONS || distinct.len() < options.len() {
            return Err(ContentError::Malformed("answers"));
        }
        Ok(Self {
            question,
            options,
            several: false,
        })
    }

    /// The same, with several answers allowed.
    #[must_use]
    pub const fn with_several_answers(mut self) -> Self {
        self.several = true;
        self
    }

    /// What is asked.
    #[must_use]
    pub fn question(&self) -> &str {
        &self.question
    }

    /// What may be answered. Votes name them by their place here.
    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.options
    }

    /// Whether one may choose several.
    #[must_use]
    pub const fn allows_several(&self) -> bool {
        self.several
    }

    /// Whether these may be chosen together: no more than allowed, all of them there.
    pub(crate) fn takes(&self, vote: &[u32]) -> bool {
        let exists =
            |option: &u32| usize::try_from(*option).is_ok_and(|option| option < self.options.len());
        (self.several || vote.len() <= 1) && vote.iter().all(exists)
    }

    pub(super) fn write(&self) -> generated::Poll {
        generated::Poll {
            question: self.question.clone(),
            options: self.options.clone(),
            several: self.several,
        }
    }

    pub(super) fn read(poll: generated::Poll) -> Result<Self, ContentError> {
        let read = Self::new(poll.question, poll.options)?;
        Ok(if poll.several {
            read.with_several_answers()
        } else {
            read
        })
    }
}

/// Says nothing of what is asked.
impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Poll({} answers)", self.options.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_bounded() {
        let poll = Poll::new("Lunch?", ["soup", "salad"]).unwrap();
        assert_eq!(Poll::read(poll.write()), Ok(poll.clone()));
        assert!(poll.takes(&[1]) && poll.takes(&[]));
        assert!(!poll.takes(&[0, 1]) && !poll.takes(&[2]));
        let several = poll.clone().with_several_answers();
        assert!(several.takes(&[0, 1]) && !several.takes(&[0, u32::MAX]));
        assert_eq!(Poll::read(several.write()), Ok(several));
        assert!(!format!("{poll:?}").contains("Lunch"));
        assert!(Poll::new("?", ["one"]).is_err());
        assert!(Poll::new("?", ["same", "same"]).is_err());
        assert!(Poll::new("?", (0..13).map(|n| n.to_string())).is_err());
        assert!(Poll::new(" ", ["a", "b"]).is_err());
        assert!(Poll::new("?", ["a", ""]).is_err());
        assert!(Poll::new("x".repeat(513), ["a", "b"]).is_err());
    }
}
