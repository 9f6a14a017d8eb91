//! What the relay answered, and how the connection is.

use hushpost::{ConnectionState, ConversationId, MessageRef};

use crate::effect::{Relay, Write};
use crate::model::Quote;
use crate::state::page::{Page, Question};
use crate::state::{Naming, REGISTER_AGAIN_MS, State};
use crate::update::Update;

/// The relay's reasons that another registration may overcome.
const TO_REGISTER: [&str; 3] = ["not_registered", "invite_required", "token_rejected"];

impl State {
    /// What the relay, or a look at contacts, answered.
    pub(super) fn take_answer(&mut self, update: Update) {
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
            Update::OpenedGroup(id, name) => self.open(id, None, name),
            Update::Gathered { accounts, then } => self.gathered(accounts, then),
            Update::Invited(link) => self.show_invite(&link),
            Update::NotSent {
                conversation,
                text,
                reply,
                instead_of,
                why,
            } => self.not_sent(conversation, text, (reply, instead_of), &why),
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
        (reply, instead_of): (Option<Quote>, Option<MessageRef>),
        why: &str,
    ) {
        if let Some(open) = self.open.as_mut().filter(|open| open.id == conversation) {
            open.reply = open.reply.take().or(reply);
            let both = if self.input.is_empty() {
                open.editing = instead_of;
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

    pub(super) fn connected(&mut self, state: ConnectionState) {
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
}
