//! A text, perhaps in answer to another message.

use core::fmt;

use crate::{HushpostError, LinkPreview, Mention, Reply, Result};

/// A text, perhaps in answer to another message.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Text {
    /// The text: 1 to 32,768 bytes that are not only white space.
    pub body: String,
    /// What it answers.
    #[uniffi(default = None)]
    pub reply_to: Option<Reply>,
    /// Who is spoken of: at most 64, in order, apart from each other, each at whole characters.
    #[uniffi(default = [])]
    pub mentions: Vec<Mention>,
    /// What a link in it leads to.
    #[uniffi(default = None)]
    pub link_preview: Option<LinkPreview>,
}

/// Says nothing that a user wrote.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.body.len())
    }
}

impl From<&hushpost::Text> for Text {
    fn from(text: &hushpost::Text) -> Self {
        Self {
            body: text.body().to_owned(),
            reply_to: text.reply_to().map(Into::into),
            mentions: text.mentions().iter().map(Into::into).collect(),
            link_preview: text.link_preview().map(Into::into),
        }
    }
}

impl TryFrom<Text> for hushpost::Text {
    type Error = HushpostError;

    fn try_from(text: Text) -> Result<Self> {
        let mut made = Self::new(text.body)?;
        if let Some(reply) = text.reply_to {
            made = made.in_reply_to(reply.try_into()?);
        }
        if !text.mentions.is_empty() {
            let mentions = text.mentions.into_iter().map(TryInto::try_into);
            made = made.mentioning(mentions.collect::<Result<_>>()?)?;
        }
        if let Some(preview) = text.link_preview {
            made = made.with_link_preview(preview.try_into()?)?;
        }
        Ok(made)
    }
}
