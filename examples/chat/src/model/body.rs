//! What a message says, as it is shown: cleaned, and no more than is drawn.

use hushpost::{
    AccountId, Attachment, AttachmentKind, ContactCard, Content, GroupNotice, LinkPreview,
    Location, Message, Poll, Text,
};

use crate::model::UPDATE_NEEDED;
use crate::model::picture::Picture;
use crate::model::words::Words;
use crate::text::clean_line;

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Text {
        words: Words,
        link: Option<Link>,
    },
    Files {
        files: Vec<File>,
        caption: Option<Words>,
    },
    Ballot(Ballot),
    /// A place or a contact card: lines to be read.
    Card(Vec<String>),
    /// Something that its sender did to the group.
    Group(GroupNotice),
    /// It was removed for everybody.
    Deleted,
    /// A kind that this program does not know.
    Unknown,
}

impl core::fmt::Debug for Body {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Body(…)")
    }
}

/// Where a link leads.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) title: String,
    pub(crate) description: String,
}

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) kind: AttachmentKind,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) waveform: Vec<u8>,
    pub(crate) picture: Option<Picture>,
}

/// A question and how it was answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ballot {
    pub(crate) question: String,
    /// The answers, and who chose them.
    pub(crate) answers: Vec<(String, Vec<AccountId>)>,
    pub(crate) several: bool,
}

impl From<&Message> for Body {
    fn from(message: &Message) -> Self {
        match &message.content {
            Content::Text(text) => Self::Text {
                words: Words::from(text),
                link: text.link_preview().and_then(Link::new),
            },
            Content::Attachments(files) => Self::Files {
                files: files.items().iter().map(File::from).collect(),
                caption: files.caption().map(Words::from),
            },
            Content::Poll(poll) => Self::Ballot(Ballot::new(poll, &message.votes)),
            Content::Location(place) => Self::Card(place_lines(place)),
            Content::ContactCard(card) => Self::Card(card_lines(card)),
            Content::GroupChange(change) => Self::Group(change.notice()),
            Content::Deleted => Self::Deleted,
            _ => Self::Unknown,
        }
    }
}

impl Body {
    /// Its text, or its files' caption.
    pub(crate) const fn words(&self) -> Option<&Words> {
        match self {
            Self::Text { words, .. } => Some(words),
            Self::Files { caption, .. } => caption.as_ref(),
            _ => None,
        }
    }

    /// What it says in a line.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Text { words, .. } => clean_line(&words.typed()),
            Self::Files { files, caption } => files_line(files, caption.as_ref()),
            Self::Ballot(ballot) => format!("poll: {}", ballot.question),
            Self::Card(lines) => lines.first().cloned().unwrap_or_default(),
            Self::Group(_) => "the group changed".to_owned(),
            Self::Deleted => DELETED.to_owned(),
            Self::Unknown => UPDATE_NEEDED.to_owned(),
        }
    }
}

/// What is shown for what was removed.
pub(crate) const DELETED: &str = "(deleted)";

/// A message's content in a line, for the conversation list: nothing is decoded for it.
pub(crate) fn preview(content: &Content) -> String {
    match content {
        Content::Text(text) => first_words(text),
        Content::Attachments(files) => {
            let names = files.items().iter().map(|file| {
                let name = clean_line(file.file_name());
                format!("{} {name}", sign(file.kind()))
            });
            let caption = files.caption().map(first_words);
            names.take(1).chain(caption).collect::<Vec<_>>().join(" ")
        }
        Content::Poll(poll) => format!("poll: {}", clean_line(poll.question())),
        Content::Location(place) => place_lines(place).into_iter().take(1).collect(),
        Content::ContactCard(card) => card_lines(card).into_iter().take(1).collect(),
        Content::GroupChange(_) => "the group changed".to_owned(),
        Content::Deleted => DELETED.to_owned(),
        _ => UPDATE_NEEDED.to_owned(),
    }
}

fn first_words(text: &Text) -> String {
    let start: String = text.body().chars().take(240).collect();
    clean_line(&start)
}

fn files_line(files: &[File], caption: Option<&Words>) -> String {
    let mut line = files.iter().map(File::label).collect::<Vec<_>>().join(", ");
    if let Some(caption) = caption {
        line.push(' ');
        line.push_str(&clean_line(&caption.typed()));
    }
    line
}

impl Link {
    /// `None` if there is nothing to show.
    fn new(preview: &LinkPreview) -> Option<Self> {
        let link = Self {
            title: clean_line(preview.title()),
            description: clean_line(preview.description()),
        };
        (!link.title.is_empty() || !link.description.is_empty()).then_some(link)
    }
}

impl From<&Attachment> for File {
    fn from(file: &Attachment) -> Self {
        Self {
            name: clean_line(file.file_name()),
            size: file.size(),
            kind: file.kind(),
            duration_ms: file.duration_ms(),
            waveform: file.waveform().to_vec(),
            picture: match file.kind() {
                AttachmentKind::Image | AttachmentKind::Video => Picture::of(file),
                _ => None,
            },
        }
    }
}

impl File {
    /// Sign and name.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", sign(self.kind), self.name)
    }

    /// What it is, how large, how long.
    pub(crate) fn about(&self) -> String {
        let kind = match self.kind {
            AttachmentKind::Image => "picture",
            AttachmentKind::Video => "video",
            AttachmentKind::Audio => "recording",
            AttachmentKind::Voice => "voice note",
            _ => "file",
        };
        let about = format!("{kind}, {}", size(self.size));
        if let Some(duration_ms) = self.duration_ms {
            let seconds = duration_ms.div_ceil(1000);
            let (minutes, rest) = (seconds / 60, seconds % 60);
            return format!("{about}, {minutes}:{rest:02}");
        }
        about
    }
}

const fn sign(kind: AttachmentKind) -> char {
    match kind {
        AttachmentKind::Image => '▣',
        AttachmentKind::Video => '▶',
        AttachmentKind::Audio | AttachmentKind::Voice => '♪',
        _ => '▤',
    }
}

/// Bytes, as a person reads them.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes
            .saturating_mul(10)
            .checked_div(unit)
            .unwrap_or_default();
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", tenths(1_024)),
        1_048_576..1_073_741_824 => format!("{} MiB", tenths(1_048_576)),
        _ => format!("{} GiB", tenths(1_073_741_824)),
    }
}

impl Ballot {
    fn new(poll: &Poll, votes: &[Vec<AccountId>]) -> Self {
        let votes = votes.iter().cloned().chain(core::iter::repeat(Vec::new()));
        let answers = poll.options().iter().map(|option| clean_line(option));
        Self {
            question: clean_line(poll.question()),
            answers: answers.zip(votes).collect(),
            several: poll.allows_several(),
        }
    }
}

fn place_lines(place: &Location) -> Vec<String> {
    let at = format!("{:.5}, {:.5}", place.latitude(), place.longitude());
    let name = clean_line(place.name());
    let address = clean_line(place.address());
    let mut lines = vec![format!("⌖ {}", if name.is_empty() { &at } else { &name })];
    if !address.is_empty() {
        lines.push(format!("  {address}"));
    }
    if !name.is_empty() {
        lines.push(format!("  {at}"));
    }
    lines
}

fn card_lines(card: &ContactCard) -> Vec<String> {
    let mut lines = vec![format!("☎ {}", clean_line(card.name()))];
    let more = card.phone_numbers().iter().chain(card.email_addresses());
    lines.extend(more.map(|entry| format!("  {}", clean_line(entry))));
    lines.extend(
        card.account()
            .map(|account| format!("  /new {account} writes to them")),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_cards_are_read_as_text() {
        let place = Location::new(48.137_154, 11.576_124).unwrap();
        let place = place.named("Town\u{1b} hall", "Square 1").unwrap();
        assert_eq!(
            place_lines(&place),
            ["⌖ Town hall", "  Square 1", "  48.13715, 11.57612"]
        );
        let card = ContactCard::new("Carol\u{202e}")
            .unwrap()
            .with_phone_numbers(vec!["+1 555 0100".to_owned()])
            .unwrap();
        assert_eq!(card_lines(&card), ["☎ Carol", "  +1 555 0100"]);
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(3 * 1024 * 1024), "3.0 MiB");
        assert_eq!(size(u64::MAX / 100), "171798691.8 GiB");
    }
}
