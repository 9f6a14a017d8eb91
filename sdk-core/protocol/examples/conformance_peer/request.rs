//! Reading a request's fields: every one is typed and checked before anything is done with it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hushpost_protocol::{DeviceId, PublicKey, RegistrationId};
use serde_json::{Map, Value};

use crate::answer::{Failure, Outcome};

/// A request's fields.
pub struct Request(Map<String, Value>);

impl Request {
    /// Takes a JSON object.
    pub fn new(value: Value) -> Outcome<Self> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(Failure::bad_request("a request is a JSON object")),
        }
    }

    /// The `id` to repeat in the answer.
    pub fn id(&self) -> Option<Value> {
        self.0.get("id").cloned()
    }

    /// A required string.
    pub fn text(&self, name: &str) -> Outcome<&str> {
        self.optional_text(name)?.ok_or_else(|| missing(name))
    }

    /// A string that may be absent or null.
    pub fn optional_text(&self, name: &str) -> Outcome<Option<&str>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    /// Required base64.
    pub fn bytes(&self, name: &str) -> Outcome<Vec<u8>> {
        self.optional_bytes(name)?.ok_or_else(|| missing(name))
    }

    /// Base64 that may be absent or null.
    pub fn optional_bytes(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        self.optional_text(name)?
            .map(|text| {
                STANDARD
                    .decode(text)
                    .map_err(|_| wrong_type(name, "standard base64"))
            })
            .transpose()
    }

    /// A required 33-byte public key.
    pub fn public_key(&self, name: &str) -> Outcome<PublicKey> {
        Ok(PublicKey::from_bytes(&self.bytes(name)?)?)
    }

    /// A required whole number.
    pub fn number(&self, name: &str) -> Outcome<u64> {
        self.optional_number(name)?.ok_or_else(|| missing(name))
    }

    /// A whole number that may be absent or null.
    pub fn optional_number(&self, name: &str) -> Outcome<Option<u64>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| wrong_type(name, "a whole number")),
        }
    }

    /// A required number of 32 bits.
    pub fn u32(&self, name: &str) -> Outcome<u32> {
        narrow(name, self.number(name)?)
    }

    /// A number of 32 bits that may be absent or null.
    pub fn optional_u32(&self, name: &str) -> Outcome<Option<u32>> {
        self.optional_number(name)?
            .map(|number| narrow(name, number))
            .transpose()
    }

    /// A device, the primary one unless told.
    pub fn device(&self, name: &str) -> Outcome<DeviceId> {
        match self.optional_u32(name)? {
            None => Ok(DeviceId::PRIMARY),
            Some(number) => Ok(DeviceId::new(number)?),
        }
    }

    /// A registration id, 1 unless told.
    pub fn registration_id(&self, name: &str) -> Outcome<RegistrationId> {
        Ok(RegistrationId(self.optional_u32(name)?.unwrap_or(1)))
    }

    /// A truth value, true unless told.
    pub fn flag(&self, name: &str) -> Outcome<bool> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(true),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(wrong_type(name, "true or false")),
        }
    }

    /// A required object.
    pub fn object(&self, name: &str) -> Outcome<Self> {
        let value = self.0.get(name).ok_or_else(|| missing(name))?;
        Self::new(value.clone()).map_err(|_| wrong_type(name, "an object"))
    }

    /// A required list of objects.
    pub fn objects(&self, name: &str) -> Outcome<Vec<Self>> {
        match self.0.get(name) {
            Some(Value::Array(values)) => values.iter().cloned().map(Self::new).collect(),
            Some(_) => Err(wrong_type(name, "a list")),
            None => Err(missing(name)),
        }
    }
}

fn narrow(name: &str, number: u64) -> Outcome<u32> {
    u32::try_from(number).map_err(|_| wrong_type(name, "a number below 2^32"))
}

fn missing(name: &str) -> Failure {
    Failure::bad_request(format!("{name} is missing"))
}

fn wrong_type(name: &str, expected: &str) -> Failure {
    Failure::bad_request(format!("{name} is not {expected}"))
}
