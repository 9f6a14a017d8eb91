//! A place.

use core::fmt;

use crate::{HushpostError, Result};

/// A place.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// Metres within which it is right; 0: not said.
    #[uniffi(default = 0)]
    pub accuracy_m: u32,
    /// What it is called; may be empty. At most 256 bytes.
    #[uniffi(default = "")]
    pub name: String,
    /// Its address; may be empty. At most 512 bytes.
    #[uniffi(default = "")]
    pub address: String,
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Location(…)")
    }
}

impl From<&hushpost::Location> for Location {
    fn from(place: &hushpost::Location) -> Self {
        Self {
            latitude: place.latitude(),
            longitude: place.longitude(),
            accuracy_m: place.accuracy_m(),
            name: place.name().to_owned(),
            address: place.address().to_owned(),
        }
    }
}

impl TryFrom<Location> for hushpost::Location {
    type Error = HushpostError;

    fn try_from(place: Location) -> Result<Self> {
        let made = Self::new(place.latitude, place.longitude)?;
        Ok(made
            .named(place.name, place.address)?
            .accurate_to(place.accuracy_m))
    }
}
