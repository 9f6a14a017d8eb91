//! A place on the earth.

use core::fmt;

use crate::content::{ContentError, generated};

/// Bytes of a place's name, UTF-8.
pub const MAX_PLACE_NAME_LEN: usize = 256;
/// Bytes of a place's address, UTF-8.
pub const MAX_ADDRESS_LEN: usize = 512;
/// What a degree counts.
const DEGREE: f64 = 1e7;
const MAX_LATITUDE: i32 = 900_000_000;
const MAX_LONGITUDE: i32 = 1_800_000_000;

/// A place.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    latitude_e7: i32,
    longitude_e7: i32,
    accuracy_m: u32,
    name: String,
    address: String,
}

impl Location {
    /// A place by its degrees north and east, kept to about a centimetre.
    ///
    /// # Errors
    /// [`ContentError::Malformed`] unless they are from -90 to 90 and from -180 to 180.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, ContentError> {
        let fixed = |degrees: f64, most: i32| {
            let scaled = (degrees * DEGREE).round();
            if scaled.abs() <= f64::from(most) {
                // In range, whole and no NaN: it fits.
                #[expect(clippy::cast_possible_truncation)]
                Ok(scaled as i32)
            } else {
                Err(ContentError::Malformed("place"))
            }
        };
        Ok(Self {
            latitude_e7: fixed(latitude, MAX_LATITUDE)?,
            longitude_e7: fixed(longitude, MAX_LONGITUDE)?,
            accuracy_m: 0,
            name: String::new(),
            address: String::new(),
        })
    }

    /// The same with what it is called, at most 256 bytes, and its address, at most 512; either may be empty.
    ///
    /// # Errors
    /// [`ContentError::TooLong`].
    pub fn named(
        mut self,
        name: impl Into<String>,
        address: impl Into<String>,
    ) -> Result<Self, ContentError> {
        (self.name, self.address) = (name.into(), address.into());
        if self.name.len() > MAX_PLACE_NAME_LEN {
            return Err(ContentError::TooLong("name"));
        }
        if self.address.len() > MAX_ADDRESS_LEN {
            return Err(ContentError::TooLong("address"));
        }
        Ok(self)
    }

    /// The same, known to so many metres; 0: not known how well.
    #[must_use]
    pub const fn accurate_to(mut self, metres: u32) -> Self {
        self.accuracy_m = metres;
        self
    }

    /// Degrees north, -90 to 90.
    #[must_use]
    pub fn latitude(&self) -> f64 {
        f64::from(self.latitude_e7) / DEGREE
    }

    /// Degrees east, -180 to 180.
    #[must_use]
    pub fn longitude(&self) -> f64 {
        f64::from(self.longitude_e7) / DEGREE
    }

    /// How far it may be off, in metres; 0: not known.
    #[must_use]
    pub const fn accuracy_m(&self) -> u32 {
        self.accuracy_m
    }

    /// What it is called; may be empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address; may be empty.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn write(&self) -> generated::Location {
        generated::Location {
            latitude_e7: self.latitude_e7,
            longitude_e7: self.longitude_e7,
            accuracy_m: self.accuracy_m,
            name: self.name.clone(),
            address: self.address.clone(),
        }
    }

    pub(super) fn read(place: generated::Location) -> Result<Self, ContentError> {
        let in_range = (-MAX_LATITUDE..=MAX_LATITUDE).contains(&place.latitude_e7)
            && (-MAX_LONGITUDE..=MAX_LONGITUDE).contains(&place.longitude_e7);
        if !in_range {
            return Err(ContentError::Malformed("place"));
        }
        Self {
            latitude_e7: place.latitude_e7,
            longitude_e7: place.longitude_e7,
            accuracy_m: place.accuracy_m,
            name: String::new(),
            address: String::new(),
        }
        .named(place.name, place.address)
    }
}

/// Says nothing of where.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Location(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_on_the_earth() {
        let place = Location::new(-33.856_784, 151.215_297).unwrap();
        let place = place.named("Opera", "Sydney").unwrap().accurate_to(5);
        assert!((place.latitude() + 33.856_784).abs() < 1e-7);
        assert!((place.longitude() - 151.215_297).abs() < 1e-7);
        assert_eq!(Location::read(place.write()), Ok(place));
        for (north, east) in [
            (90.1, 0.0),
            (0.0, -180.1),
            (f64::NAN, 0.0),
            (0.0, f64::INFINITY),
        ] {
            assert!(Location::new(north, east).is_err());
        }
        let outside = generated::Location {
            latitude_e7: i32::MIN,
            ..Default::default()
        };
        assert!(Location::read(outside).is_err());
    }
}
