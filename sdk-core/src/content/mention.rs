//! Somebody who is spoken of in a text.

use core::ops::Range;

use hushpost_wire::AccountId;

use crate::content::{ContentError, generated};

/// Mentions in one text.
pub const MAX_MENTIONS: usize = 64;

/// Somebody who is spoken of in a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// Who.
    pub account: AccountId,
    /// Which bytes of the text (UTF-8) stand for them, such as `@Bob`.
    pub range: Range<usize>,
}

/// Whether mentions point into a text: in order, apart from each other, at whole characters.
pub(super) fn check(body: &str, mentions: &[Mention]) -> Result<(), ContentError> {
    if mentions.len() > MAX_MENTIONS {
        return Err(ContentError::TooLong("list of mentions"));
    }
    let mut end = 0;
    for mention in mentions {
        let range = &mention.range;
        if range.is_empty() || range.start < end || body.get(range.clone()).is_none() {
            return Err(ContentError::Malformed("mention"));
        }
        end = range.end;
    }
    Ok(())
}

pub(super) fn write(mentions: &[Mention]) -> Vec<generated::Mention> {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    mentions
        .iter()
        .map(|mention| generated::Mention {
            account: mention.account.as_bytes().to_vec(),
            start: number(mention.range.start),
            length: number(mention.range.len()),
        })
        .collect()
}

/// Reads them; [`check`] is the caller's.
pub(super) fn read(mentions: &[generated::Mention]) -> Result<Vec<Mention>, ContentError> {
    if mentions.len() > MAX_MENTIONS {
        return Err(ContentError::TooLong("list of mentions"));
    }
    let malformed = ContentError::Malformed("mention");
    mentions
        .iter()
        .map(|mention| {
            let start = usize::try_from(mention.start).map_err(|_| malformed)?;
            let length = usize::try_from(mention.length).map_err(|_| malformed)?;
            Ok(Mention {
                account: AccountId::from_slice(&mention.account).map_err(|_| malformed)?,
                range: start..start.checked_add(length).ok_or(malformed)?,
            })
        })
        .collect()
}
