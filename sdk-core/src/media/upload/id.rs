//! What an upload is called, on this device alone.

use core::fmt;

use crate::{Error, Result};

/// An upload that is not finished, for resuming it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub(in crate::media) i64);

/// Opaque: up to 19 digits, for an app that keeps it as a text.
impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads what `Display` writes; [`Error::InvalidInput`] for anything else.
impl core::str::FromStr for UploadId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let one_way = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse()
            .ok()
            .filter(|number| one_way && *number >= 1)
            .map(Self)
            .ok_or(Error::InvalidInput("not an upload"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_no_upload_is_refused() {
        for bad in [
            "",
            "0",
            "-1",
            "+1",
            "01",
            " 1",
            "1\n",
            "1.0",
            "0x1",
            "١",
            "9223372036854775808",
        ] {
            let refused = bad.parse::<UploadId>();
            assert!(matches!(refused, Err(Error::InvalidInput(_))), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_upload_is_read_back(number in 1..=i64::MAX) {
            let id = UploadId(number);
            prop_assert_eq!(id.to_string().parse::<UploadId>().unwrap(), id);
        }
    }
}
