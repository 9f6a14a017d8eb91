//! A person, as known on this device.

use crate::ids::AccountId;

use core::fmt;

/// A person, as known on this device.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Contact {
    /// Their account.
    pub account: AccountId,
    /// The name this device's user gave them.
    pub name: Option<String>,
    /// The user name they were found by.
    pub user_name: Option<String>,
    /// Whether their safety number was compared.
    pub verified: bool,
    /// Verified, but their devices changed since: nothing is sent until that is accepted.
    pub change_pending: bool,
    /// Nothing they send is shown.
    pub blocked: bool,
}

/// No names.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contact")
            .field("account", &self.account)
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}

impl From<hushpost::Contact> for Contact {
    fn from(contact: hushpost::Contact) -> Self {
        Self {
            account: contact.account.into(),
            name: contact.name,
            user_name: contact.user_name,
            verified: contact.verified,
            change_pending: contact.change_pending,
            blocked: contact.blocked,
        }
    }
}
