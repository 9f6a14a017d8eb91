//! Something happened.

use hushpost::DeviceId;

use crate::ids::{AccountId, ConversationId};
use crate::{Activity, MessageRef};

/// Something happened. Events are hints: the database is the truth. A listener that falls behind by more than 4096
/// loses the oldest, and is told so by `Missed`; it then reads again what it shows.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum Event {
    /// A message is shown from now on: once for each message over the device's whole life.
    MessageAdded {
        /// Where.
        conversation: ConversationId,
        /// Which.
        message: MessageRef,
    },
    /// A message's state, times or place changed, or it was edited, deleted for everyone, pinned, starred, reacted
    /// to or voted in.
    MessageChanged {
        /// Where.
        conversation: ConversationId,
        /// Which.
        message: MessageRef,
    },
    /// A message is gone from this device: deleted here, or its time is over.
    MessageRemoved {
        /// Where.
        conversation: ConversationId,
        /// Which.
        message: MessageRef,
    },
    /// A conversation's entry in the list changed, or is new.
    ConversationChanged {
        /// Which.
        conversation: ConversationId,
    },
    /// A conversation was deleted here.
    ConversationDeleted {
        /// Which.
        conversation: ConversationId,
    },
    /// Somebody is typing, or stopped. Forget it after 5 s without another one.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        account: AccountId,
        /// What.
        activity: Activity,
    },
    /// Messages are missing before one that is shown; they were asked for.
    GapReported {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        sender: AccountId,
        /// How many.
        missing: u64,
    },
    /// The last missing message of a sender has come.
    GapHealed {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        sender: AccountId,
    },
    /// The sender no longer has messages that are missing here, or knows nothing of what did not decrypt.
    GapGone {
        /// Where.
        conversation: ConversationId,
        /// Whose.
        sender: AccountId,
    },
    /// Something arrived that does not decrypt. It was asked for again.
    Undecryptable {
        /// Who sent it, as the relay says.
        account: AccountId,
        /// From which device.
        device: u8,
        /// A stable name of the cause.
        cause: String,
    },
    /// What did not decrypt was sent again, and is shown.
    UndecryptableHealed {
        /// Who sent it.
        account: AccountId,
    },
    /// Something authentic that makes no sense was put aside.
    Quarantined {
        /// Who sent it.
        account: AccountId,
        /// A stable name of the cause.
        cause: String,
    },
    /// What the relay served as somebody's keys or device list does not verify. None of it is used; messages to
    /// them stay queued, and the keys are asked for again. If it goes on, the relay is at fault, or lies.
    KeysRefused {
        /// Whose they were said to be.
        account: AccountId,
        /// A stable name of the cause.
        cause: String,
    },
    /// A contact's devices changed, as its account signed. A verified contact waits for
    /// `accept_change` of its contacts.
    DevicesChanged {
        /// Whose.
        account: AccountId,
        /// New ones.
        added: Vec<u8>,
        /// Ones that are gone.
        removed: Vec<u8>,
        /// Ones that were set up anew.
        renewed: Vec<u8>,
    },
    /// The relay lost this account's user name, and by now it is somebody else's, or not allowed any more.
    UserNameLost {
        /// The name.
        name: String,
    },
    /// A user name points to another account than before.
    NameMoved {
        /// The name.
        name: String,
        /// Whom it meant.
        from: AccountId,
        /// Whom it means now.
        to: AccountId,
    },
    /// A group's members, roles, name or settings changed.
    GroupChanged {
        /// Which.
        group: ConversationId,
    },
    /// Two changed a group side by side: both changes stand where they can, the same way on every device.
    GroupForked {
        /// Which.
        group: ConversationId,
        /// Whose change came second here.
        author: AccountId,
    },
    /// A member told this account what was said before it came: read the history again.
    HistoryShared {
        /// Where.
        group: ConversationId,
        /// Who told it.
        by: AccountId,
    },
    /// Somebody with the invite link asks to be let in.
    JoinRequested {
        /// Where.
        group: ConversationId,
        /// Who.
        account: AccountId,
    },
    /// Everything that waited at the relay is here.
    CaughtUp,
    /// The relay lost its store: keys were published again, and what was not delivered is sent again.
    RelayReset,
    /// The database went back in time, so this device was set up anew: new keys, and peers are asked for
    /// what is missing.
    SetUpAnew,
    /// This listener was too slow and lost events: read again what is shown.
    Missed {
        /// How many.
        events: u64,
    },
    /// Something that these bindings do not know.
    Unknown,
}

fn numbers(devices: Vec<DeviceId>) -> Vec<u8> {
    devices.into_iter().map(DeviceId::get).collect()
}

impl From<hushpost::Event> for Event {
    // One arm an event.
    #[allow(clippy::too_many_lines)]
    fn from(event: hushpost::Event) -> Self {
        match event {
            hushpost::Event::MessageAdded {
                conversation,
                message,
            } => Self::MessageAdded {
                conversation: conversation.into(),
                message: message.into(),
            },
            hushpost::Event::MessageChanged {
                conversation,
                message,
            } => Self::MessageChanged {
                conversation: conversation.into(),
                message: message.into(),
            },
            hushpost::Event::MessageRemoved {
                conversation,
                message,
            } => Self::MessageRemoved {
                conversation: conversation.into(),
                message: message.into(),
            },
            hushpost::Event::ConversationChanged { conversation } => Self::ConversationChanged {
                conversation: conversation.into(),
            },
            hushpost::Event::ConversationDeleted { conversation } => Self::ConversationDeleted {
                conversation: conversation.into(),
            },
            hushpost::Event::Typing {
                conversation,
                account,
                activity,
            } => Self::Typing {
                conversation: conversation.into(),
                account: account.into(),
                activity: activity.into(),
            },
            hushpost::Event::GapReported {
                conversation,
                sender,
                missing,
            } => Self::GapReported {
                conversation: conversation.into(),
                sender: sender.into(),
                missing,
            },
            hushpost::Event::GapHealed {
                conversation,
                sender,
            } => Self::GapHealed {
                conversation: conversation.into(),
                sender: sender.into(),
            },
            hushpost::Event::GapGone {
                conversation,
                sender,
            } => Self::GapGone {
                conversation: conversation.into(),
                sender: sender.into(),
            },
            hushpost::Event::Undecryptable {
                account,
                device,
                cause,
            } => Self::Undecryptable {
                account: account.into(),
                device: device.get(),
                cause,
            },
            hushpost::Event::UndecryptableHealed { account } => Self::UndecryptableHealed {
                account: account.into(),
            },
            hushpost::Event::Quarantined { account, cause } => Self::Quarantined {
                account: account.into(),
                cause,
            },
            hushpost::Event::KeysRefused { account, cause } => Self::KeysRefused {
                account: account.into(),
                cause,
            },
            hushpost::Event::DevicesChanged {
                account,
                added,
                removed,
                renewed,
            } => Self::DevicesChanged {
                account: account.into(),
                added: numbers(added),
                removed: numbers(removed),
                renewed: numbers(renewed),
            },
            hushpost::Event::UserNameLost { name } => Self::UserNameLost { name },
            hushpost::Event::NameMoved { name, from, to } => Self::NameMoved {
                name,
                from: from.into(),
                to: to.into(),
            },
            hushpost::Event::GroupChanged { group } => Self::GroupChanged {
                group: group.into(),
            },
            hushpost::Event::GroupForked { group, author } => Self::GroupForked {
                group: group.into(),
                author: author.into(),
            },
            hushpost::Event::HistoryShared { group, by } => Self::HistoryShared {
                group: group.into(),
                by: by.into(),
            },
            hushpost::Event::JoinRequested { group, account } => Self::JoinRequested {
                group: group.into(),
                account: account.into(),
            },
            hushpost::Event::CaughtUp => Self::CaughtUp,
            hushpost::Event::RelayReset => Self::RelayReset,
            hushpost::Event::SetUpAnew => Self::SetUpAnew,
            hushpost::Event::Missed { events } => Self::Missed { events },
            _ => Self::Unknown,
        }
    }
}
