//! Which implementation a peer runs, and the command that starts it.
//!
//! Must never: answer for a peer, or assume what is inside one.

use std::fmt;
use std::process::Command;

use crate::install;
use crate::peer::PeerError;

/// One implementation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// This project's.
    Ours,
    /// The official library, in one of its generations.
    Official(Generation),
}

/// A generation of the official library: its versions do not all speak to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// 0.72.1, the last with X3DH (version 3 sessions), and with PQXDH but no post-quantum ratchet.
    X3dh,
    /// 0.90.0, of those that offer the post-quantum ratchet but do without it if they must.
    Negotiable,
    /// 0.103.0, of those that do not speak without the post-quantum ratchet.
    Current,
}

impl Implementation {
    /// The command that runs this implementation as a peer, after building or installing it once.
    pub(crate) fn command(self) -> Result<Command, PeerError> {
        match self {
            Self::Ours => Ok(Command::new(install::our_peer()?)),
            Self::Official(generation) => {
                let mut node = Command::new("node");
                node.arg(install::official_peer()?)
                    .arg(generation.argument());
                Ok(node)
            }
        }
    }
}

impl Generation {
    fn argument(self) -> &'static str {
        match self {
            Self::X3dh => "x3dh",
            Self::Negotiable => "negotiable",
            Self::Current => "current",
        }
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("ours"),
            Self::Official(generation) => write!(f, "official-{}", generation.argument()),
        }
    }
}
