//! How to reach somebody.

use core::fmt;

use crate::ids::AccountId;
use crate::{HushpostError, Result};

/// How to reach somebody, to be sent as a message.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct ContactCard {
    /// Their name: 1 to 256 bytes.
    pub name: String,
    /// Their account.
    #[uniffi(default = None)]
    pub account: Option<AccountId>,
    /// At most 8.
    #[uniffi(default = [])]
    pub phone_numbers: Vec<String>,
    /// At most 8.
    #[uniffi(default = [])]
    pub email_addresses: Vec<String>,
}

impl fmt::Debug for ContactCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactCard(…)")
    }
}

impl From<&hushpost::ContactCard> for ContactCard {
    fn from(card: &hushpost::ContactCard) -> Self {
        Self {
            name: card.name().to_owned(),
            account: card.account().map(Into::into),
            phone_numbers: card.phone_numbers().to_vec(),
            email_addresses: card.email_addresses().to_vec(),
        }
    }
}

impl TryFrom<ContactCard> for hushpost::ContactCard {
    type Error = HushpostError;

    fn try_from(card: ContactCard) -> Result<Self> {
        let mut made = Self::new(card.name)?;
        if let Some(account) = card.account {
            made = made.with_account(account.read()?);
        }
        Ok(made
            .with_phone_numbers(card.phone_numbers)?
            .with_email_addresses(card.email_addresses)?)
    }
}
