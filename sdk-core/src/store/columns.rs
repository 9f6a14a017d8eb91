//! Ids and numbers in columns: a value that does not fit is damage, never a panic.

use hushpost_wire::{AccountId, DeviceId, MessageId};
use rusqlite::types::FromSqlError;
use rusqlite::{Error, Row};

/// The `index`th column of a row as something that checks what it holds.
pub(crate) fn checked<T, E: std::error::Error + Send + Sync + 'static>(
    index: usize,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, Error> {
    read().map_err(|error| {
        Error::FromSqlConversionFailure(index, rusqlite::types::Type::Blob, Box::new(error))
    })
}

/// An account id.
pub(crate) fn account(row: &Row<'_>, index: usize) -> Result<AccountId, Error> {
    let bytes = row
        .get_ref(index)?
        .as_blob()
        .map_err(|error| conversion(index, error))?;
    checked(index, || AccountId::from_slice(bytes))
}

/// A device number.
pub(crate) fn device(row: &Row<'_>, index: usize) -> Result<DeviceId, Error> {
    let number: u32 = row.get(index)?;
    checked(index, || DeviceId::new(number))
}

/// A message or envelope id.
pub(crate) fn message_id(row: &Row<'_>, index: usize) -> Result<MessageId, Error> {
    let bytes = row
        .get_ref(index)?
        .as_blob()
        .map_err(|error| conversion(index, error))?;
    checked(index, || MessageId::from_slice(bytes))
}

/// A number that is never negative.
pub(crate) fn unsigned(row: &Row<'_>, index: usize) -> Result<u64, Error> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(index, number))
}

/// A number that may use all 64 bits, such as a chain's: kept as the same bits with a sign.
pub(crate) fn bits(row: &Row<'_>, index: usize) -> Result<u64, Error> {
    Ok(row.get::<_, i64>(index)?.cast_unsigned())
}

/// A time or count for a column. What no honest clock shows is cut.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn conversion(index: usize, error: FromSqlError) -> Error {
    Error::FromSqlConversionFailure(index, rusqlite::types::Type::Blob, Box::new(error))
}
