//! What a relay does with a sealed message for many: cuts out what each recipient gets.
//!
//! For: checking the form that peers write for the relay against its public layout. Must never: decrypt
//! anything; a relay cannot.

use uuid::Uuid;

/// What one account gets, on all the devices listed.
#[derive(Debug)]
pub struct Parcel {
    /// The account.
    pub name: Uuid,
    /// Its devices, each with its registration id.
    pub devices: Vec<(u8, u16)>,
    /// The received form.
    pub message: Vec<u8>,
}

/// Splits the sent form into what each account gets.
#[must_use]
pub fn split(sent: &[u8]) -> Vec<Parcel> {
    let mut rest = sent;
    assert_eq!(take(&mut rest, 1), [0x23], "version of the sent form");
    let count = take(&mut rest, 1)[0];
    assert!(count < 0x80, "scenarios have few recipients");
    let mut parcels: Vec<Parcel> = (0..count)
        .map(|_| {
            let service_id = take(&mut rest, 17);
            assert_eq!(service_id[0], 0, "the kind of an account's own id");
            Parcel {
                name: Uuid::from_slice(&service_id[1..]).expect("16 bytes"),
                devices: devices(&mut rest),
                message: [&[0x22], take(&mut rest, 48)].concat(),
            }
        })
        .collect();
    // What follows the entries is for everybody.
    for parcel in &mut parcels {
        parcel.message.extend_from_slice(rest);
    }
    parcels
}

fn devices(rest: &mut &[u8]) -> Vec<(u8, u16)> {
    let mut devices = Vec::new();
    loop {
        let entry = take(rest, 3);
        let number = u16::from_be_bytes([entry[1], entry[2]]);
        devices.push((entry[0], number & 0x3fff));
        if number & 0x8000 == 0 {
            return devices;
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}
