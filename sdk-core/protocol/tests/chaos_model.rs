//! Random runs of the two-party model in `chaos/`, and past failures of it kept in code.
#![allow(missing_docs)]

mod chaos;

use chaos::{Event, KemKey, OneTime, Style, Who};
use hushpost_protocol::PqPolicy;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// Printed as events when a run fails, shrunk as bytes.
fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(any::<u8>(), 0..700).prop_map(|bytes| chaos::decode(&bytes, chaos::MAX_EVENTS))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        // The same in every run, unless PROPTEST_RNG_SEED says otherwise; chance is the fuzzer's job.
        rng_seed: match ProptestConfig::default().rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            given @ RngSeed::Fixed(_) => given,
        },
        ..ProptestConfig::default()
    })]

    /// B6, B8, B9 and the rule common to all attacks: every invariant of the model holds, and both
    /// parties find back to one session.
    #[test]
    fn whatever_happens_to_messages_both_parties_find_back_to_one_session(
        policies in select(&chaos::POLICIES),
        events in events(),
    ) {
        chaos::play(policies, &events);
    }
}

const X3DH: Style = Style {
    one_time: OneTime::Fresh,
    kem: KemKey::None,
};

fn send(from: Who) -> Event {
    Event::Send {
        from,
        length: 20,
        start: Style::BEST,
    }
}

/// A late X3DH message used to become current again when the PQXDH state that had replaced it had
/// just been archived.
#[test]
fn a_late_x3dh_message_does_not_bring_its_state_back_after_archiving() {
    chaos::play(
        [PqPolicy::Off; 2],
        &[
            Event::Start {
                from: Who::Alice,
                style: X3DH,
            },
            send(Who::Alice),
            Event::DeliverNext { to: Who::Bob },
            send(Who::Alice),
            Event::Start {
                from: Who::Bob,
                style: Style::BEST,
            },
            Event::Archive { who: Who::Bob },
            Event::DeliverNext { to: Who::Bob },
        ],
    );
}

/// The initiator goes back to before the first answer: its next message is still a pre-key message
/// of a state the other knows, which must not keep the other's new start from winning.
#[test]
fn an_initiator_rolled_back_to_its_unanswered_start_heals() {
    chaos::play(
        [PqPolicy::Off; 2],
        &[
            send(Who::Alice),
            Event::Snapshot { who: Who::Alice },
            Event::DeliverNext { to: Who::Bob },
            send(Who::Bob),
            Event::DeliverNext { to: Who::Alice },
            send(Who::Alice),
            Event::DeliverNext { to: Who::Bob },
            Event::Restore {
                who: Who::Alice,
                pick: 0,
            },
        ],
    );
}

/// A message of one of two states used to be taken for a repeat by the other's post-quantum ratchet,
/// whose chains count alike, before the state that could read it was asked.
#[test]
fn a_message_of_either_of_two_simultaneous_starts_is_no_repeat() {
    let start = Event::StartTogether {
        alice: Style::BEST,
        bob: Style::BEST,
    };
    for policies in chaos::POLICIES {
        chaos::play(
            policies,
            &[
                start.clone(),
                Event::DeliverNext { to: Who::Bob },
                Event::DeliverNext { to: Who::Alice },
                start.clone(),
                Event::DeliverAny { pick: 1 },
                Event::DeliverAny { pick: 0 },
            ],
        );
    }
}
