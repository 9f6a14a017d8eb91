//! What may happen, and how often.

use hushpost_evil_relay::{FaultPlan, OneIn};
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

pub const PEOPLE: usize = 5;
/// In milliseconds.
const MINUTE: i64 = 60_000;

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// Says so many things, one after the other.
    Say(usize, usize, u32),
    Accept(usize, usize),
    Read(usize, usize),
    Type(usize, usize),
    Connect(usize),
    Disconnect(usize),
    Restart(usize),
    Close(usize),
    Cut(usize),
    Line(usize, bool),
    Clock(usize, i64),
    RelayClock(i64),
    RelayRestarts,
    RelayLosesItsStore,
    RelayUp(bool),
    Weather(Weather),
}

impl Step {
    const fn breaks_lines(&self) -> bool {
        matches!(
            self,
            Self::Disconnect(_)
                | Self::Restart(_)
                | Self::Close(_)
                | Self::Cut(_)
                | Self::Line(..)
                | Self::RelayRestarts
                | Self::RelayLosesItsStore
                | Self::RelayUp(_)
                | Self::Weather(Weather::Rough)
        )
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Weather {
    Fine,
    Slow,
    /// Every other request is refused, and the connection stays.
    Busy,
    Rough,
}

impl Weather {
    pub fn plan(self) -> FaultPlan {
        match self {
            Self::Fine => FaultPlan::none(),
            Self::Slow => FaultPlan {
                latency_ms: 50..=2000,
                duplicate: OneIn(5),
                swap: OneIn(5),
                ..FaultPlan::none()
            },
            Self::Busy => FaultPlan {
                latency_ms: 5..=50,
                refuse: OneIn(2),
                ..FaultPlan::none()
            },
            Self::Rough => FaultPlan::rough(),
        }
    }
}

/// The dice, and who talks with whom.
pub struct Script {
    pub dice: ChaCha8Rng,
    pairs: Vec<(usize, usize)>,
    wild_clocks: bool,
}

impl Script {
    /// Draws who talks with whom. Where phones' clocks jump by hours and days, nothing breaks the lines: what is
    /// stamped far ahead counts as the relay's accept time, and of a message that came there twice each side
    /// may know another one.
    pub fn new(mut dice: ChaCha8Rng, wild_clocks: bool) -> Self {
        let mut pairs = Vec::new();
        for _ in 0..dice.random_range(2..=4) {
            let one = dice.random_range(0..PEOPLE);
            let other = (one + dice.random_range(1..PEOPLE)) % PEOPLE;
            pairs.push((one, other));
        }
        Self {
            dice,
            pairs,
            wild_clocks,
        }
    }

    /// How many steps there are.
    pub fn length(&mut self) -> usize {
        self.dice.random_range(15..=50)
    }

    /// How long after a step the next one comes: mostly at once or soon.
    pub fn pause_ms(&mut self) -> u64 {
        match self.dice.random_range(0..20) {
            0..6 => 0,
            6..18 => self.dice.random_range(1..1500),
            18 => self.dice.random_range(1500..10_000),
            _ => self.dice.random_range(10_000..60_000),
        }
    }

    /// Two who talk, either of them first.
    fn pair(&mut self) -> (usize, usize) {
        let (one, other) = *self.pairs.choose(&mut self.dice).unwrap();
        if self.dice.random() {
            (one, other)
        } else {
            (other, one)
        }
    }

    pub fn step(&mut self) -> Step {
        match self.any_step() {
            step if self.wild_clocks && step.breaks_lines() => {
                let (one, _) = self.pair();
                Step::Clock(one, self.wild_offset_ms())
            }
            step => step,
        }
    }

    fn any_step(&mut self) -> Step {
        let (one, other) = self.pair();
        match self.dice.random_range(0..100) {
            0..42 => Step::Say(one, other, self.dice.random_range(1..=3)),
            42..49 => Step::Accept(one, other),
            49..56 => Step::Read(one, other),
            56..60 => Step::Type(one, other),
            60..67 => Step::Connect(one),
            67..70 => Step::Disconnect(one),
            70..74 => Step::Restart(one),
            74..76 => Step::Close(one),
            76..80 => Step::Cut(one),
            80..82 => Step::Line(one, false),
            82..85 => Step::Line(one, true),
            85..88 => Step::Clock(one, self.offset_ms()),
            88 => Step::RelayClock(self.offset_ms()),
            89 | 90 => Step::RelayRestarts,
            91 | 92 => Step::RelayLosesItsStore,
            93 => Step::RelayUp(false),
            94 | 95 => Step::RelayUp(true),
            96 => Step::Weather(Weather::Fine),
            97 => Step::Weather(Weather::Slow),
            98 => Step::Weather(Weather::Busy),
            _ => Step::Weather(Weather::Rough),
        }
    }

    fn wild_offset_ms(&mut self) -> i64 {
        let most = *[10, 60, 24 * 60].choose(&mut self.dice).unwrap() * MINUTE;
        self.dice.random_range(-most..=most)
    }

    /// Within what is not noticed.
    fn offset_ms(&mut self) -> i64 {
        self.dice.random_range(-MINUTE..=MINUTE)
    }
}
