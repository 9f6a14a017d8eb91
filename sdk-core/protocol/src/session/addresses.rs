//! Who a session is between, for the MAC of its first messages.
//!
//! 36 bytes: sender service id (17), sender device (1), recipient service id (17), recipient device
//! (1). A message that was re-addressed on the way then does not authenticate, even between devices
//! that share an identity key.

use crate::address::{DeviceId, ProtocolAddress, ServiceId, ServiceIdKind};
use crate::encoding::{Reader, Writer};
use crate::error::{Error, Result};

const ADDRESS_LEN: usize = ServiceId::FIXED_WIDTH_LEN + 1;
const FIELD_LEN: usize = 2 * ADDRESS_LEN;

/// Both ends of a session.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) local: ProtocolAddress,
    pub(crate) remote: ProtocolAddress,
}

impl Addresses {
    /// The field of a message we send.
    pub(crate) fn outgoing(&self) -> [u8; FIELD_LEN] {
        field(&self.local, &self.remote)
    }

    /// The field of a message sent to us.
    pub(crate) fn incoming(&self) -> [u8; FIELD_LEN] {
        field(&self.remote, &self.local)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.bytes(&self.outgoing());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            local: read_address(reader)?,
            remote: read_address(reader)?,
        })
    }
}

fn field(sender: &ProtocolAddress, recipient: &ProtocolAddress) -> [u8; FIELD_LEN] {
    let mut field = [0; FIELD_LEN];
    for (half, address) in field.chunks_exact_mut(ADDRESS_LEN).zip([sender, recipient]) {
        let (service_id, device) = half.split_at_mut(ServiceId::FIXED_WIDTH_LEN);
        service_id.copy_from_slice(&address.service_id.to_fixed_width());
        device.fill(address.device_id.get());
    }
    field
}

fn read_address(reader: &mut Reader<'_>) -> Result<ProtocolAddress> {
    let kind = if reader.flag()? {
        ServiceIdKind::PhoneNumber
    } else {
        ServiceIdKind::Account
    };
    let uuid = uuid::Uuid::from_bytes(reader.array()?);
    let device = DeviceId::new(reader.byte()?.into()).map_err(|_| Error::InvalidState)?;
    Ok(ProtocolAddress::new(ServiceId::new(kind, uuid), device))
}
