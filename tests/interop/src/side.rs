//! One end of a pairing: which implementation, and how much it wants the post-quantum ratchet (SPQR).
//!
//! Must never: judge what comes of two policies; that is what the scenarios find out.

use std::fmt;

use crate::implementation::{Generation, Implementation};

/// What a party wants of the post-quantum ratchet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spqr {
    /// From the first message on, or there is no session.
    Required,
    /// Offered, and given up if the other does not answer in kind.
    Allowed,
    /// Neither offered nor understood.
    Off,
}

/// One side: an implementation, and the policy of all its parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// What runs the parties.
    pub implementation: Implementation,
    /// What they want.
    pub spqr: Spqr,
}

impl Side {
    /// Ours, which has every policy.
    #[must_use]
    pub const fn ours(spqr: Spqr) -> Self {
        Self {
            implementation: Implementation::Ours,
            spqr,
        }
    }

    /// A generation of the official library with the one policy that it has.
    #[must_use]
    pub const fn official(generation: Generation) -> Self {
        Self {
            implementation: Implementation::Official(generation),
            spqr: match generation {
                Generation::X3dh => Spqr::Off,
                Generation::Negotiable => Spqr::Allowed,
                Generation::Current => Spqr::Required,
            },
        }
    }
}

impl Spqr {
    /// As the conformance protocol has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Allowed => "allowed",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Side {
    /// A side without the ratchet goes by the name of its implementation alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spqr {
            Spqr::Off => write!(f, "{}", self.implementation),
            spqr => write!(f, "{}/{}", self.implementation, spqr.name()),
        }
    }
}
