//! The official library's recorded exchanges: every message, a whole epoch rebuilt from its pieces
//! with its owner's recorded key, and the order in which two parties go through two epochs.

use libcrux_ml_kem::mlkem768::incremental::{Ciphertext1, Ciphertext2, decapsulate_compressed_key};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use sha3::{Digest, Sha3_256};

use super::authenticator::Authenticator;
use super::braid::{CIPHERTEXT2_STREAM_LEN, HEADER_STREAM_LEN, epoch_secret};
use super::erasure::{CHUNK_LEN, Chunk, Decoder, Encoder};
use super::incremental_kem::{
    CIPHERTEXT1_LEN, CIPHERTEXT2_LEN, Encapsulation, HEADER_LEN, VECTOR_LEN,
};
use super::message::Payload;
use super::*;
use crate::Error;
use crate::encoding::{Kind, Writer};
use crate::{MessageType, PreKeySignalMessage, SignalMessage};

/// 0.103.0: from the first message on; 172 messages, two epochs.
const MANDATORY: &str = include_str!("../../tests/fixtures/session-spqr.json");
/// 0.90.0: offered; 41 messages, part of an epoch.
const NEGOTIABLE: &str = include_str!("../../tests/fixtures/session-spqr-negotiable.json");

/// The initiator's first flight was delivered in this order.
const FLIGHT: [usize; 3] = [2, 0, 1];

struct Recording {
    /// Who sent, and field 5, in order of delivery.
    fields: Vec<(Direction, Vec<u8>)>,
    json: Value,
}

impl Recording {
    fn of(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap();
        let fields = json["steps"].as_array().unwrap().iter().map(|step| {
            let bytes = hex::decode(step["message"].as_str().unwrap()).unwrap();
            let message = if step["type"] == MessageType::PreKey as u8 {
                let message = PreKeySignalMessage::from_bytes(&bytes).unwrap();
                message.message().clone()
            } else {
                SignalMessage::from_bytes(&bytes).unwrap()
            };
            let from = match step["from"].as_str() {
                Some("alice") => Direction::Initiator,
                _ => Direction::Responder,
            };
            (from, message.pq_ratchet().unwrap().to_vec())
        });
        let fields = fields.collect();
        Self { fields, json }
    }

    fn messages(&self) -> Vec<(Direction, PqMessage)> {
        let parse = |(from, field): &(_, Vec<u8>)| (*from, PqMessage::from_bytes(field).unwrap());
        self.fields.iter().map(parse).collect()
    }

    /// The recorded chunks of one stream, and the stream rebuilt from them, last chunk first.
    fn stream(&self, epoch: u64, kinds: &[u8], length: usize) -> (Vec<Chunk>, Option<Vec<u8>>) {
        let of_stream = |(_, message): &(_, PqMessage)| {
            let (kind, chunk) = parts(&message.payload);
            chunk.filter(|_| message.epoch == epoch && kinds.contains(&kind))
        };
        let chunks: Vec<Chunk> = self.messages().iter().filter_map(of_stream).collect();
        let mut decoder = Decoder::default();
        let mut rebuilt = None;
        for chunk in chunks.iter().rev() {
            rebuilt = rebuilt.or_else(|| decoder.complete_with(chunk, length));
            decoder.add(*chunk);
        }
        (chunks, rebuilt)
    }

    /// The SPQR state in a recorded session record.
    fn state(&self, record: &str) -> Vec<u8> {
        let record = self.json.pointer(record).unwrap().as_str().unwrap();
        nested(&hex::decode(record).unwrap(), &[1, 15])
    }

    /// The handshake's secret for the ratchet.
    fn initial(&self) -> [u8; 32] {
        let state = self.state("/alice_record_after_bundle");
        nested(&state, &[1, 1]).try_into().unwrap()
    }
}

/// A message's type number and chunk.
fn parts(payload: &Payload) -> (u8, Option<Chunk>) {
    match payload {
        Payload::None => (0, None),
        Payload::Header(chunk) => (1, Some(*chunk)),
        Payload::Key(chunk) => (2, Some(*chunk)),
        Payload::KeyAndAck(chunk) => (3, Some(*chunk)),
        Payload::Ack => (4, None),
        Payload::Ciphertext1(chunk) => (5, Some(*chunk)),
        Payload::Ciphertext2(chunk) => (6, Some(*chunk)),
    }
}

/// Descends into a protobuf message: at each level the first field of that number, if it is bytes.
fn nested(message: &[u8], path: &[u64]) -> Vec<u8> {
    let Some((number, deeper)) = path.split_first() else {
        return message.to_vec();
    };
    let mut rest = message;
    while !rest.is_empty() {
        let tag = prost::encoding::decode_varint(&mut rest).unwrap();
        let value = prost::encoding::decode_varint(&mut rest).unwrap();
        if tag & 7 == 2 {
            let (bytes, left) = rest.split_at(value.try_into().unwrap());
            if tag >> 3 == *number {
                return nested(bytes, deeper);
            }
            rest = left;
        }
    }
    panic!("no field {number}")
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(Kind::Session, 0, 1024);
    write(&mut writer);
    writer.finish()[2..].to_vec()
}

#[test]
fn every_recorded_message_encodes_again_to_the_same_bytes() {
    let mut seen = [0; 7];
    for recording in [MANDATORY, NEGOTIABLE] {
        for (_, field) in Recording::of(recording).fields {
            let message = PqMessage::from_bytes(&field).unwrap();
            assert_eq!(message.to_bytes(), field);
            seen[usize::from(parts(&message.payload).0)] += 1;
        }
    }
    assert_eq!(seen, [16, 9, 76, 14, 8, 80, 10]);
}

#[test]
fn every_recorded_chunk_is_the_one_our_encoder_makes_of_the_rebuilt_stream() {
    let recording = Recording::of(MANDATORY);
    for epoch in [1, 2] {
        for (kinds, length) in [
            ([1].as_slice(), HEADER_STREAM_LEN),
            (&[2, 3], VECTOR_LEN),
            (&[5], CIPHERTEXT1_LEN),
            (&[6], CIPHERTEXT2_STREAM_LEN),
        ] {
            let (mut chunks, stream) = recording.stream(epoch, kinds, length);
            let stream = stream.unwrap();
            assert_eq!(chunks.len(), length / CHUNK_LEN);
            let mut encoder = Encoder::new(&stream);
            chunks.sort_by_key(|chunk| chunk.index);
            for chunk in &chunks {
                assert_eq!(encoder.next_chunk(), *chunk);
            }
            // The later chunks rebuild the same: no recorded one is lost, ours may be.
            let mut decoder = Decoder::default();
            let mut rebuilt = None;
            for _ in &chunks {
                let chunk = encoder.next_chunk();
                rebuilt = decoder.complete_with(&chunk, length);
                decoder.add(chunk);
            }
            assert_eq!(rebuilt, Some(stream));
        }
    }
}

#[test]
fn recorded_headers_are_authentic_and_promise_the_recorded_key() {
    for text in [MANDATORY, NEGOTIABLE] {
        let recording = Recording::of(text);
        let auth = Authenticator::new(&recording.initial());
        let state = recording.state("/alice_record_after_bundle");
        let recorded = [
            nested(&state, &[3, 1, 1, 2, 1]),
            nested(&state, &[3, 1, 1, 2, 2]),
        ];
        assert_eq!(written(|writer| auth.write(writer)), recorded.concat());

        let (_, header) = recording.stream(1, &[1], HEADER_STREAM_LEN);
        let (header, mac) = header.as_deref().unwrap().split_at(HEADER_LEN);
        assert_eq!(auth.header_mac(1, header), mac);
        assert_ne!(auth.header_mac(2, header), mac);
    }
    let recording = Recording::of(MANDATORY);
    for epoch in [1, 2] {
        let (_, header) = recording.stream(epoch, &[1], HEADER_STREAM_LEN);
        let header = *header
            .as_deref()
            .unwrap()
            .first_chunk::<HEADER_LEN>()
            .unwrap();
        let (_, vector) = recording.stream(epoch, &[2, 3], VECTOR_LEN);
        let mut vector = vector.unwrap();
        let hash = Sha3_256::new()
            .chain_update(&vector)
            .chain_update(&header[..32]);
        assert_eq!(hash.finalize().as_slice(), &header[32..]);

        let seed = Secret::new([7; 32]);
        let encapsulation = Encapsulation { header, seed };
        assert_eq!(encapsulation.check_vector(&vector), Ok(()));
        for at in [0, 600, VECTOR_LEN - 1] {
            vector[at] ^= 1;
            let refused = encapsulation.check_vector(&vector);
            assert_eq!(refused, Err(Error::InvalidMessage));
            vector[at] ^= 1;
        }
    }
}

/// The owner's key and, after the epoch, the peer's authenticator and chains are in their records.
#[test]
fn the_recorded_ciphertext_yields_the_recorded_epoch() {
    let recording = Recording::of(MANDATORY);
    let initial = recording.initial();
    let owner = recording.state("/steps/3/receiver_record_before");
    let key: [u8; 2400] = nested(&owner, &[3, 2, 1, 4]).try_into().unwrap();
    let (_, vector) = recording.stream(1, &[2, 3], VECTOR_LEN);
    assert_eq!(vector.unwrap(), nested(&owner, &[3, 2, 1, 3]));

    let (_, ct1) = recording.stream(1, &[5], CIPHERTEXT1_LEN);
    let (_, stream) = recording.stream(1, &[6], CIPHERTEXT2_STREAM_LEN);
    let (ct1, stream) = (ct1.unwrap(), stream.unwrap());
    let (ct2, mac) = stream.split_at(CIPHERTEXT2_LEN);
    let shared = decapsulate_compressed_key(
        &key,
        &Ciphertext1 {
            value: ct1.as_slice().try_into().unwrap(),
        },
        &Ciphertext2 {
            value: ct2.try_into().unwrap(),
        },
    );
    let secret = epoch_secret(&shared, 1);
    let auth = Authenticator::new(&initial).updated(1, &secret);
    assert_eq!(auth.ciphertext_mac(1, &ct1, ct2), mac);
    let (_, header) = recording.stream(2, &[1], HEADER_STREAM_LEN);
    let (header, mac) = header.as_deref().unwrap().split_at(HEADER_LEN);
    assert_eq!(auth.header_mac(2, header), mac);

    let peer = recording.state("/steps/4/receiver_record_before");
    let recorded = [
        nested(&peer, &[3, 8, 1, 2, 1]),
        nested(&peer, &[3, 8, 1, 2, 2]),
    ];
    assert_eq!(written(|writer| auth.write(writer)), recorded.concat());

    // The peer had read the flight of three, sent one message, and so opened the epoch.
    let mut chains = EpochChains::start(Direction::Responder, &initial);
    for index in [3, 1, 2] {
        let received = chains.receive(0, index).unwrap();
        chains.commit(received);
    }
    chains.send(0).unwrap();
    chains.add_epoch(Direction::Responder, &secret);
    let chain = nested(&peer, &[2]);
    let before = nested(&chain, &[3]);
    let root = nested(&chain, &[4]);
    let written = written(|writer| chains.write(writer));
    let expected = [
        root.as_slice(),
        &[0, 2],
        &nested(&before, &[1, 2]),
        &[1],
        &nested(&before, &[2, 2]),
        &[3, 0],
    ];
    let expected = expected.concat();
    assert_eq!(written[..expected.len()], expected);
    // The new epoch's chains stand in the record's second entry, untouched.
    let fresh = [
        &written[expected.len()..][..32],
        &written[expected.len() + 33..][..32],
    ];
    for key in fresh {
        assert!(chain.windows(32).any(|window| window == key));
    }
}

/// Two of our own, message by message where the official library's two went.
#[test]
fn two_parties_in_strict_alternation_go_the_recorded_way() {
    for (text, required, epochs_begin) in
        [(MANDATORY, true, &[84, 171][..]), (NEGOTIABLE, false, &[])]
    {
        let recording = Recording::of(text);
        let messages = recording.messages();
        let initial = recording.initial();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut party = |direction| {
            PqRatchet::new(direction, required, Secret::new(initial), &mut rng).unwrap()
        };
        let mut alice = party(Direction::Initiator);
        let mut bob = party(Direction::Responder);
        let mut flight: Vec<_> = FLIGHT.iter().map(|_| Some(alice.send().unwrap())).collect();
        let mut begun = Vec::new();
        for (position, (from, recorded)) in messages.iter().enumerate() {
            let (writer, reader) = match from {
                Direction::Initiator => (&mut alice, &mut bob),
                Direction::Responder => (&mut bob, &mut alice),
            };
            let (field, salt) = match FLIGHT.get(position) {
                Some(&number) => flight[number].take().unwrap(),
                None => writer.send().unwrap(),
            };
            let ours = PqMessage::from_bytes(&field).unwrap();
            let outline = |message: &PqMessage| {
                let (kind, chunk) = parts(&message.payload);
                (
                    message.epoch,
                    message.index,
                    kind,
                    chunk.map(|chunk| chunk.index),
                )
            };
            assert_eq!(outline(&ours), outline(recorded), "message {position}");
            assert_eq!(salt.is_some(), recorded.index != 0);
            let (step, read) = reader.receive(&field, &mut rng).unwrap();
            reader.commit(step);
            assert_eq!(salt.as_deref(), read.as_deref(), "message {position}");
            if u64::try_from(begun.len()).unwrap() + 1 < ours.epoch {
                begun.push(position);
            }
        }
        assert_eq!(begun, epochs_begin);
        assert_eq!((alice.skipped_len(), bob.skipped_len()), (0, 0));
    }
}
