//! A link that lets people into a group.

use std::sync::Arc;

use crate::ids::ConversationId;
use crate::{HushpostError, Result};

/// A link that lets people into a group. Whoever has its text can ask to come in.
#[derive(Debug, uniffi::Object)]
pub struct InviteLink(pub(crate) hushpost::InviteLink);

#[uniffi::export]
impl InviteLink {
    /// Reads the text of a link.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    #[uniffi::constructor]
    pub fn parse(text: String) -> Result<Arc<Self>> {
        let link = text.parse().map_err(HushpostError::from)?;
        Ok(Arc::new(Self(link)))
    }

    /// The text to show, send or draw as a QR code: all of the secret is in it.
    ///
    /// # Errors
    /// None today.
    pub fn text(&self) -> Result<String> {
        Ok(self.0.to_text())
    }

    /// The group it opens.
    ///
    /// # Errors
    /// None today.
    pub fn group(&self) -> Result<ConversationId> {
        Ok(self.0.group().into())
    }
}
