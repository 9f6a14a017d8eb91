//! What may happen, and how often.

use hushpost_evil_relay::{FaultPlan, OneIn};
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
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
    /// Makes a group with these.
    MakeGroup(usize, Vec<usize>),
    /// Says so many things in a group.
    SayInGroup(usize, usize, u32),
    AcceptGroup(usize, usize),
    ReadGroup(usize, usize),
    /// Somebody changes a group.
    Change(usize, usize, GroupChange),
    /// Two change a group at once: neither has seen the other's change.
    Clash(usize, [(usize, GroupChange); 2]),
    /// Somebody changes a message.
    Rewrite(usize, Place, Rewrite),
}

/// What may be done with a group.
#[derive(Debug, Clone)]
pub enum GroupChange {
    Add(usize),
    Remove(usize),
    Leave,
    Promote(usize),
    Demote(usize),
    Rename(u32),
}

/// A conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    With(usize),
    Group(usize),
}

/// What may be done with a message: one of the last, by a number.
#[derive(Debug, Clone, Copy)]
pub enum Rewrite {
    Edit(usize),
    /// With one of a few emoji, or none.
    React(usize, usize),
    Delete(usize),
}

impl Rewrite {
    pub const fn pick(self) -> usize {
        match self {
            Self::Edit(pick) | Self::React(pick, _) | Self::Delete(pick) => pick,
        }
    }

    /// Whether only the author of a message may do it.
    pub const fn is_of_own(self) -> bool {
        !matches!(self, Self::React(..))
    }
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
    /// How many groups there will be.
    groups: usize,
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
        // A group's changes are stamped by phones, and nothing bounds those stamps: not where clocks are wild.
        let groups = if wild_clocks {
            0
        } else {
            // Where there are two, most of what happens is in them.
            *[0, 1, 1, 2].choose(&mut dice).unwrap()
        };
        Self {
            dice,
            pairs,
            wild_clocks,
            groups,
        }
    }

    /// What happens first: groups are made.
    pub fn first_steps(&mut self) -> Vec<Step> {
        (0..self.groups)
            .map(|_| {
                let mut people: Vec<usize> = (0..PEOPLE).collect();
                people.shuffle(&mut self.dice);
                people.truncate(self.dice.random_range(3..=PEOPLE));
                let others = people.split_off(1);
                Step::MakeGroup(people[0], others)
            })
            .collect()
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
        match self.dice.random_range(0..20) {
            0..7 if self.groups > 0 => self.group_step(),
            7..13 if self.groups > 1 => self.group_step(),
            13..16 => self.rewrite(),
            _ => self.other_step(),
        }
    }

    fn anybody(&mut self) -> usize {
        self.dice.random_range(0..PEOPLE)
    }

    fn group_step(&mut self) -> Step {
        let group = self.dice.random_range(0..self.groups);
        let who = self.anybody();
        match self.dice.random_range(0..20) {
            0..11 => Step::SayInGroup(group, who, self.dice.random_range(1..=2)),
            11 | 12 => Step::AcceptGroup(group, who),
            13 => Step::ReadGroup(group, who),
            14..18 => Step::Change(group, who, self.group_change()),
            _ => {
                let other = (who + self.dice.random_range(1..PEOPLE)) % PEOPLE;
                Step::Clash(
                    group,
                    [(who, self.group_change()), (other, self.group_change())],
                )
            }
        }
    }

    fn group_change(&mut self) -> GroupChange {
        let whom = self.anybody();
        match self.dice.random_range(0..12) {
            0..3 => GroupChange::Add(whom),
            3 | 4 => GroupChange::Remove(whom),
            5 => GroupChange::Leave,
            6..9 => GroupChange::Promote(whom),
            9 => GroupChange::Demote(whom),
            _ => GroupChange::Rename(self.dice.random_range(0..100)),
        }
    }

    fn rewrite(&mut self) -> Step {
        let (mut one, other) = self.pair();
        let mut place = Place::With(other);
        if self.groups > 0 && self.dice.random() {
            place = Place::Group(self.dice.random_range(0..self.groups));
            one = self.anybody();
        }
        let pick = self.dice.random_range(0..4);
        let rewrite = match self.dice.random_range(0..10) {
            0..4 => Rewrite::Edit(pick),
            4..8 => Rewrite::React(pick, self.dice.random_range(0..4)),
            _ => Rewrite::Delete(pick),
        };
        Step::Rewrite(one, place, rewrite)
    }

    fn other_step(&mut self) -> Step {
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
