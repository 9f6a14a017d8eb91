//! Sends from templates. Message ids are random, as the clients' are: rising ones would be kinder to the
//! relay's indexes than the world is.

use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;
use hushpost_wire::server_frame::Body;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::accounts::said;
use super::template::{Template, ticket_of};
use super::websocket;
use crate::error::LoadError;
use crate::payload::Payload;
use crate::target::Sends;

/// A sender.
#[derive(Debug)]
pub struct RelaySender {
    templates: Arc<[Template]>,
    all: Range<usize>,
    to_all: Arc<Template>,
    random: SmallRng,
}

impl RelaySender {
    pub(super) fn new(
        templates: Arc<[Template]>,
        all: Range<usize>,
        to_all: Arc<Template>,
    ) -> Self {
        Self {
            templates,
            all,
            to_all,
            random: SmallRng::from_rng(&mut rand::rng()),
        }
    }
}

impl Sends for RelaySender {
    fn send(&mut self, output: &mut Vec<u8>, recipient: usize, payload: &Payload, ticket: u64) {
        if let Some(template) = self.templates.get(recipient) {
            template.append(output, ticket, self.random.random(), payload);
        }
    }

    fn send_to_all(
        &mut self,
        output: &mut Vec<u8>,
        recipients: Range<usize>,
        payload: &Payload,
        ticket: u64,
    ) -> Result<(), LoadError> {
        if recipients != self.all {
            return Err(LoadError::Unexpected("a fan-out to others than prepared"));
        }
        self.to_all
            .append(output, ticket, self.random.random(), payload);
        Ok(())
    }

    fn take(
        &mut self,
        input: &mut BytesMut,
        output: &mut Vec<u8>,
        answered: &mut Vec<u64>,
    ) -> Result<(), LoadError> {
        while let Some(frame) = websocket::take(input, output)? {
            let id = frame.id;
            match said(frame)? {
                Body::Sent(sent) if sent.problems.is_empty() => answered.push(ticket_of(id)),
                Body::Sent(_) => {
                    return Err(LoadError::Refused(
                        "some recipients did not get it".to_owned(),
                    ));
                }
                _ => return Err(LoadError::Unexpected("an answer of another kind")),
            }
        }
        Ok(())
    }
}
