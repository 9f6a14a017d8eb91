//! The page about a message: how far it is, who has it, what it said before.

use hushpost::MessageState;

use crate::state::State;
use crate::state::page::Page;
use crate::text::clean_line;
use crate::update::Info;

impl State {
    pub(super) fn show_info(&mut self, info: &Info) {
        let message = &info.message;
        let mut lines = Vec::new();
        let mut at = |what: &str, ms: Option<u64>| {
            if let Some(ms) = ms {
                let (day, time) = (self.now.day(ms), self.now.time(ms));
                lines.push(format!("{what:<14}{day} {time}"));
            }
        };
        at("sent", Some(message.sent_ms));
        at("at the relay", message.accepted_ms);
        if info.receipts.is_none() {
            at("delivered", message.delivered_ms);
            at("read", message.read_ms);
        }
        at("edited", message.edited_ms);
        at("disappears", message.expires_ms);
        if message.state == MessageState::Queued {
            lines.push("It waits here until the relay can be reached.".to_owned());
        }
        if let Some(receipts) = &info.receipts {
            let (delivered, read) = (receipts.delivered(), receipts.read());
            let all = receipts.recipients;
            lines.push(String::new());
            lines.push(format!("delivered to {delivered} of {all}, read by {read}"));
            for member in &receipts.members {
                let name = self.people.name(member.account);
                let time = |ms: u64| format!("{} {}", self.now.day(ms), self.now.time(ms));
                lines.push(match (member.read_ms, member.delivered_ms) {
                    (Some(ms), _) => format!("  {name}: read {}", time(ms)),
                    (None, Some(ms)) => format!("  {name}: delivered {}", time(ms)),
                    (None, None) => format!("  {name}"),
                });
            }
        }
        if info.versions.len() > 1 {
            lines.push(String::new());
            lines.push("It said, one after the other:".to_owned());
            let texts = info.versions.iter().map(|version| version.text.body());
            lines.extend(texts.map(|text| format!("  {}", clean_line(text))));
        }
        self.page = Some(Page::Code {
            title: "about a message".to_owned(),
            lines,
            code: Vec::new(),
            scroll: 0,
        });
    }
}
