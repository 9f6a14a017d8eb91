//! How to reach somebody: what one person hands another.

use core::fmt;

use hushpost_wire::AccountId;

use crate::content::{ContentError, generated};

/// Bytes of the name on a card, UTF-8.
pub const MAX_CARD_NAME_LEN: usize = 256;
/// Phone numbers, and as many mail addresses, on a card.
pub const MAX_CARD_ENTRIES: usize = 8;
const MAX_PHONE_NUMBER_LEN: usize = 64;
const MAX_EMAIL_ADDRESS_LEN: usize = 256;

/// How to reach somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct ContactCard {
    name: String,
    account: Option<AccountId>,
    phone_numbers: Vec<String>,
    email_addresses: Vec<String>,
}

impl ContactCard {
    /// A card with a name of 1 to 256 bytes that is not only white space.
    ///
    /// # Errors
    /// [`ContentError::Empty`], [`ContentError::TooLong`].
    pub fn new(name: impl Into<String>) -> Result<Self, ContentError> {
        let name = name.into();
        if name.trim().is_empty() {
            return Err(ContentError::Empty);
        }
        if name.len() > MAX_CARD_NAME_LEN {
            return Err(ContentError::TooLong("name"));
        }
        Ok(Self {
            name,
            account: None,
            phone_numbers: Vec::new(),
            email_addresses: Vec::new(),
        })
    }

    /// The same with their account.
    #[must_use]
    pub const fn with_account(mut self, account: AccountId) -> Self {
        self.account = Some(account);
        self
    }

    /// The same with their phone numbers: at most 8, of 1 to 64 bytes.
    ///
    /// # Errors
    /// [`ContentError::Empty`], [`ContentError::TooLong`].
    pub fn with_phone_numbers(mut self, numbers: Vec<String>) -> Result<Self, ContentError> {
        check(&numbers, MAX_PHONE_NUMBER_LEN, "phone number")?;
        self.phone_numbers = numbers;
        Ok(self)
    }

    /// The same with their mail addresses: at most 8, of 1 to 256 bytes.
    ///
    /// # Errors
    /// [`ContentError::Empty`], [`ContentError::TooLong`].
    pub fn with_email_addresses(mut self, addresses: Vec<String>) -> Result<Self, ContentError> {
        check(&addresses, MAX_EMAIL_ADDRESS_LEN, "mail address")?;
        self.email_addresses = addresses;
        Ok(self)
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Their account here, as who sent the card says.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        self.account
    }

    /// Their phone numbers, as they were typed.
    #[must_use]
    pub fn phone_numbers(&self) -> &[String] {
        &self.phone_numbers
    }

    /// Their mail addresses, as they were typed.
    #[must_use]
    pub fn email_addresses(&self) -> &[String] {
        &self.email_addresses
    }

    pub(super) fn write(&self) -> generated::ContactCard {
        generated::ContactCard {
            name: self.name.clone(),
            account: self
                .account
                .map(|account| account.as_bytes().to_vec())
                .unwrap_or_default(),
            phone_numbers: self.phone_numbers.clone(),
            email_addresses: self.email_addresses.clone(),
        }
    }

    pub(super) fn read(card: generated::ContactCard) -> Result<Self, ContentError> {
        let read = Self::new(card.name)?
            .with_phone_numbers(card.phone_numbers)?
            .with_email_addresses(card.email_addresses)?;
        if card.account.is_empty() {
            return Ok(read);
        }
        let account = AccountId::from_slice(&card.account);
        Ok(read.with_account(account.map_err(|_| ContentError::Malformed("contact card"))?))
    }
}

fn check(entries: &[String], most: usize, what: &'static str) -> Result<(), ContentError> {
    if entries.len() > MAX_CARD_ENTRIES || entries.iter().any(|entry| entry.len() > most) {
        return Err(ContentError::TooLong(what));
    }
    if entries.iter().any(|entry| entry.trim().is_empty()) {
        return Err(ContentError::Empty);
    }
    Ok(())
}

/// Says nothing of whom.
impl fmt::Debug for ContactCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactCard(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_bounded() {
        let card = ContactCard::new("Carol")
            .unwrap()
            .with_account(AccountId::of_key(&[1; 32]))
            .with_phone_numbers(vec!["+49 30 1234".to_owned()])
            .unwrap()
            .with_email_addresses(vec!["carol@example.org".to_owned()])
            .unwrap();
        assert_eq!(ContactCard::read(card.write()), Ok(card.clone()));
        assert!(!format!("{card:?}").contains("Carol"));
        assert_eq!(ContactCard::new(" "), Err(ContentError::Empty));
        let one = || ContactCard::new("x").unwrap();
        assert!(one().with_phone_numbers(vec!["1".to_owned(); 9]).is_err());
        assert!(one().with_phone_numbers(vec!["1".repeat(65)]).is_err());
        assert!(one().with_email_addresses(vec![String::new()]).is_err());
        let mut wire = card.write();
        wire.account = vec![1, 2];
        assert!(ContactCard::read(wire).is_err());
    }
}
