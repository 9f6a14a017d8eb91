//! What other servers did, recorded once on another machine (a 2-core AMD EPYC virtual machine, November
//! 2026; 256-byte messages, durable where they can be, no TLS, loopback). Not measured in this run: good
//! for orders of magnitude, not for percents.

use crate::figure::Figure;

/// Where the figures come from.
pub const SOURCE: &str = "recorded elsewhere (2-core AMD EPYC VM, November 2026), not in this run: \
     NATS JetStream 2.15 sync always, PostgreSQL 15 queue table, ejabberd 23 and prosody 0.12 (these \
     two answer before anything is on disk)";

/// Server and figure, in the figure's unit.
pub const fn recorded(figure: Figure) -> &'static [(&'static str, f64)] {
    match figure {
        Figure::OnlineRate => &[
            ("NATS", 895.0),
            ("PostgreSQL", 4_427.0),
            ("ejabberd", 9_318.0),
            ("prosody", 2_706.0),
        ],
        Figure::OnlineSent50 => &[
            ("NATS", 89.0),
            ("PostgreSQL", 19.0),
            ("ejabberd", 7.9),
            ("prosody", 48.0),
        ],
        Figure::OnlineSent99 => &[
            ("NATS", 271.0),
            ("PostgreSQL", 49.0),
            ("ejabberd", 23.0),
            ("prosody", 90.0),
        ],
        Figure::PacedSent99 => &[("NATS", 53.0), ("ejabberd", 0.7), ("prosody", 121.0)],
        Figure::StoreRate => &[
            ("NATS", 4_700.0),
            ("PostgreSQL", 16_792.0),
            ("ejabberd", 2_115.0),
            ("prosody", 1_584.0),
        ],
        Figure::DrainRate => &[
            ("NATS", 17_340.0),
            ("PostgreSQL", 98_419.0),
            ("ejabberd", 18_063.0),
            ("prosody", 2_412.0),
        ],
        Figure::FanoutReceived => &[("NATS", 1_638.0), ("ejabberd", 85.0), ("prosody", 433.0)],
        Figure::IdleBytes => &[
            ("NATS", 36_000.0),
            ("PostgreSQL", 2_000_000.0),
            ("ejabberd", 51_000.0),
            ("prosody", 47_000.0),
        ],
        _ => &[],
    }
}
