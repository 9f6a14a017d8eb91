//! What the post-quantum ratchet puts into a message, damaged or taken away: a refusal, nothing changes,
//! and the honest message is read after.

use hushpost_interop::conversation::round_trips;
use hushpost_interop::pairing::Stage;
use hushpost_interop::party::Party;
use hushpost_interop::sessions::{Ciphertext, Offer};
use hushpost_interop::tamper;

use super::Subject;

pub const SCENARIOS: Subject = &[("damage_is_noticed", damage_is_noticed)];

const LINE: &str = "what was written";

fn damage_is_noticed(stage: &mut Stage) {
    let (alice, bob) = (stage.home("alice"), stage.away("bob"));
    alice.meet(&bob, Offer::PQXDH);
    let mut elsewhere = None;
    for turn in 0..8 {
        for (writer, reader) in [(&alice, &bob), (&bob, &alice)] {
            let message = writer.write(reader, LINE);
            if stage.pairing.ratchets() {
                assert!(message.pq_part().is_some(), "{writer}, turn {turn}");
            }
            attack(stage, reader, writer, &message, elsewhere.as_deref());
            elsewhere = message.pq_part().map(<[u8]>::to_vec);
        }
        // So that every kind of part comes up.
        round_trips(&alice, &bob, 10);
    }
}

fn attack(
    stage: &mut Stage,
    reader: &Party,
    writer: &Party,
    message: &Ciphertext,
    elsewhere: Option<&[u8]>,
) {
    let honest = message.pq_part();
    let mut parts = vec![None, Some(Vec::new()), elsewhere.map(<[u8]>::to_vec)];
    // An epoch and an index that are far away.
    parts.push(Some(vec![1, 2, 1, 0]));
    parts.push(Some([&[1], &[0xff; 9][..], &[1, 1, 0]].concat()));
    match honest {
        None => parts.push(Some(stage.bytes(36))),
        Some(part) => {
            let rng = &mut stage.rng;
            let flips = (0..part.len()).map(|place| tamper::flip_at(part, place, rng));
            parts.extend(flips.map(|mutant| Some(mutant.bytes)).collect::<Vec<_>>());
            parts.push(Some(tamper::cut(part, rng).bytes));
            parts.push(Some(tamper::extend(part, rng).bytes));
        }
    }
    assert_eq!(message.with_pq_part(honest), *message, "nothing else moves");
    for part in parts {
        if part.as_deref() == honest {
            continue;
        }
        let tampered = message.with_pq_part(part.as_deref());
        assert!(
            reader.decrypt(&writer.address, &tampered).is_err(),
            "{reader} took {part:?} for {honest:?} of {writer}"
        );
    }
    reader.read(writer, message, LINE);
    reader
        .decrypt(&writer.address, &message.with_pq_part(None))
        .expect_err("it was read, and is another message besides");
}
