//! What the app is told while it runs. Events are hints: the database is the truth.
//!
//! A listener that falls behind by more than [`EVENT_BUFFER`] events loses the oldest, and is told so by
//! [`Event::Missed`]; it then reads again what it shows. No message is lost by that, and no memory is held
//! for it.

use core::pin::Pin;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream, StreamExt as _};
use hushpost_wire::{AccountId, DeviceId, MessageId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::content::{Activity, ConversationId};

/// Events that wait for a slow listener.
pub const EVENT_BUFFER: usize = 4096;

/// A stream of events; ends when the client is closed.
pub type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// Which message. Ids are made by senders, so a message is named by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageRef {
    /// Who sent it.
    pub sender: AccountId,
    /// The sender's id for it.
    pub id: MessageId,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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
        device: DeviceId,
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
    /// [`Contacts::accept_change`](crate::Contacts::accept_change).
    DevicesChanged {
        /// Whose.
        account: AccountId,
        /// New ones.
        added: Vec<DeviceId>,
        /// Ones that are gone.
        removed: Vec<DeviceId>,
        /// Ones that were set up anew.
        renewed: Vec<DeviceId>,
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
    /// This listener was too slow and lost events, or another process changed the database
    /// ([`Processes::Many`](crate::Processes::Many)): read again what is shown.
    Missed {
        /// How many; 0 if another process changed it.
        events: u64,
    },
}

/// Where events are said.
pub(crate) struct EventBus(Mutex<Bus>);

struct Bus {
    /// `None` once the client is closed.
    sender: Option<broadcast::Sender<Event>>,
    /// What happened before anybody could listen: for the first who does.
    early: Vec<Event>,
    /// For who asks afterwards.
    added: Option<Added>,
}

/// The newest messages that were added.
struct Added {
    most: usize,
    places: VecDeque<(ConversationId, MessageRef)>,
}

impl EventBus {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Bus {
            sender: Some(broadcast::Sender::new(EVENT_BUFFER)),
            early: Vec::new(),
            added: None,
        }))
    }

    /// From now on remembers which messages are added, the newest `most`. Unlike a listener it misses none.
    pub(crate) fn remember_added(&self, most: usize) {
        self.bus().added = Some(Added {
            most,
            places: VecDeque::new(),
        });
    }

    /// What was added since, in the order in which it came.
    pub(crate) fn take_added(&self) -> VecDeque<(ConversationId, MessageRef)> {
        let added = self.bus().added.take();
        added.map(|added| added.places).unwrap_or_default()
    }

    pub(crate) fn emit(&self, event: Event) {
        let mut bus = self.bus();
        if let Event::MessageAdded {
            conversation,
            message,
        } = event
            && let Some(added) = &mut bus.added
        {
            if added.places.len() >= added.most {
                added.places.pop_front();
            }
            added.places.push_back((conversation, message));
        }
        if let Some(sender) = &bus.sender {
            // Nobody may be listening.
            let _heard_by = sender.send(event);
        }
    }

    pub(crate) fn emit_all(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.emit(event);
        }
    }

    /// Says something that happens while a client is being opened: the first listener is told.
    pub(crate) fn emit_early(&self, event: Event) {
        let mut bus = self.bus();
        match &bus.sender {
            Some(sender) if sender.receiver_count() > 0 => {
                let _heard_by = sender.send(event);
            }
            _ => bus.early.push(event),
        }
    }

    pub(crate) fn subscribe(&self) -> Events {
        let mut bus = self.bus();
        let Some(sender) = &bus.sender else {
            return Box::pin(stream::empty());
        };
        let live = stream::unfold(sender.subscribe(), |mut receiver| async {
            let event = match receiver.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(events)) => Event::Missed { events },
                Err(RecvError::Closed) => return None,
            };
            Some((event, receiver))
        });
        let early = core::mem::take(&mut bus.early);
        Box::pin(stream::iter(early).chain(live))
    }

    /// Ends all streams, once they have given what was said before.
    pub(crate) fn close(&self) {
        self.bus().sender = None;
    }

    fn bus(&self) -> MutexGuard<'_, Bus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_happened_early_is_told_once_and_closing_ends_the_streams() {
        let bus = EventBus::new();
        bus.emit_early(Event::SetUpAnew);
        let first = bus.subscribe();
        let second = bus.subscribe();
        bus.emit(Event::CaughtUp);
        bus.close();
        bus.emit(Event::CaughtUp);
        assert_eq!(
            first.collect::<Vec<_>>().await,
            [Event::SetUpAnew, Event::CaughtUp]
        );
        assert_eq!(second.collect::<Vec<_>>().await, [Event::CaughtUp]);
        assert_eq!(bus.subscribe().count().await, 0);
    }

    #[test]
    fn the_newest_messages_are_remembered_though_nobody_listens() {
        let account = |seed| AccountId::of_key(&[seed; 32]);
        let conversation = ConversationId::between(account(1), account(2));
        let message = |number: u8| MessageRef {
            sender: account(2),
            id: MessageId::from_slice(&[number; 16]).unwrap(),
        };
        let added = |number| Event::MessageAdded {
            conversation,
            message: message(number),
        };
        let bus = EventBus::new();
        bus.emit(added(0));
        assert!(bus.take_added().is_empty());
        bus.remember_added(2);
        bus.emit(Event::CaughtUp);
        bus.emit_all([added(1), added(2), added(3)]);
        let newest = [2, 3].map(|number| (conversation, message(number)));
        assert_eq!(bus.take_added(), newest);
        assert!(bus.take_added().is_empty());
    }

    #[tokio::test]
    async fn a_slow_listener_is_told_what_it_missed() {
        let bus = EventBus::new();
        let mut events = bus.subscribe();
        for _ in 0..EVENT_BUFFER + 5 {
            bus.emit(Event::CaughtUp);
        }
        assert_eq!(events.next().await, Some(Event::Missed { events: 5 }));
        assert_eq!(events.next().await, Some(Event::CaughtUp));
        drop(bus);
        assert_eq!(events.count().await, EVENT_BUFFER - 1);
    }
}
