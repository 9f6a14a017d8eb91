#![allow(clippy::arithmetic_side_effects)]
use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use hushpost_wire::AccountId;
use proptest::prelude::*;

use super::*;
use crate::clock::Stamp;
use crate::content::ConversationId;
use crate::group::change::{Details, Rules, SignedChange};

/// People by number; 0 makes the group.
fn key(who: u8) -> SigningKey {
    SigningKey::from_bytes(&[who + 1; 32])
}

fn account(who: u8) -> AccountId {
    AccountId::of_key(key(who).verifying_key().as_bytes())
}

fn create(members: &[u8]) -> Change {
    let action = Action::Create {
        nonce: [5; 16],
        members: members.iter().map(|who| account(*who)).collect(),
        details: Details {
            name: Some("us".to_owned()),
            ..Details::default()
        },
        rules: Rules::default(),
    };
    SignedChange::sign(None, &[], Stamp::at(1), &action, &key(0))
        .unwrap()
        .1
}

fn change(group: ConversationId, who: u8, mut on: Vec<ChangeId>, action: &Action) -> Change {
    on.sort();
    SignedChange::sign(Some(group), &on, Stamp::at(2), action, &key(who))
        .unwrap()
        .1
}

fn remove(who: u8) -> Action {
    Action::Remove(vec![account(who)])
}

fn promote(who: u8) -> Action {
    Action::Role {
        account: account(who),
        admin: true,
    }
}

fn members(log: &Log) -> BTreeSet<AccountId> {
    log.outcome().state.members.into_keys().collect()
}

fn people(who: &[u8]) -> BTreeSet<AccountId> {
    who.iter().map(|who| account(*who)).collect()
}

/// A log as somebody has it who was given these changes in this order; what does not fit is left out.
fn log(changes: &[&Change]) -> Log {
    let mut log = Log::default();
    for change in changes {
        assert_eq!(log.allows(change), Some(Ok(())));
        log.add((*change).clone()).unwrap();
    }
    log
}

#[test]
fn two_admins_at_once_come_to_one_result() {
    let first = create(&[1, 2]);
    let made_admin = change(first.group, 0, vec![first.id], &promote(1));
    let adds = |who, new| {
        let action = Action::Add(vec![account(new)]);
        change(first.group, who, vec![made_admin.id], &action)
    };
    let (by_0, by_1) = (adds(0, 3), adds(1, 4));
    let one = log(&[&first, &made_admin, &by_0, &by_1]);
    let other = log(&[&first, &made_admin, &by_1, &by_0]);
    assert_eq!(members(&one), people(&[0, 1, 2, 3, 4]));
    assert_eq!(members(&one), members(&other));
    assert_eq!(one.heads(), other.heads());
    assert_eq!(one.heads().len(), 2);
    // The next change joins the branches.
    let joined = change(first.group, 0, one.heads(), &remove(2));
    let one = log(&[&first, &made_admin, &by_0, &by_1, &joined]);
    assert_eq!(one.heads(), [joined.id]);
}

#[test]
fn who_was_removed_cannot_go_on_from_an_old_state() {
    let first = create(&[1, 2]);
    let made_admin = change(first.group, 0, vec![first.id], &promote(1));
    let removed = change(first.group, 0, vec![made_admin.id], &remove(1));
    // With all the state of before: lets a friend in, and brings nobody back.
    let friend = change(
        first.group,
        1,
        vec![made_admin.id],
        &Action::Add(vec![account(9)]),
    );
    let friend_admin = change(first.group, 1, vec![friend.id], &promote(9));
    let by_friend = change(first.group, 9, vec![friend_admin.id], &remove(0));
    for order in [
        [&removed, &friend, &friend_admin, &by_friend],
        [&friend, &friend_admin, &by_friend, &removed],
        [&friend, &removed, &friend_admin, &by_friend],
    ] {
        let order: Vec<&Change> = [&first, &made_admin].into_iter().chain(order).collect();
        assert_eq!(members(&log(&order)), people(&[0, 2]));
    }
}

#[test]
fn of_two_who_remove_each_other_the_elder_stays() {
    let first = create(&[1]);
    let made_admin = change(first.group, 0, vec![first.id], &promote(1));
    let of_1 = change(first.group, 0, vec![made_admin.id], &remove(1));
    let of_0 = change(first.group, 1, vec![made_admin.id], &remove(0));
    for order in [[&of_0, &of_1], [&of_1, &of_0]] {
        let log = log(&[&first, &made_admin, order[0], order[1]]);
        assert_eq!(members(&log), people(&[0]));
    }
}

#[test]
fn only_admins_change_members_and_only_members_anything() {
    let first = create(&[1]);
    let log = log(&[&first]);
    let try_it = |who, action: &Action| {
        log.allows(&change(first.group, who, vec![first.id], action))
            .unwrap()
    };
    assert_eq!(try_it(1, &remove(0)), Err(GroupRefusal::NotAnAdmin));
    assert_eq!(try_it(1, &promote(1)), Err(GroupRefusal::NotAnAdmin));
    assert_eq!(try_it(7, &Action::Leave), Err(GroupRefusal::NotAMember));
    assert_eq!(try_it(0, &promote(7)), Err(GroupRefusal::Pointless));
    assert_eq!(try_it(0, &remove(0)), Err(GroupRefusal::Pointless));
    assert_eq!(try_it(1, &Action::Leave), Ok(()));
    // A second beginning is none.
    assert_eq!(
        log.allows(&create(&[1, 2])),
        Some(Err(GroupRefusal::Pointless))
    );
}

#[test]
fn there_is_always_an_admin() {
    let first = create(&[1, 2]);
    let left = change(first.group, 0, vec![first.id], &Action::Leave);
    let state = log(&[&first, &left]).outcome().state;
    assert_eq!(
        state.members.values().filter(|member| member.admin).count(),
        1
    );
}

#[test]
fn nobody_gives_a_past_that_is_not_theirs() {
    let add = |who| Action::Add(vec![account(who)]);
    let first = create(&[]);
    let bob = change(first.group, 0, vec![first.id], &add(1));
    let admin = change(first.group, 0, vec![bob.id], &promote(1));
    let early = |who, on: &Change, whom| {
        let action = add(whom);
        SignedChange::sign(
            Some(first.group),
            &[on.id],
            Stamp::at(0),
            &action,
            &key(who),
        )
        .unwrap()
        .1
    };
    let by_bob = early(1, &admin, 2);
    let by_the_first = early(0, &by_bob, 3);
    let state = log(&[&first, &bob, &admin, &by_bob, &by_the_first])
        .outcome()
        .state;
    let since = |who| state.members[&account(who)].since;
    assert_eq!(since(2), since(1));
    assert_eq!((since(1), since(3)), (Stamp::at(2), Stamp::at(1)));
}

#[test]
fn who_is_out_is_told_of_that_and_of_what_it_builds_on() {
    let first = create(&[1, 2]);
    let second = change(first.group, 0, vec![first.id], &promote(1));
    let beside = change(first.group, 0, vec![first.id], &promote(2));
    let out = change(first.group, 0, vec![second.id], &remove(2));
    let later = change(first.group, 0, vec![out.id, beside.id], &Action::Leave);
    let log = log(&[&first, &second, &beside, &out, &later]);
    let told = |who| log.told_to_departed(account(who));
    assert_eq!(told(2), BTreeSet::from([first.id, second.id, out.id]));
    assert_eq!(told(1), BTreeSet::new());
    assert_eq!(told(0).len(), 5);
}

#[test]
fn what_builds_on_unknown_changes_is_early() {
    let first = create(&[1]);
    let second = change(first.group, 0, vec![first.id], &promote(1));
    let third = change(
        first.group,
        1,
        vec![second.id],
        &Action::Add(vec![account(3)]),
    );
    let mut log = log(&[&first]);
    assert_eq!(log.allows(&third), None);
    assert_eq!(log.add(third), None);
    assert_eq!(log.unseen_by(&[]), [first.id]);
    assert_eq!(log.unseen_by(&[first.id]), []);
}

/// Who does what on top of what they have seen, and what they see after.
#[derive(Debug, Clone)]
struct Step {
    who: u8,
    what: u8,
    whom: u8,
    sees: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..5u8, 0..5u8, 0..7u8, any::<u64>());
    let step = step.prop_map(|(who, what, whom, sees)| Step {
        who,
        what,
        whom,
        sees,
    });
    prop::collection::vec(step, 1..14)
}

fn action(step: &Step) -> Action {
    match step.what {
        0 => Action::Add(vec![account(step.whom)]),
        1 => remove(step.whom),
        2 => promote(step.whom),
        3 => Action::Role {
            account: account(step.whom),
            admin: false,
        },
        _ => Action::Details(Details {
            name: Some(format!("by {} for {}", step.who, step.whom)),
            ..Details::default()
        }),
    }
}

/// Everybody makes changes on top of a part of what there is; gives all that were allowed to their authors.
fn scene(steps: &[Step]) -> Vec<Change> {
    let first = create(&[1, 2, 3, 4]);
    let mut all = vec![first.clone()];
    for who in [1, 2] {
        let on = vec![all.last().unwrap().id];
        all.push(change(first.group, 0, on, &promote(who)));
    }
    for step in steps {
        // The first three, and of the others those that this one happens to have seen, with all before them.
        let mut seen = Log::default();
        for (index, change) in all.iter().enumerate() {
            if (index < 3 || step.sees >> (index % 64) & 1 == 1)
                && seen.allows(change) == Some(Ok(()))
            {
                seen.add(change.clone());
            }
        }
        let made = change(first.group, step.who, seen.heads(), &action(step));
        if seen.allows(&made) == Some(Ok(())) && !all.iter().any(|known| known.id == made.id) {
            all.push(made);
        }
    }
    all
}

/// The same changes in another order of arrival: whatever is early waits.
fn arrive(changes: &[Change], order: &[prop::sample::Index]) -> Log {
    let mut left: Vec<&Change> = changes.iter().collect();
    let mut log = Log::default();
    let mut early = Vec::new();
    let mut order = order.iter().cycle();
    while !left.is_empty() {
        let next = left.remove(order.next().unwrap().index(left.len()));
        early.push(next);
        loop {
            let before = early.len();
            early.retain(|change| match log.allows(change) {
                None => true,
                Some(allowed) => {
                    assert_eq!(allowed, Ok(()), "what was allowed once always is");
                    log.add((*change).clone());
                    false
                }
            });
            if early.len() == before {
                break;
            }
        }
    }
    assert!(early.is_empty());
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_order_of_arrival_decides_nothing(
        steps in steps(), order in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let changes = scene(&steps);
        let one = log(&changes.iter().collect::<Vec<_>>()).outcome();
        let other = arrive(&changes, &order).outcome();
        prop_assert!(one.state == other.state);
        prop_assert_eq!(one.void, other.void);
        let admins = one.state.members.values().filter(|member| member.admin).count();
        prop_assert!(admins >= 1 || one.state.members.is_empty());
    }
}
