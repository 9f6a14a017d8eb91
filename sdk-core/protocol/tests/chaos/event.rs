//! What can happen, and how any bytes are read as a list of it.

use hushpost_protocol::MessageType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Alice,
    Bob,
}

impl Who {
    pub const BOTH: [Self; 2] = [Self::Alice, Self::Bob];

    pub fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// Which one-time pre-key the relay puts into a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneTime {
    None,
    Fresh,
    /// The one it handed out last: a relay that lies, or serves two at once.
    Again,
}

/// Which KEM pre-key the relay puts into a bundle; the first two are last resorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KemKey {
    Kyber,
    MlKem,
    KyberOnce,
    None,
}

/// The bundle a session is started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub one_time: OneTime,
    pub kem: KemKey,
}

impl Style {
    /// What an application asks for when it can choose.
    pub const BEST: Self = Self {
        one_time: OneTime::Fresh,
        kem: KemKey::Kyber,
    };
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Corruption {
    Flip {
        at: u16,
        bit: u8,
    },
    Truncate {
        to: u16,
    },
    Extend {
        with: Vec<u8>,
    },
    /// The head of this message and the tail of another one in flight.
    Splice {
        other: u8,
        at: u16,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Starts a session first if there is none to send on.
    Send {
        from: Who,
        length: u16,
        start: Style,
    },
    /// Messages there and back, each delivered at once, past those under way: what turns ratchets.
    Chat {
        turns: u8,
    },
    /// The oldest message for this party.
    DeliverNext {
        to: Who,
    },
    /// Any message: it overtakes the older ones.
    DeliverAny {
        pick: u8,
    },
    Drop {
        pick: u8,
    },
    /// Delivered, and yet still under way.
    DeliverCopy {
        pick: u8,
    },
    /// A message delivered before, however long ago.
    Replay {
        pick: u8,
    },
    Corrupt {
        pick: u8,
        how: Corruption,
    },
    /// Back to its own sender.
    Reflect {
        pick: u8,
    },
    Start {
        from: Who,
        style: Style,
    },
    StartTogether {
        alice: Style,
        bob: Style,
    },
    Archive {
        who: Who,
    },
    Snapshot {
        who: Who,
    },
    /// The whole store of one party goes back to a snapshot.
    Restore {
        who: Who,
        pick: u8,
    },
    Garbage {
        to: Who,
        kind: MessageType,
        bytes: Vec<u8>,
    },
    RotateSignedPreKey {
        who: Who,
    },
    Wait {
        days: u8,
    },
}

/// Reads at most `limit` events; every input is one.
pub fn decode(bytes: &[u8], limit: usize) -> Vec<Event> {
    let mut cursor = Cursor(bytes);
    let mut events = Vec::new();
    while events.len() < limit && !cursor.0.is_empty() {
        events.push(cursor.event());
    }
    events
}

/// Reads bytes and, where there are no more, zeros.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn bytes(&mut self, bound: u8) -> Vec<u8> {
        let length = self.byte() % bound;
        (0..length).map(|_| self.byte()).collect()
    }

    /// What happens, to whom: one byte.
    fn event(&mut self) -> Event {
        let byte = self.byte();
        let who = Who::BOTH[usize::from(byte >> 7)];
        match byte & 0x7f {
            0..=35 => Event::Send {
                from: who,
                length: self.length(),
                start: self.style(),
            },
            36..=66 => Event::DeliverNext { to: who },
            67..=77 => Event::DeliverAny { pick: self.byte() },
            78..=82 => Event::DeliverCopy { pick: self.byte() },
            83..=87 => Event::Replay { pick: self.byte() },
            88..=92 => Event::Drop { pick: self.byte() },
            93..=100 => Event::Corrupt {
                pick: self.byte(),
                how: self.corruption(),
            },
            101..=103 => Event::Reflect { pick: self.byte() },
            104..=108 => Event::Start {
                from: who,
                style: self.style(),
            },
            109..=111 => Event::StartTogether {
                alice: self.style(),
                bob: self.style(),
            },
            112..=115 => Event::Archive { who },
            116..=118 => Event::Snapshot { who },
            119 | 120 => Event::Restore {
                who,
                pick: self.byte(),
            },
            121 | 122 => Event::Chat {
                turns: self.byte() % 48,
            },
            123 | 124 => Event::Garbage {
                to: who,
                kind: [MessageType::Signal, MessageType::PreKey][usize::from(byte & 1)],
                bytes: self.bytes(64),
            },
            125 | 126 => Event::RotateSignedPreKey { who },
            _ => Event::Wait {
                days: self.byte() % 40,
            },
        }
    }

    /// Mostly short, now and then some kilobytes.
    fn length(&mut self) -> u16 {
        let byte = self.byte();
        match byte {
            0..=223 => u16::from(byte),
            _ => u16::from(byte - 223) * 100,
        }
    }

    fn style(&mut self) -> Style {
        let byte = self.byte();
        Style {
            one_time: match byte & 7 {
                0..=4 => OneTime::Fresh,
                5 | 6 => OneTime::None,
                _ => OneTime::Again,
            },
            kem: match (byte >> 3) & 7 {
                0..=2 => KemKey::Kyber,
                3 => KemKey::MlKem,
                4 => KemKey::KyberOnce,
                _ => KemKey::None,
            },
        }
    }

    fn corruption(&mut self) -> Corruption {
        match self.byte() % 8 {
            0..=3 => Corruption::Flip {
                at: self.short(),
                bit: self.byte() % 8,
            },
            4 => Corruption::Truncate { to: self.short() },
            5 => Corruption::Extend {
                with: self.bytes(65),
            },
            _ => Corruption::Splice {
                other: self.byte(),
                at: self.short(),
            },
        }
    }
}
