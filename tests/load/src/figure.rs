//! What is measured: names, units, which way is better.

use std::collections::BTreeMap;

use crate::footprint::Footprint;

/// A figure. The order is the one they are printed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Answered messages.
    OnlineRate,
    /// Until the answer, median.
    OnlineSent50,
    /// Until the answer, 95 of 100.
    OnlineSent95,
    /// Until the answer, 99 of 100.
    OnlineSent99,
    /// Until received, median.
    OnlineDelivered50,
    /// Until received, 95 of 100.
    OnlineDelivered95,
    /// Until received, 99 of 100.
    OnlineDelivered99,
    /// Commits a message.
    OnlineCommits,
    /// Until the answer, median.
    PacedSent50,
    /// Until the answer, 95 of 100.
    PacedSent95,
    /// Until the answer, 99 of 100.
    PacedSent99,
    /// Until received, median.
    PacedDelivered50,
    /// Until received, 95 of 100.
    PacedDelivered95,
    /// Until received, 99 of 100.
    PacedDelivered99,
    /// Commits a message.
    PacedCommits,
    /// Stored messages.
    StoreRate,
    /// Commits a message.
    StoreCommits,
    /// Disk bytes a message.
    StoreDisk,
    /// Received and acknowledged messages.
    DrainRate,
    /// Connections made and proven before the drain.
    DrainConnect,
    /// Commits a message.
    DrainCommits,
    /// Until the answer.
    FanoutSent,
    /// Until everybody received it.
    FanoutReceived,
    /// Commits a message.
    FanoutCommits,
    /// Memory of a connection.
    IdleBytes,
    /// How many there were.
    IdleConnections,
    /// Connections opened and proven.
    IdleOpening,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More.
    Higher,
    /// Less.
    Lower,
    /// It only explains another figure.
    Neither,
}

impl Figure {
    /// Scenario, name, unit, which way is better.
    pub const fn about(self) -> (&'static str, &'static str, &'static str, Better) {
        use Better::{Higher, Lower, Neither};
        match self {
            Self::OnlineRate => ("online", "answered", "msg/s", Higher),
            Self::OnlineSent50 => ("online", "sent to answered, p50", "ms", Lower),
            Self::OnlineSent95 => ("online", "sent to answered, p95", "ms", Lower),
            Self::OnlineSent99 => ("online", "sent to answered, p99", "ms", Lower),
            Self::OnlineDelivered50 => ("online", "sent to received, p50", "ms", Lower),
            Self::OnlineDelivered95 => ("online", "sent to received, p95", "ms", Lower),
            Self::OnlineDelivered99 => ("online", "sent to received, p99", "ms", Lower),
            Self::OnlineCommits => ("online", "fsyncs", "per message", Neither),
            Self::PacedSent50 => ("paced", "due to answered, p50", "ms", Lower),
            Self::PacedSent95 => ("paced", "due to answered, p95", "ms", Lower),
            Self::PacedSent99 => ("paced", "due to answered, p99", "ms", Lower),
            Self::PacedDelivered50 => ("paced", "due to received, p50", "ms", Lower),
            Self::PacedDelivered95 => ("paced", "due to received, p95", "ms", Lower),
            Self::PacedDelivered99 => ("paced", "due to received, p99", "ms", Lower),
            Self::PacedCommits => ("paced", "fsyncs", "per message", Neither),
            Self::StoreRate => ("store", "stored", "msg/s", Higher),
            Self::StoreCommits => ("store", "fsyncs", "per message", Neither),
            Self::StoreDisk => ("store", "disk", "bytes per message", Lower),
            Self::DrainRate => ("drain", "received and acknowledged", "msg/s", Higher),
            Self::DrainConnect => ("drain", "connected beforehand", "per s", Neither),
            Self::DrainCommits => ("drain", "fsyncs", "per message", Neither),
            Self::FanoutSent => ("fanout", "sent to answered", "ms", Lower),
            Self::FanoutReceived => ("fanout", "sent to received by all", "ms", Lower),
            Self::FanoutCommits => ("fanout", "fsyncs", "per message", Neither),
            Self::IdleBytes => ("idle", "server memory", "bytes per connection", Lower),
            Self::IdleConnections => ("idle", "connections, all answering", "", Neither),
            Self::IdleOpening => ("idle", "opened, 64 at a time", "per s", Neither),
        }
    }
}

/// The figures of one round, or of several.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<Figure, Vec<f64>>);

impl Figures {
    /// Those of one round.
    pub fn new(figures: Vec<(Figure, f64)>) -> Self {
        let single = |(figure, value)| (figure, vec![value]);
        Self(figures.into_iter().map(single).collect())
    }

    /// Adds the commits between two moments, where the server counts them.
    pub fn add_commits(&mut self, figure: Figure, from: Footprint, to: Footprint, messages: u32) {
        if let (Some(from), Some(to)) = (from.commits, to.commits) {
            let each = (to - from) / f64::from(messages);
            self.0.entry(figure).or_default().push(each);
        }
    }

    /// Adds the growth on disk between two moments, where it is known.
    pub fn add_disk(&mut self, figure: Figure, from: Footprint, to: Footprint, messages: u32) {
        if let (Some(from), Some(to)) = (from.disk, to.disk) {
            let each = (to as f64 - from as f64) / f64::from(messages);
            self.0.entry(figure).or_default().push(each);
        }
    }

    /// Adds another round.
    pub fn merge(&mut self, other: Self) {
        for (figure, values) in other.0 {
            self.0.entry(figure).or_default().extend(values);
        }
    }

    /// All rounds of a figure.
    pub fn of(&self, figure: Figure) -> &[f64] {
        self.0.get(&figure).map_or(&[], Vec::as_slice)
    }

    /// What was measured.
    pub fn figures(&self) -> impl Iterator<Item = Figure> + '_ {
        self.0.keys().copied()
    }
}
