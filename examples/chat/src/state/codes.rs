//! Pages to be scanned: the safety number, the own account.

use hushpost::AccountId;

use crate::state::State;
use crate::state::page::Page;

impl State {
    pub(super) fn show_safety_number(&mut self, account: AccountId, digits: &str, payload: &[u8]) {
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
}
