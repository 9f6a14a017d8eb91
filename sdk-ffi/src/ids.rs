//! Ids and places, as text: safe to store, to compare, and to pass back.
//!
//! In a record they may be any text, so that a record with a wrong one can still be printed. What they mean is read where
//! they are used, and nothing else is taken for one.

use std::str::FromStr;

use crate::{HushpostError, Result};

/// Longer than any of them.
const MAX_LEN: usize = 128;

fn read<T: FromStr>(text: &str, what: &str) -> Result<T> {
    let read = (text.len() <= MAX_LEN).then(|| text.parse().ok());
    read.flatten()
        .ok_or_else(|| HushpostError::invalid(format!("this is not the text of {what}")))
}

macro_rules! text_form {
    ($(#[$doc:meta] $name:ident, $what:literal;)*) => {$(
        #[$doc]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// What it means.
            ///
            /// # Errors
            /// `Invalid` if it means nothing.
            pub(crate) fn read(&self) -> Result<hushpost::$name> {
                read(&self.0, $what)
            }
        }

        impl From<hushpost::$name> for $name {
            fn from(known: hushpost::$name) -> Self {
                Self(known.to_string())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        uniffi::custom_type!($name, String, {
            try_lift: |text| Ok($name(text)),
            lower: |id| id.0,
        });
    )*};
}

text_form! {
    /// An account's id.
    AccountId, "an account id";
    /// A conversation's id.
    ConversationId, "a conversation id";
    /// A message's id, made by its sender.
    MessageId, "a message id";
    /// A place in a conversation's history.
    Cursor, "a place in a history";
    /// A place among a conversation's files.
    MediaCursor, "a place among files";
    /// An unfinished upload.
    UploadId, "an upload's id";
}

/// Several at once.
pub(crate) fn read_accounts(accounts: Vec<AccountId>) -> Result<Vec<hushpost::AccountId>> {
    accounts.iter().map(AccountId::read).collect()
}

/// Several, as text.
pub(crate) fn accounts(known: Vec<hushpost::AccountId>) -> Vec<AccountId> {
    known.into_iter().map(Into::into).collect()
}
