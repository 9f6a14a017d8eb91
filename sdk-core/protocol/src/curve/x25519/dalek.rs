//! X25519 on curve25519-dalek.
//!
//! A point on the curve is taken to its Edwards form once; each agreement is then a multiplication
//! by dalek's vector code, which beats the Montgomery ladder from the first agreement on x86-64 and
//! from the second elsewhere. A u-coordinate on the twist has no Edwards form and goes up the
//! ladder. Which way is taken depends on public data only; both are constant-time in the scalar.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use zeroize::Zeroizing;

use super::SharedSecret;

pub(super) fn public_key(private: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*private).to_bytes()
}

pub(super) enum Peer {
    OnCurve(EdwardsPoint),
    OnTwist(MontgomeryPoint),
}

impl Peer {
    pub(super) fn new(u: &[u8; 32]) -> Self {
        let u = MontgomeryPoint(*u);
        u.to_edwards(0).map_or(Self::OnTwist(u), Self::OnCurve)
    }

    pub(super) fn agree(&self, private: &[u8; 32]) -> SharedSecret {
        let point = match self {
            Self::OnCurve(point) => point.mul_clamped(*private).to_montgomery(),
            Self::OnTwist(u) => u.mul_clamped(*private),
        };
        Zeroizing::new(point.to_bytes())
    }

    pub(super) fn agree_with_new(&self, private: &[u8; 32]) -> ([u8; 32], SharedSecret) {
        (public_key(private), self.agree(private))
    }
}
