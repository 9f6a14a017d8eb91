//! Which request does what. One request, one answer; what is refused has changed nothing.

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{
    AccountId, ClientFrame, DeviceAddress, DeviceId, DeviceListFound, Error, ErrorCode,
    FetchPreKeyBundles, Found, LookUpName, NameKind, NameLookedUp, Ok as Done, PreKeyBundles,
};

use super::accounts::{Account, check_version};
use super::model::Model;
use super::session::{Identity, Session};

impl Model {
    /// Answers a request.
    pub(super) fn handle(&mut self, session: u64, frame: ClientFrame, now_ms: u64) {
        let id = frame.id;
        let deletes = matches!(frame.request, Some(Request::DeleteAccount(_)));
        let before = self.sessions.get(&session).and_then(Session::device);
        let answer = self.answer(session, frame, now_ms);
        let body = answer.unwrap_or_else(Body::Error);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.say(id, body);
        }
        // The answer goes before the goodbye.
        if let (true, Some(device)) = (deletes, before) {
            self.delete_account(device.account);
        }
    }

    fn answer(&mut self, number: u64, frame: ClientFrame, now_ms: u64) -> Result<Body, Error> {
        let unsupported = || ErrorCode::Unsupported.because("the simulated relay cannot do this");
        let request = frame.request.ok_or_else(unsupported)?;
        let session = self
            .sessions
            .get(&number)
            .filter(|session| !session.closing)
            .ok_or_else(|| ErrorCode::ShuttingDown.because("the connection is closing"))?;
        let identity = session.identity;
        let introduces = matches!(
            request,
            Request::Anonymous(_) | Request::Authenticate(_) | Request::Register(_)
        );
        if introduces && identity != Identity::Unknown {
            return Err(ErrorCode::AlreadyAuthenticated.because("open another connection"));
        }
        let done = Body::Ok(Done {});
        let device = || match identity {
            Identity::Device(device) => Ok(device),
            _ => Err(ErrorCode::Unauthenticated.because("this needs a device")),
        };
        Ok(match request {
            Request::Ping(_) => done,
            Request::Anonymous(request) => {
                check_version(request.version)?;
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.identity = Identity::Anonymous;
                }
                done
            }
            Request::Authenticate(proof) => self.authenticate(number, &proof)?,
            Request::Register(request) => self.register(number, &request)?,
            Request::PutDeviceList(request) => {
                self.put_list(device()?.account, request.device_list.as_ref())?;
                done
            }
            Request::GetDeviceList(request) => {
                let account = self.visible(identity, &request.account, &request.delivery_token)?;
                Body::DeviceListFound(DeviceListFound {
                    device_list: Some(account.signed.clone()),
                })
            }
            Request::SetUserName(request) => {
                self.set_user_name(device()?.account, &request.name)?;
                done
            }
            Request::LookUpName(request) => {
                introduced(identity)?;
                self.look_up(&request)?
            }
            Request::SetDeliveryToken(request) => {
                let hash = match request.token_hash.len() {
                    0 => None,
                    _ => Some(request.token_hash.as_ref().try_into().map_err(|_| {
                        ErrorCode::BadRequest.because("a token hash is 32 bytes, or empty")
                    })?),
                };
                if let Some(account) = self.accounts.get_mut(&device()?.account) {
                    account.token_hash = hash;
                }
                done
            }
            Request::DeleteAccount(_) => {
                device()?;
                done
            }
            Request::UploadPreKeys(upload) => {
                let stock = &mut self.device_mut(device()?).ok_or_else(no_such)?.stock;
                Body::PreKeyCounts(stock.upload(upload)?)
            }
            Request::CountPreKeys(_) => {
                let stock = &self.device(device()?).ok_or_else(no_such)?.stock;
                Body::PreKeyCounts(stock.counts())
            }
            Request::FetchPreKeyBundles(request) => self.fetch_bundles(identity, &request)?,
            Request::Send(request) => {
                introduced(identity)?;
                self.send(device().ok(), &request, now_ms)?
            }
            Request::SendSealed(request) => {
                introduced(identity)?;
                if device().is_ok() {
                    return Err(ErrorCode::BadRequest.because("sealed needs anonymous"));
                }
                self.send_sealed(&request, now_ms)?
            }
            Request::Receive(request) => self.receive(number, device()?, request.after_sequence)?,
            Request::Acknowledge(request) => {
                self.acknowledge(number, device()?, request.through_sequence)?
            }
            Request::Publish(_)
            | Request::Subscribe(_)
            | Request::Unsubscribe(_)
            | Request::CreateUpload(_) => return Err(unsupported()),
        })
    }

    /// An account that the asker may see: any for a device, with its token for a stranger.
    fn visible(&self, identity: Identity, account: &[u8], token: &[u8]) -> Result<&Account, Error> {
        introduced(identity)?;
        let account = AccountId::from_slice(account)
            .map_err(|error| ErrorCode::BadRequest.because(error.to_string()))?;
        self.accounts
            .get(&account)
            .filter(|account| matches!(identity, Identity::Device(_)) || account.takes_token(token))
            .ok_or_else(no_such)
    }

    fn look_up(&self, request: &LookUpName) -> Result<Body, Error> {
        if request.kind() == NameKind::Unspecified || request.name.is_empty() {
            return Err(ErrorCode::BadRequest.because("a kind and a name are needed"));
        }
        let found = self
            .names
            .get(&request.name)
            .filter(|_| request.kind() == NameKind::UserName);
        Ok(Body::NameLookedUp(NameLookedUp {
            found: found.map_or(Found::No, |_| Found::Yes).into(),
            account: found.map_or_else(
                || Bytes::from_static(&[0; 16]),
                |account| Bytes::copy_from_slice(account.as_bytes()),
            ),
        }))
    }

    fn fetch_bundles(
        &mut self,
        identity: Identity,
        request: &FetchPreKeyBundles,
    ) -> Result<Body, Error> {
        let only = match request.device {
            0 => None,
            number => Some(
                DeviceId::new(number)
                    .map_err(|error| ErrorCode::BadRequest.because(error.to_string()))?,
            ),
        };
        let account = self.visible(identity, &request.account, &request.delivery_token)?;
        let (account, device_list) = (account.list.account(), Some(account.signed.clone()));
        let mut bundles = Vec::new();
        let mut low = Vec::new();
        let devices = self
            .accounts
            .get_mut(&account)
            .map(|known| &mut known.devices);
        for (device, known) in devices.into_iter().flatten() {
            if only.is_some_and(|only| only != *device) {
                continue;
            }
            if let Some((bundle, is_low)) = known.stock.take((*device).into()) {
                bundles.push(bundle);
                if is_low {
                    low.push((*device, known.stock.counts()));
                }
            }
        }
        for (device, counts) in low {
            if let Some(session) = self.session_of(DeviceAddress { account, device }) {
                session.say(0, Body::PreKeysLow(counts));
            }
        }
        Ok(Body::PreKeyBundles(PreKeyBundles {
            device_list,
            bundles,
        }))
    }
}

fn no_such() -> Error {
    ErrorCode::NotFound.because("no such account, or a wrong token")
}

fn introduced(identity: Identity) -> Result<(), Error> {
    if identity == Identity::Unknown {
        return Err(ErrorCode::Unauthenticated.because("say who you are first"));
    }
    Ok(())
}
