//! A throw-away sealed-sender authority: trust root, server key, server certificate.

use getrandom::SysRng;
use hushpost_protocol::sealed_sender::{
    SenderCertificate, SenderCertificateFields, ServerCertificate,
};
use hushpost_protocol::{ProtocolAddress, PublicKey, Result, ServiceId, SigningKeyPair, Timestamp};

pub struct Authority {
    root: SigningKeyPair,
    server: SigningKeyPair,
    certificate: ServerCertificate,
}

impl Authority {
    pub fn generate() -> Result<Self> {
        let root = SigningKeyPair::generate(&mut SysRng)?;
        let server = SigningKeyPair::generate(&mut SysRng)?;
        let certificate = ServerCertificate::issue(1, server.public_key(), &root, &mut SysRng)?;
        Ok(Self {
            root,
            server,
            certificate,
        })
    }

    pub fn trust_root(&self) -> &PublicKey {
        self.root.public_key()
    }

    pub fn certify(
        &self,
        service_id: &str,
        device: hushpost_protocol::DeviceId,
        identity_key: PublicKey,
        expires: Timestamp,
    ) -> Result<SenderCertificate> {
        let fields = SenderCertificateFields {
            sender: ProtocolAddress::new(ServiceId::parse(service_id)?, device),
            phone_number: None,
            identity_key,
            expires,
        };
        SenderCertificate::issue(fields, &self.certificate, &self.server, &mut SysRng)
    }
}
