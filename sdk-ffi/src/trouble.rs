//! What went wrong and shows to the app as such.

use crate::ids::AccountId;

/// Something that did not come through as it should.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Trouble {
    /// Whose message.
    pub account: AccountId,
    /// What is wrong.
    pub kind: TroubleKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum TroubleKind {
    /// Did not decrypt; asked for again unless `gone`.
    Undecryptable {
        /// A stable name of the cause.
        cause: String,
        /// The sender knows nothing of it: a forgery, most likely.
        gone: bool,
    },
    /// Messages are missing; asked for unless `gone`.
    Missing {
        /// How many.
        count: u64,
        /// The sender does not have them any more.
        gone: bool,
    },
    /// Authentic, and makes no sense to this version.
    Quarantined {
        /// A stable name of the cause.
        cause: String,
    },
}

impl From<hushpost::Trouble> for Trouble {
    fn from(trouble: hushpost::Trouble) -> Self {
        let kind = match trouble.kind {
            hushpost::TroubleKind::Undecryptable { cause, gone } => {
                TroubleKind::Undecryptable { cause, gone }
            }
            hushpost::TroubleKind::Missing { count, gone } => TroubleKind::Missing { count, gone },
            hushpost::TroubleKind::Quarantined { cause } => TroubleKind::Quarantined { cause },
            _ => TroubleKind::Quarantined {
                cause: "unknown".to_owned(),
            },
        };
        Self {
            account: trouble.account.into(),
            kind,
        }
    }
}
