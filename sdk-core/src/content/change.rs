//! What changes a message that was sent before, or the conversation: posts that show nowhere by themselves.
//!
//! Must never: decide whether somebody may do what they say; see `conversation::changes` for that.

use core::fmt;
use core::time::Duration;

use hushpost_wire::{AccountId, MessageId};
use prost::Message as _;

use crate::content::poll::MAX_OPTIONS;
use crate::content::{Content, ContentError, Emoji, Text, generated};
use crate::event::MessageRef;

/// Longest time that messages may be told to stay: 366 days, in seconds.
pub const MAX_TIMER_S: u32 = 366 * 24 * 3600;

/// What a post changes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Edit(MessageRef, Text),
    /// No emoji takes the one that was there away.
    React(MessageRef, Option<Emoji>),
    Delete(MessageRef),
    Pin(MessageRef, bool),
    /// Seconds; 0: messages stay.
    Timer(u32),
    /// Rising.
    Vote(MessageRef, Vec<u32>),
}

/// What a post says: something to be shown, or a change of what is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Shown(Content),
    Quiet(Change),
}

impl Change {
    /// The message that it changes; none: the conversation.
    pub(crate) const fn target(&self) -> Option<MessageRef> {
        match self {
            Self::Edit(target, _)
            | Self::React(target, _)
            | Self::Delete(target)
            | Self::Pin(target, _)
            | Self::Vote(target, _) => Some(*target),
            Self::Timer(_) => None,
        }
    }

    /// The kind, by its field number: stored beside it.
    pub(crate) const fn kind(&self) -> u8 {
        match self {
            Self::Edit(..) => kind::EDIT,
            Self::React(..) => kind::REACTION,
            Self::Delete(_) => kind::DELETION,
            Self::Pin(..) => kind::PIN,
            Self::Timer(_) => kind::TIMER,
            Self::Vote(..) => kind::VOTE,
        }
    }

    /// The bytes that travel and are stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        use generated::content::Kind;
        let kind = match self {
            Self::Edit(target, text) => {
                let mut text = text.write();
                text.reply_to = None;
                Kind::Edit(generated::Edit {
                    target: Some(write(*target)),
                    text: Some(text),
                })
            }
            Self::React(target, emoji) => Kind::Reaction(generated::Reaction {
                target: Some(write(*target)),
                emoji: emoji
                    .as_ref()
                    .map(|emoji| emoji.as_str().to_owned())
                    .unwrap_or_default(),
            }),
            Self::Delete(target) => Kind::Deletion(generated::Deletion {
                target: Some(write(*target)),
            }),
            Self::Pin(target, pinned) => Kind::Pin(generated::Pin {
                target: Some(write(*target)),
                pinned: *pinned,
            }),
            Self::Timer(seconds) => Kind::Timer(generated::Timer { seconds: *seconds }),
            Self::Vote(target, options) => Kind::Vote(generated::Vote {
                target: Some(write(*target)),
                options: options.clone(),
            }),
        };
        generated::Content {
            forwards: 0,
            kind: Some(kind),
        }
        .encode_to_vec()
    }

    pub(super) fn read(kind: generated::content::Kind) -> Result<Option<Self>, ContentError> {
        use generated::content::Kind;
        Ok(Some(match kind {
            Kind::Edit(edit) => {
                let mut text = edit.text.ok_or(ContentError::Empty)?;
                text.reply_to = None;
                Self::Edit(read(edit.target.as_ref())?, Text::read(text)?)
            }
            Kind::Reaction(reaction) => {
                let emoji = (!reaction.emoji.is_empty()).then_some(reaction.emoji);
                let emoji = emoji.map(Emoji::new).transpose()?;
                Self::React(read(reaction.target.as_ref())?, emoji)
            }
            Kind::Deletion(deletion) => Self::Delete(read(deletion.target.as_ref())?),
            Kind::Pin(pin) => Self::Pin(read(pin.target.as_ref())?, pin.pinned),
            Kind::Timer(timer) if timer.seconds <= MAX_TIMER_S => Self::Timer(timer.seconds),
            Kind::Timer(_) => return Err(ContentError::TooLong("timer")),
            Kind::Vote(vote) => Self::vote(read(vote.target.as_ref())?, vote.options)?,
            _ => return Ok(None),
        }))
    }

    /// A vote for answers that are named once, in order.
    pub(crate) fn vote(target: MessageRef, options: Vec<u32>) -> Result<Self, ContentError> {
        if options.len() > MAX_OPTIONS {
            return Err(ContentError::TooLong("vote"));
        }
        if !options.is_sorted_by(|one, next| one < next) {
            return Err(ContentError::Malformed("vote"));
        }
        Ok(Self::Vote(target, options))
    }

    /// A timer of whole seconds, at least one.
    pub(crate) fn timer(after: Option<Duration>) -> Result<Self, ContentError> {
        let Some(after) = after else {
            return Ok(Self::Timer(0));
        };
        let seconds = u32::try_from(after.as_secs()).unwrap_or(u32::MAX);
        match seconds {
            0 => Err(ContentError::Empty),
            1..=MAX_TIMER_S => Ok(Self::Timer(seconds)),
            _ => Err(ContentError::TooLong("timer")),
        }
    }
}

/// Kinds as numbers.
pub(crate) mod kind {
    pub(crate) const EDIT: u8 = 2;
    pub(crate) const REACTION: u8 = 3;
    pub(crate) const DELETION: u8 = 4;
    pub(crate) const PIN: u8 = 6;
    pub(crate) const TIMER: u8 = 7;
    pub(crate) const VOTE: u8 = 11;
}

impl Said {
    /// Reads what a post says. A kind of a later version is shown, as [`Content::Unknown`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        let content =
            generated::Content::decode(bytes).map_err(|_| ContentError::Malformed("content"))?;
        let Some(kind) = content.kind else {
            return Ok(Self::Shown(Content::Unknown));
        };
        if is_change(&kind)
            && let Some(change) = Change::read(kind.clone())?
        {
            return Ok(Self::Quiet(change));
        }
        Content::read(kind).map(Self::Shown)
    }
}

const fn is_change(kind: &generated::content::Kind) -> bool {
    use generated::content::Kind;
    matches!(
        kind,
        Kind::Edit(_)
            | Kind::Reaction(_)
            | Kind::Deletion(_)
            | Kind::Pin(_)
            | Kind::Timer(_)
            | Kind::Vote(_)
    )
}

/// Says of which kind, and nothing that a user wrote.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({}, of {:?})", self.kind(), self.target())
    }
}

fn write(target: MessageRef) -> generated::Target {
    generated::Target {
        sender: target.sender.as_bytes().to_vec(),
        message_id: target.id.as_bytes().to_vec(),
    }
}

fn read(target: Option<&generated::Target>) -> Result<MessageRef, ContentError> {
    let malformed = ContentError::Malformed("target");
    let target = target.ok_or(malformed)?;
    Ok(MessageRef {
        sender: AccountId::from_slice(&target.sender).map_err(|_| malformed)?,
        id: MessageId::from_slice(&target.message_id).map_err(|_| malformed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target() -> MessageRef {
        MessageRef {
            sender: AccountId::of_key(&[1; 32]),
            id: MessageId::from_slice(&[9; 16]).unwrap(),
        }
    }

    fn changes() -> Vec<Change> {
        vec![
            Change::Edit(target(), Text::new("better").unwrap()),
            Change::React(target(), Some(Emoji::new("👍").unwrap())),
            Change::React(target(), None),
            Change::Delete(target()),
            Change::Pin(target(), true),
            Change::Timer(0),
            Change::Timer(MAX_TIMER_S),
            Change::Vote(target(), vec![0, 3, 11]),
        ]
    }

    #[test]
    fn changes_survive_the_journey_and_are_never_printed() {
        for change in changes() {
            let read = Said::decode(&change.encode()).unwrap();
            assert!(read == Said::Quiet(change.clone()), "{change:?}");
            assert!(!format!("{change:?}").contains("better"));
            // Who does not look for changes finds nothing to show.
            assert!(Content::decode(&change.encode()) == Ok(Content::Unknown));
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        use generated::content::Kind;
        let refused = |kind| {
            let content = generated::Content {
                forwards: 0,
                kind: Some(kind),
            };
            Said::decode(&content.encode_to_vec()).is_err()
        };
        assert!(refused(Kind::Timer(generated::Timer {
            seconds: MAX_TIMER_S + 1
        })));
        for options in [vec![1, 1], vec![2, 1], (0..13).collect()] {
            assert!(refused(Kind::Vote(generated::Vote {
                target: Some(write(target())),
                options,
            })));
        }
        assert!(refused(Kind::Reaction(generated::Reaction {
            target: Some(write(target())),
            emoji: "not an emoji".to_owned(),
        })));
        assert!(refused(Kind::Deletion(generated::Deletion {
            target: None
        })));
        assert!(refused(Kind::Edit(generated::Edit {
            target: Some(write(target())),
            text: None,
        })));
        assert!(Change::timer(Some(Duration::from_millis(10))).is_err());
        assert!(Change::timer(Some(Duration::MAX)).is_err());
        assert!(Change::timer(None) == Ok(Change::Timer(0)));
    }

    proptest! {
        #[test]
        fn changed_bytes_are_read_or_refused(
            which in 0..8usize, at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = changes().swap_remove(which).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(Said::Quiet(change)) = Said::decode(&bytes) {
                prop_assert!(Said::decode(&change.encode()) == Ok(Said::Quiet(change)));
            }
        }
    }
}
