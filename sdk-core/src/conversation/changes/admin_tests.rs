//! Who may delete what others wrote in a group is decided by the log, whenever it comes.
#![allow(clippy::arithmetic_side_effects)]

use hushpost_wire::DeviceId;

use super::tests::{NOW, changes, comes, in_a_conversation, named, person, says, store, text};
use super::*;
use crate::conversation::history;
use crate::store::columns::signed;

const MINUTE: u64 = 60_000;

/// A step of what reaches a device.
#[derive(Clone, Copy)]
enum Step {
    Text,
    /// By the second person, accepted by the relay then.
    Deletion(u64),
    /// What the log says of the second person from now on: an admin, or one until then.
    Role(bool, Option<u64>),
}

/// Whether the text is deleted in the end.
fn is_deleted(steps: &'static [Step]) -> bool {
    let (_folder, store) = store();
    in_a_conversation(&store, move |tx, direct| {
        // A group is a conversation with nobody in particular.
        tx.execute(
            "UPDATE conversation SET peer = NULL WHERE id = ?1",
            [direct.id],
        )?;
        let group = ConversationRow {
            kind: Kind::Group,
            ..*direct
        };
        for step in steps {
            match step {
                Step::Text => {
                    comes(tx, &group, &says(1, 1, NOW, text("the words")))?;
                }
                Step::Deletion(at_ms) => {
                    comes(
                        tx,
                        &group,
                        &changes(2, 2, *at_ms, &Change::Delete(named(1, 1))),
                    )?;
                }
                Step::Role(admin, until_ms) => {
                    tx.execute(
                        "INSERT OR REPLACE INTO group_member (conversation, account, admin, since, admin_until_ms)
                         VALUES (?1, ?2, ?3, 0, ?4)",
                        (
                            group.id,
                            person(2).as_bytes(),
                            admin,
                            until_ms.map(signed),
                        ),
                    )?;
                    roles_changed(tx, group.id, &mut Vec::new())?;
                }
            }
        }
        let message = history::one(tx, named(1, 1))?;
        assert!(
            message
                .as_ref()
                .is_none_or(|message| message.device == DeviceId::PRIMARY)
        );
        Ok(message.is_some_and(|message| message.content == Content::Deleted))
    })
}

#[test]
fn an_admins_deletion_counts_in_whatever_order_it_and_the_log_come() {
    use Step::{Deletion, Role, Text};
    const AT: u64 = NOW + MINUTE;
    assert!(is_deleted(&[Role(true, None), Text, Deletion(AT)]));
    assert!(is_deleted(&[Role(true, None), Deletion(AT), Text]));
    assert!(is_deleted(&[Text, Deletion(AT), Role(true, None)]));
    assert!(is_deleted(&[Deletion(AT), Text, Role(true, None)]));
    assert!(is_deleted(&[Deletion(AT), Role(true, None), Text]));
}

#[test]
fn a_members_deletion_and_a_former_admins_late_one_do_not_count() {
    use Step::{Deletion, Role, Text};
    const UNTIL: u64 = NOW + MINUTE;
    assert!(!is_deleted(&[Text, Deletion(NOW)]));
    assert!(!is_deleted(&[Text, Role(false, None), Deletion(NOW)]));
    // They may not have known for a while.
    let soon = UNTIL + LATE_MS;
    assert_eq!(soon, NOW + 6 * MINUTE);
    assert!(is_deleted(&[
        Text,
        Role(false, Some(UNTIL)),
        Deletion(NOW + 6 * MINUTE)
    ]));
    assert!(is_deleted(&[
        Text,
        Deletion(NOW + 6 * MINUTE),
        Role(false, Some(UNTIL))
    ]));
    assert!(!is_deleted(&[
        Text,
        Role(false, Some(UNTIL)),
        Deletion(NOW + 6 * MINUTE + 1)
    ]));
    assert!(!is_deleted(&[
        Text,
        Deletion(NOW + 6 * MINUTE + 1),
        Role(false, Some(UNTIL))
    ]));
}
