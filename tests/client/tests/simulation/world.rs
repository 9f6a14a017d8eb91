//! One run: people register, things happen, the faults stop, and it is judged.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use hushpost::{Activity, Client, MessageRef, MessageState, Standing};
use hushpost_evil_relay::{FaultPlan, SimOptions, SimRelay};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::changes::Changed;
use crate::groups::Groups;
use crate::person::{BEGINS_MS, Person};
use crate::step::{PEOPLE, Script, Step, Weather};

/// What became of a run.
pub struct Story {
    /// Everything that is wrong.
    pub faults: Vec<String>,
    /// What happened, and when.
    pub trace: Vec<String>,
    /// Every history, as it is shown.
    pub shown: Vec<String>,
    /// How many messages there were.
    pub said: usize,
}

/// Something that was said.
pub struct Said {
    pub from: usize,
    pub to: usize,
    pub message: MessageRef,
    /// The last thing of the other's that was shown to whom said it: this sorts after it.
    pub after: Option<MessageRef>,
}

pub struct World {
    pub relay: SimRelay,
    pub people: Vec<Person>,
    pub said: Vec<Said>,
    /// What accepted people have read: whoever sent it is to know.
    pub read: BTreeSet<MessageRef>,
    pub groups: Groups,
    pub changes: Vec<Changed>,
    /// Whether phones' clocks jump by hours and days.
    pub wild_clocks: bool,
    trace: Vec<String>,
    began: Instant,
    /// Removed at the end.
    _folder: TempDir,
}

/// Runs a seed.
pub async fn run(seed: u64) -> Story {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let wild_clocks = dice.random_range(0..4) == 0;
    let weather = if !wild_clocks && dice.random_range(0..4) == 0 {
        Weather::Rough
    } else {
        Weather::Fine
    };
    let mut world = World::begin(weather, &mut dice).await;
    world.wild_clocks = wild_clocks;
    let mut script = Script::new(dice, wild_clocks);
    let mut steps = script.first_steps();
    for _ in 0..script.length() {
        steps.push(script.step());
    }
    for step in steps {
        world.note(&format!("{step:?}"));
        world.happen(step).await;
        sleep(Duration::from_millis(script.pause_ms())).await;
        world.listen();
    }
    world.calm_down().await;
    world.end().await
}

/// Two who talk for long at a relay that refuses every other request, and never stops to.
pub async fn run_busy(seed: u64) -> Story {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::begin(Weather::Busy, &mut dice).await;
    for _ in 0..20 {
        for step in [Step::Say(0, 1, 2), Step::Say(1, 0, 2), Step::Read(0, 1)] {
            world.happen(step).await;
        }
        sleep(Duration::from_secs(5)).await;
        world.listen();
    }
    world.end().await
}

impl World {
    async fn begin(weather: Weather, dice: &mut ChaCha8Rng) -> Self {
        let folder = folder();
        let began = Instant::now();
        let relay = SimRelay::new(SimOptions {
            seed: dice.random(),
            begins_ms: BEGINS_MS,
            // Small enough that it matters.
            delivery_window: dice.random_range(2..=40),
            ..SimOptions::default()
        });
        relay.set_faults(weather.plan());
        let seeds: [u64; PEOPLE] = dice.random();
        let registering = seeds.into_iter().enumerate().map(|(number, seed)| {
            let path = folder.path().to_owned();
            Person::registered(format!("person{number}"), path, seed, &relay)
        });
        let people = join_all(registering).await;
        Self {
            relay,
            people,
            said: Vec::new(),
            read: BTreeSet::new(),
            groups: Groups::default(),
            changes: Vec::new(),
            wild_clocks: false,
            trace: vec![format!("{weather:?}")],
            began,
            _folder: folder,
        }
    }

    /// Judges, and closes everything.
    async fn end(mut self) -> Story {
        let faults = self.judge().await;
        let shown = self.shown().await;
        // Tasks of this run end before their files go.
        join_all(self.people.iter_mut().map(Person::close)).await;
        Story {
            faults,
            trace: self.trace,
            shown,
            said: self.said.len(),
        }
    }

    pub fn note(&mut self, what: &str) {
        let at = self.began.elapsed().as_millis();
        self.trace.push(format!("{at} ms: {what}"));
    }

    /// Everybody takes what they were told, and says if their app would be in trouble.
    pub fn listen(&mut self) {
        use hushpost::ConnectionState::{Refused, Replaced};
        for person in &mut self.people {
            person.listen();
            let state = person.client.as_ref().map(Client::connection_state);
            if let Some(state @ (Replaced | Refused { .. })) = state {
                let complaint = format!("{}: the connection is {state:?}", person.name);
                person.complaints.push(complaint);
            }
        }
    }

    async fn happen(&mut self, step: Step) {
        match step {
            Step::Say(from, to, count) => {
                for _ in 0..count {
                    self.say(from, to).await;
                }
            }
            Step::Accept(who, of) => {
                let other = self.people[of].account;
                if self.people[who].standing(other).await.is_some() {
                    let conversation = self.people[who].with(other).await;
                    conversation.accept().await.unwrap();
                }
            }
            Step::Read(who, of) => self.read(who, of).await,
            Step::Type(who, to) => {
                let other = self.people[to].account;
                let conversation = self.people[who].with(other).await;
                // Nobody may type to a stranger.
                let _refused = conversation.set_activity(Activity::Typing).await;
            }
            Step::Connect(who) => self.people[who].connect().await,
            Step::Disconnect(who) => self.people[who].disconnect().await,
            Step::Restart(who) => {
                let connecting = self.people[who].connecting;
                self.people[who].close().await;
                if connecting {
                    self.people[who].connect().await;
                }
            }
            Step::Close(who) => self.people[who].close().await,
            Step::Cut(who) => self.people[who].cut(),
            Step::Line(who, up) => self.people[who].set_line(up),
            Step::Clock(who, offset_ms) => self.people[who].set_clock(offset_ms),
            Step::RelayClock(offset_ms) => self.relay.set_clock_offset_ms(offset_ms),
            Step::RelayRestarts => self.relay.restart(),
            Step::RelayLosesItsStore => self.relay.wipe(),
            Step::RelayUp(true) => self.relay.come_up(),
            Step::RelayUp(false) => self.relay.go_down(),
            Step::Weather(weather) => self.relay.set_faults(weather.plan()),
            Step::MakeGroup(who, others) => self.make_group(who, &others).await,
            Step::SayInGroup(group, from, count) => {
                for _ in 0..count {
                    self.say_in_group(group, from).await;
                }
            }
            Step::AcceptGroup(group, who) => self.accept_group(group, who).await,
            Step::ReadGroup(group, who) => self.read_group(group, who).await,
            Step::Change(group, by, change) => self.change_group(group, by, &change).await,
            Step::Clash(group, changes) => {
                for (by, change) in changes {
                    self.change_group(group, by, &change).await;
                }
            }
            Step::Rewrite(by, place, rewrite) => self.rewrite(by, place, rewrite).await,
        }
    }

    async fn say(&mut self, from: usize, to: usize) {
        let (sender, other) = (self.people[from].account, self.people[to].account);
        let before = self.people[from].history(other).await;
        let mut theirs = before.iter().rev().map(|message| message.id);
        let after = theirs.find(|message| message.sender != sender);
        let body = format!("{from} to {to}: {}", self.said.len());
        let message = self.people[from].say(other, &body).await;
        self.said.push(Said {
            from,
            to,
            message,
            after,
        });
    }

    async fn read(&mut self, who: usize, of: usize) {
        let other = self.people[of].account;
        let history = self.people[who].history(other).await;
        let Some(last) = history.last() else {
            return;
        };
        let conversation = self.people[who].with(other).await;
        if self.people[who].standing(other).await == Some(Standing::Accepted) {
            let unread = |state| state == MessageState::Unread;
            let now_read = history.iter().filter(|message| unread(message.state));
            self.read.extend(now_read.map(|message| message.id));
        }
        conversation.mark_read(last.cursor).await.unwrap();
    }

    /// Nothing goes wrong any more, and everybody is there.
    async fn calm_down(&mut self) {
        self.relay.set_faults(FaultPlan::none());
        self.relay.come_up();
        for person in &mut self.people {
            person.set_line(true);
            person.connect().await;
        }
        self.note("all is well");
    }
}

/// In memory where that is possible: a commit is not to wait for a disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
