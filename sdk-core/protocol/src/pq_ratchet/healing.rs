//! This ratchet heals by itself: a thief who copies one side's state, hears every message of both
//! sides and makes each step that side makes, is shut out once an epoch that began after the theft
//! is complete. (The Double Ratchet, which would shut it out sooner, is not in play here.)
#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and tests may overflow loudly"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::encoding::{Kind, Reader, Writer};

const INITIAL: [u8; 32] = [3; 32];

fn party(direction: Direction, rng: &mut ChaCha20Rng) -> PqRatchet {
    PqRatchet::new(direction, true, Secret::new(INITIAL), rng).unwrap()
}

fn copy(ratchet: &PqRatchet) -> PqRatchet {
    let mut writer = Writer::new(Kind::Session, 0, ratchet.encoded_len_bound());
    ratchet.write(&mut writer);
    let bytes = writer.finish();
    let (mut reader, _) = Reader::new(Kind::Session, &bytes).unwrap();
    PqRatchet::read(&mut reader).unwrap()
}

/// Reads a field as a genuine one and answers its salt.
fn receive(ratchet: &mut PqRatchet, field: &[u8], rng: &mut ChaCha20Rng) -> Result<[u8; 32]> {
    let (step, salt) = ratchet.receive(field, rng)?;
    ratchet.commit(step);
    Ok(*salt.unwrap())
}

/// Answers in which later epoch the thief first lost the salts, and how many messages it heard.
fn steal_after(turns: usize) -> (u64, usize) {
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let thiefs = &mut ChaCha20Rng::seed_from_u64(2);
    let mut victim = party(Direction::Initiator, rng);
    let mut peer = party(Direction::Responder, rng);
    for _ in 0..turns {
        let (field, _) = victim.send().unwrap();
        receive(&mut peer, &field, rng).unwrap();
        let (field, _) = peer.send().unwrap();
        receive(&mut victim, &field, rng).unwrap();
    }
    let mut thief = copy(&victim);
    let stolen = victim.epoch();
    let (mut heard, mut lost) = (0, None);
    while victim.epoch() < stolen + 4 {
        // It foresees what the victim sends, salt and all, until randomness it has not seen.
        let (field, salt) = victim.send().unwrap();
        let foreseen = thief.send().ok().and_then(|(_, salt)| salt);
        let mut known = vec![foreseen.as_deref() == salt.as_deref()];
        receive(&mut peer, &field, rng).unwrap();
        let sent_in = PqMessage::from_bytes(&field).unwrap().epoch;

        let (field, salt) = peer.send().unwrap();
        let overheard = receive(&mut thief, &field, thiefs).ok();
        known.push(overheard.as_ref() == salt.as_deref());
        receive(&mut victim, &field, rng).unwrap();
        let received_in = PqMessage::from_bytes(&field).unwrap().epoch;

        for (known, epoch) in known.into_iter().zip([sent_in, received_in]) {
            heard += 1;
            if !known {
                lost.get_or_insert(epoch);
            }
            assert!(
                !known || epoch < stolen + 2,
                "the thief reads on in {epoch}"
            );
        }
    }
    (lost.unwrap() - stolen, heard)
}

#[test]
fn a_stolen_state_heals_with_the_next_whole_epoch() {
    let mut lost_later = 0;
    for turns in (0..90).step_by(3) {
        let (epochs, heard) = steal_after(turns);
        assert!(heard > 200);
        assert!(epochs <= 2);
        lost_later += epochs;
    }
    // It does read on in the epoch under way, or nothing of this would have been shown.
    assert!(lost_later > 30);
}
