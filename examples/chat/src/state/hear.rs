//! What the tasks and the SDK say. Events are hints: what is shown is read again.

use hushpost::{AccountId, Activity, ConnectionState, ConversationId, Event};

use crate::effect::{Effect, Read, Relay, Write};
use crate::model::Quote;
use crate::state::notices::Weight;
use crate::state::page::{Page, Question};
use crate::state::{Naming, REGISTER_AGAIN_MS, State};
use crate::update::Update;

/// After a reading that failed: how long nothing is read, in milliseconds.
const REST_MS: u64 = 3_000;
/// The relay's reasons that another registration may overcome.
const TO_REGISTER: [&str; 3] = ["not_registered", "invite_required", "token_rejected"];

impl State {
    /// Takes in what a task says.
    pub(crate) fn take(&mut self, update: Update) {
        match update {
            Update::List { archived, change } => {
                if !self.list.apply(archived, change) {
                    self.effects.push(Effect::ListAgain);
                }
                self.rename_open();
            }
            Update::Event(event) => self.hear(event),
            Update::Connection(state) => self.connected(state),
            Update::Loaded {
                conversation,
                place,
                part,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.take(place, part);
                }
            }
            Update::Refreshed {
                conversation,
                found,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.refreshed(found);
                }
            }
            Update::NotLoaded { conversation, why } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.failed();
                    open.rest_until_ms = self.now.ms.saturating_add(REST_MS);
                }
                self.warn(&why);
            }
            Update::Peer(account, known) => {
                if let Some(open) = self.open.as_mut().filter(|open| open.peer == Some(account)) {
                    open.known = known;
                }
            }
            Update::Contacts(people) => {
                self.page = Some(Page::Contacts {
                    people,
                    selected: 0,
                });
            }
            Update::SafetyNumber {
                account,
                digits,
                payload,
            } => self.show_safety_number(account, &digits, &payload),
            Update::Hits { words, hits } => {
                self.page = Some(Page::Hits {
                    words,
                    hits,
                    selected: 0,
                });
            }
            Update::NotSent {
                conversation,
                text,
                reply,
                why,
            } => self.not_sent(conversation, text, reply, &why),
            Update::Done(what) => self.info(&what),
            Update::Failed(why) => self.warn(&why),
            other => self.take_answer(other),
        }
    }

    /// What the relay, or a look at contacts, answered.
    fn take_answer(&mut self, update: Update) {
        match update {
            Update::Opened(id, account, name) => self.open(id, Some(account), name),
            Update::Found {
                name,
                account,
                before,
            } => {
                if before.is_some() {
                    self.page = Some(Page::Ask(Question::Moved { name, account }));
                } else {
                    self.write(Write::Open(account));
                }
            }
            Update::Registered(account) => self.me = Some(account),
            Update::NotRegistered { why, again } => {
                self.warn(&format!("not registered: {why}"));
                if again {
                    self.register_at_ms = Some(self.now.ms.saturating_add(REGISTER_AGAIN_MS));
                }
            }
            Update::Named(name) => {
                self.naming = Naming::Taken;
                self.name = name;
            }
            Update::NotNamed { name, why, again } => {
                if again && name == self.name {
                    self.naming = Naming::Wanted;
                } else {
                    self.warn(&format!(
                        "the name {name} is not yours: {why}; /name takes another"
                    ));
                }
            }
            _ => {}
        }
    }

    /// What was not sent is typed again.
    fn not_sent(
        &mut self,
        conversation: ConversationId,
        text: String,
        reply: Option<Quote>,
        why: &str,
    ) {
        if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
            open.reply = open.reply.take().or(reply);
            let both = if self.input.is_empty() {
                text
            } else {
                format!("{text}\n{}", self.input.text())
            };
            self.input.set(&both);
        } else {
            self.write(Write::Draft(conversation, text));
        }
        self.warn(&format!("not sent: {why}"));
    }

    fn connected(&mut self, state: ConnectionState) {
        if let ConnectionState::Refused { code } = &state
            && TO_REGISTER.contains(&code.as_str())
            && !self.refused_once
        {
            self.refused_once = true;
            self.ask(Relay::Register(None));
        }
        self.connection = state;
        self.connection_ms = self.now.ms;
        self.ask_for_name();
    }

    /// Asks for the own name, if that is to be done and can be.
    pub(super) fn ask_for_name(&mut self) {
        let online = matches!(
            self.connection,
            ConnectionState::CatchingUp | ConnectionState::Online
        );
        if online && self.naming == Naming::Wanted {
            self.naming = Naming::Asked;
            self.ask(Relay::SetUserName(self.name.clone()));
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::MessageAdded {
                conversation,
                message,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.touch(message);
                }
                if Some(message.sender) != self.me {
                    self.typing
                        .note(conversation, Activity::Stopped, self.now.ms);
                    self.ring(conversation);
                }
            }
            Event::MessageChanged {
                conversation,
                message,
            } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
                    open.history.touch(message);
                }
            }
            Event::ConversationDeleted { conversation } => self.deleted(conversation),
            Event::Typing {
                conversation,
                activity,
                ..
            } => self.typing.note(conversation, activity, self.now.ms),
            Event::GapReported {
                sender, missing, ..
            } => self.told_of(
                sender,
                Weight::Warning,
                &format!("{missing} messages are missing; they were asked for"),
            ),
            Event::GapHealed { sender, .. } => {
                self.told_of(sender, Weight::Info, "what was missing has come");
            }
            Event::GapGone { sender, .. } => {
                self.told_of(sender, Weight::Warning, "what is missing is gone for good");
            }
            Event::Undecryptable { account, cause, .. } => self.told_of(
                account,
                Weight::Warning,
                &format!("a message does not decrypt ({cause}); it was asked for again"),
            ),
            Event::UndecryptableHealed { account } => {
                self.told_of(account, Weight::Info, "what did not decrypt has come again");
            }
            Event::Quarantined { account, cause } => self.told_of(
                account,
                Weight::Warning,
                &format!("something that makes no sense was put aside ({cause})"),
            ),
            Event::KeysRefused { account, cause } => self.told_of(
                account,
                Weight::Warning,
                &format!("the relay's keys for them do not verify ({cause}); messages wait"),
            ),
            Event::DevicesChanged {
                account,
                added,
                removed,
                renewed,
            } => self.told_of(
                account,
                Weight::Warning,
                &format!(
                    "their devices changed: {} new, {} gone, {} set up anew",
                    added.len(),
                    removed.len(),
                    renewed.len()
                ),
            ),
            Event::NameMoved { name, .. } => self.warn(&format!(
                "the name {name} means another account than before"
            )),
            Event::RelayReset => {
                self.warn("the relay lost its store: what was not delivered is sent again");
                self.naming = Naming::Wanted;
                self.ask_for_name();
            }
            Event::SetUpAnew => self.warn(
                "the database is an older copy: this device was set up anew, and asks for what is missing",
            ),
            Event::JoinRequested { account, .. } => self.told_of(
                account,
                Weight::Info,
                "asks to be let into a group, by its invite link",
            ),
            Event::Missed { .. } => self.read_all_again(),
            // The list is observed by itself, and what a later version says is not known here.
            _ => {}
        }
    }

    fn deleted(&mut self, conversation: ConversationId) {
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.id == conversation)
        {
            self.close();
        }
    }

    fn read_all_again(&mut self) {
        if let Some(open) = &mut self.open {
            open.history.touch_all();
            if let Some(peer) = open.peer {
                self.read(Read::Look(peer));
            }
        }
    }

    /// Something about a person: told, and looked at again if they are on the screen.
    fn told_of(&mut self, account: AccountId, weight: Weight, what: &str) {
        let name = self.name_of(account);
        self.notices
            .add(self.now.ms, weight, &format!("{name}: {what}"));
        if self
            .open
            .as_ref()
            .is_some_and(|open| open.peer == Some(account))
        {
            self.read(Read::Look(account));
        }
    }

    fn name_of(&self, account: AccountId) -> String {
        match self.list.with(account) {
            Some(entry) => entry.name.clone(),
            None => crate::model::name(None, account),
        }
    }

    fn ring(&mut self, conversation: ConversationId) {
        let seen = self.looked_at
            && self
                .open
                .as_ref()
                .is_some_and(|open| open.id == conversation);
        let muted = self
            .list
            .find(conversation)
            .is_some_and(|entry| entry.muted_until_ms > self.now.ms);
        if !seen && !muted && !self.effects.contains(&Effect::Bell) {
            self.effects.push(Effect::Bell);
        }
    }

    /// The open conversation is called as in the list.
    fn rename_open(&mut self) {
        if let Some(open) = &mut self.open
            && let Some(entry) = self.list.find(open.id)
            && open.name != entry.name
        {
            open.name.clone_from(&entry.name);
        }
    }

    fn show_safety_number(&mut self, account: AccountId, digits: &str, payload: &[u8]) {
        let groups: Vec<&str> = digits.split(' ').collect();
        let mut lines = vec![
            "Compare with theirs: read it to each other, or scan. If it is the same, nobody stands"
                .to_owned(),
            "between you; /mark-verified then stops sending if their devices ever change."
                .to_owned(),
            String::new(),
        ];
        lines.extend(groups.chunks(4).map(|groups| groups.join("  ")));
        lines.push(String::new());
        self.page = Some(Page::Code {
            title: format!("safety number with {}", self.name_of(account)),
            lines,
            code: crate::qr::rows(payload).unwrap_or_default(),
            scroll: 0,
        });
    }

    /// The own account, to be typed or scanned by others.
    pub(super) fn show_me(&mut self) {
        let Some(me) = self.me else {
            self.warn("not registered yet");
            return;
        };
        let me = me.to_string();
        self.page = Some(Page::Code {
            title: "this is you".to_owned(),
            lines: vec![
                format!("user name   {}", self.name),
                format!("account id  {me}"),
                String::new(),
                "Who has the id has your key with it: no relay can put another in its place."
                    .to_owned(),
                String::new(),
            ],
            code: crate::qr::rows(me.as_bytes()).unwrap_or_default(),
            scroll: 0,
        });
    }

    /// The message that was selected, to be answered.
    pub(super) fn answer_selected(&mut self) {
        if let Some(open) = &mut self.open
            && let Some(item) = open.history.selected_item()
        {
            open.reply = Some(Quote {
                to: item.id,
                text: item.excerpt(),
            });
            open.history.selected = None;
        }
    }
}
