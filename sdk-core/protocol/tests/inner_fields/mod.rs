//! Reads and changes the fields of a message that are under its MAC, in first messages and later ones
//! alike.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs
)]

use hushpost_protocol::MessageType;

use crate::cast::Wire;
use crate::forge::{Fields, Value, bytes, edit, get, parse, set};

const MAC: usize = 8;

/// A message with the fields of the part under the MAC changed.
pub fn inner((kind, message): &Wire, change: impl FnOnce(&mut Fields)) -> Wire {
    let changed = match kind {
        MessageType::PreKey => edit(message, 0, |fields| {
            let inner = edit(get(fields, 4), MAC, change);
            set(fields, 4, Value::Bytes(inner));
        }),
        _ => edit(message, MAC, change),
    };
    (*kind, changed)
}

/// A field of the part under the MAC.
pub fn field((kind, message): &Wire, number: u64) -> Option<Vec<u8>> {
    let mut inner = message.clone();
    if *kind == MessageType::PreKey {
        inner = get(&parse(&message[1..]), 4).to_vec();
    }
    let fields = parse(&inner[1..inner.len() - MAC]);
    let found = fields.into_iter().find(|(it, _)| *it == number);
    found.map(|(_, value)| match value {
        Value::Bytes(value) => value,
        Value::Number(_) => panic!("field {number} is a number"),
    })
}

/// A change that takes a field out.
pub fn without(number: u64) -> impl Fn(&mut Fields) {
    move |fields| fields.retain(|(it, _)| *it != number)
}

/// Every bit of a field, one at a time.
pub fn flips(message: &Wire, number: u64) -> impl Iterator<Item = Wire> {
    let original = field(message, number).unwrap();
    let message = message.clone();
    (0..original.len() * 8).map(move |bit| {
        let mut changed = original.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        inner(&message, |fields| set(fields, number, bytes(&changed)))
    })
}
