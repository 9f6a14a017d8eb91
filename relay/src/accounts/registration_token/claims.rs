//! What a registration token must say, and about whom.
//!
//! Each claim has one type. In JWT libraries a value of another type has made checks vanish
//! (CVE-2026-25537), so here it is a refusal.

use std::fmt;
use std::time::Duration;

use hushpost_wire::AccountId;
use serde_json::{Map, Value};

use super::RejectReason;

/// Bytes of a subject.
const MAX_SUBJECT_LEN: usize = 256;

/// What an accepted token says.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// `sub`: the backend's name for its user, 1 to 256 bytes.
    pub subject: String,
    /// `hushpost_account`: the one account that may use this token, if the backend binds it.
    pub account: Option<AccountId>,
}

impl fmt::Debug for TokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who registers is nothing for a log.
        f.debug_struct("TokenClaims").finish_non_exhaustive()
    }
}

/// What the claims must be.
pub(super) struct ClaimRules {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) leeway: Duration,
}

impl ClaimRules {
    /// Checks the claims of a token whose signature is good. `now` counts from 1970.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: Duration,
    ) -> Result<TokenClaims, RejectReason> {
        if text(claims, "iss")? != self.issuer {
            return Err(RejectReason::Issuer);
        }
        if audience(claims)? != self.audience {
            return Err(RejectReason::Audience);
        }
        let expires = date(claims, "exp")?.ok_or(RejectReason::Claim("exp"))?;
        if expires.saturating_add(self.leeway) <= now {
            return Err(RejectReason::Expired);
        }
        let starts = date(claims, "nbf")?;
        if starts.is_some_and(|starts| starts > now.saturating_add(self.leeway)) {
            return Err(RejectReason::NotYetValid);
        }
        // It decides nothing, but a malformed one means that the backend is not what we think it is.
        date(claims, "iat")?;

        let subject = text(claims, "sub")?;
        if !(1..=MAX_SUBJECT_LEN).contains(&subject.len()) {
            return Err(RejectReason::Claim("sub"));
        }
        Ok(TokenClaims {
            subject: subject.to_owned(),
            account: account(claims)?,
        })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, RejectReason> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(RejectReason::Claim(name))
}

/// One audience, as text or as a list of one: some libraries write only lists. A token for several
/// services is refused, because each of them could use it here.
fn audience(claims: &Map<String, Value>) -> Result<&str, RejectReason> {
    let single = match claims.get("aud") {
        Some(Value::Array(list)) => match list.as_slice() {
            [single] => single.as_str(),
            _ => None,
        },
        Some(value) => value.as_str(),
        None => None,
    };
    single.ok_or(RejectReason::Claim("aud"))
}

/// A `NumericDate` (RFC 7519 §2): seconds since 1970, perhaps with a fraction.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Duration>, RejectReason> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let whole = value.as_u64().map(Duration::from_secs);
    whole
        .or_else(|| Duration::try_from_secs_f64(value.as_f64()?).ok())
        .map(Some)
        .ok_or(RejectReason::Claim(name))
}

fn account(claims: &Map<String, Value>) -> Result<Option<AccountId>, RejectReason> {
    const NAME: &str = "hushpost_account";
    if !claims.contains_key(NAME) {
        return Ok(None);
    }
    let account = text(claims, NAME)?.parse();
    account.map(Some).map_err(|_| RejectReason::Claim(NAME))
}
