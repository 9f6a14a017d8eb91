//! What a test tells the evil relay to do, and asks it about.

use bytes::Bytes;
use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, Delivery, Send, SignedDeviceList, Welcome};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::EvilRelay;
use super::record::{Fate, Record, What, Who};
use super::script::{Frame, RuleId, Rules, Verdict};
use super::traffic::{Held, Out, Target};
use crate::{EvilError, PATIENCE};

/// Rules.
impl EvilRelay {
    /// Makes rules that hold until they are removed.
    #[must_use]
    pub fn always(&self) -> Rules<'_> {
        Rules::new(&self.shared, None)
    }

    /// Makes rules that are over after one verdict other than [`Verdict::Pass`].
    #[must_use]
    pub fn once(&self) -> Rules<'_> {
        self.times(1)
    }

    /// Makes rules that are over after so many verdicts other than [`Verdict::Pass`].
    #[must_use]
    pub fn times(&self, times: usize) -> Rules<'_> {
        Rules::new(&self.shared, Some(times.max(1)))
    }

    /// [`Rules::on_frame`], standing.
    pub fn on_frame(
        &self,
        hook: impl FnMut(Frame<'_>, &Who) -> Verdict + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_frame(hook)
    }

    /// [`Rules::on_request`], standing.
    pub fn on_request(
        &self,
        hook: impl FnMut(&mut Request, &Who) -> Verdict + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_request(hook)
    }

    /// [`Rules::on_answer`], standing.
    pub fn on_answer(
        &self,
        hook: impl FnMut(&Request, &mut Body, &Who) -> Verdict + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_answer(hook)
    }

    /// [`Rules::on_delivery`], standing.
    pub fn on_delivery(
        &self,
        hook: impl FnMut(&mut Delivery, &Who) -> Verdict + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_delivery(hook)
    }

    /// [`Rules::on_push`], standing.
    pub fn on_push(
        &self,
        hook: impl FnMut(&mut Body, &Who) -> Verdict + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_push(hook)
    }

    /// [`Rules::on_welcome`], standing.
    pub fn on_welcome(
        &self,
        rewrite: impl FnMut(&mut Welcome) + core::marker::Send + 'static,
    ) -> RuleId {
        self.always().on_welcome(rewrite)
    }

    /// [`Rules::serve_device_list`], standing.
    pub fn serve_device_list(&self, account: AccountId, list: SignedDeviceList) -> RuleId {
        self.always().serve_device_list(account, list)
    }

    /// Keeps the next `count` messages to an account until all have come, then passes them on as `arrange`
    /// leaves them: in another order, some twice, some not at all. Each stands with the real relay's number.
    pub fn rearrange_deliveries(
        &self,
        account: AccountId,
        count: usize,
        arrange: impl FnOnce(&mut Vec<(u64, Delivery)>) + core::marker::Send + 'static,
    ) {
        let mut state = self.shared.state();
        state
            .script
            .gather_deliveries(account, count.max(1), Box::new(arrange));
    }

    /// Swaps the next two messages to an account.
    pub fn swap_next_deliveries(&self, account: AccountId) {
        self.rearrange_deliveries(account, 2, |two| two.reverse());
    }

    /// Cuts the connection on which the `n`-th frame from now on passes, counted over all connections and
    /// both ways, before that frame (`n` from 1).
    pub fn cut_before(&self, n: usize) {
        self.cut_at(n, Verdict::Cut);
    }

    /// The same, after that frame.
    pub fn cut_after(&self, n: usize) {
        self.cut_at(n, Verdict::CutAfter);
    }

    fn cut_at(&self, n: usize, verdict: Verdict) {
        let mut left = n;
        self.once().on_frame(move |_, _| {
            left = left.saturating_sub(1);
            if left == 0 {
                verdict.clone()
            } else {
                Verdict::Pass
            }
        });
    }

    /// Takes a rule back.
    pub fn remove(&self, rule: RuleId) {
        self.shared.state().script.remove(rule);
    }

    /// Takes all rules back: from here on honest.
    pub fn repent(&self) {
        self.shared.state().script.clear();
    }
}

/// What happens now.
impl EvilRelay {
    /// Delivers a message to who is connected, whether the real relay ever saw it.
    ///
    /// # Errors
    /// [`EvilError::NotConnected`].
    pub fn deliver(&self, target: impl Into<Target>, delivery: &Delivery) -> Result<(), EvilError> {
        let mut state = self.shared.state();
        for who in connected(&state, target.into())? {
            state.inject(who, delivery.clone());
        }
        Ok(())
    }

    /// Pushes anything to who is connected.
    ///
    /// # Errors
    /// [`EvilError::NotConnected`].
    pub fn push(&self, target: impl Into<Target>, body: &Body) -> Result<(), EvilError> {
        let mut state = self.shared.state();
        for who in connected(&state, target.into())? {
            state.note(who, What::Push(body.clone()), Fate::Injected);
            state.say(who.connection, 0, body.clone());
        }
        Ok(())
    }

    /// Sends bytes to who is connected, as one binary message.
    ///
    /// # Errors
    /// [`EvilError::NotConnected`].
    pub fn send_raw(&self, target: impl Into<Target>, bytes: Bytes) -> Result<(), EvilError> {
        self.send_message(target, &Message::Binary(bytes))
    }

    /// Sends any WebSocket message to who is connected.
    ///
    /// # Errors
    /// [`EvilError::NotConnected`].
    pub fn send_message(
        &self,
        target: impl Into<Target>,
        message: &Message,
    ) -> Result<(), EvilError> {
        let state = self.shared.state();
        for who in connected(&state, target.into())? {
            state.client_end(who.connection, Out::Message(message.clone()));
        }
        Ok(())
    }

    /// Asks the real relay in the name of who is connected; the answer stands in the record alone.
    ///
    /// # Errors
    /// [`EvilError::NotConnected`].
    pub fn ask_as(&self, target: impl Into<Target>, request: &Request) -> Result<(), EvilError> {
        let mut state = self.shared.state();
        for who in connected(&state, target.into())? {
            state.ask_own(who.connection, request.clone());
        }
        Ok(())
    }

    /// Drops all connections, and what is queued for them.
    pub fn cut_all(&self) {
        for link in self.shared.state().links.values() {
            link.cut.notify_one();
        }
    }

    /// Drops the connections of an account or a device.
    pub fn cut(&self, target: impl Into<Target>) {
        let state = self.shared.state();
        for who in state.connections(target.into()) {
            if let Some(link) = state.links.get(&who.connection) {
                link.cut.notify_one();
            }
        }
    }

    /// Drops all connections and lets nobody in.
    pub fn go_down(&self) {
        self.shared.state().down = true;
        self.cut_all();
    }

    /// Lets clients in again.
    pub fn come_up(&self) {
        self.shared.state().down = false;
    }

    /// Drops the next so many connections before the handshake.
    pub fn refuse_next(&self, connections: usize) {
        self.shared.state().refuse = connections;
    }

    /// From now on everything waits, both ways, that a rule does not stop: a network that hangs.
    pub fn hold(&self) {
        self.shared.state().holding = true;
    }

    /// Lets go of everything that waits, in the order in which it came, and holds no more.
    pub fn release(&self) {
        self.release_arranged(|_| {});
    }

    /// The same, as `arrange` leaves it: in another order, some twice, some not at all.
    pub fn release_arranged(&self, arrange: impl FnOnce(&mut Vec<Held>)) {
        let mut state = self.shared.state();
        state.holding = false;
        let mut held = core::mem::take(&mut state.held);
        arrange(&mut held);
        for held in held {
            state.release(held);
        }
    }
}

/// What happened.
impl EvilRelay {
    /// How many frames wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.shared.state().held.len()
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state().links.len()
    }

    /// A copy of the record.
    #[must_use]
    pub fn record(&self) -> Record {
        self.shared.state().record.clone()
    }

    /// Begins a new record.
    pub fn forget(&self) {
        self.shared.state().record.clear();
    }

    /// The messages that clients sent, as they sent them.
    #[must_use]
    pub fn recorded_sends(&self) -> Vec<(Who, Send)> {
        let state = self.shared.state();
        let sends = state.record.sends();
        sends.map(|(who, send)| (who, send.clone())).collect()
    }

    /// The messages that the real relay delivered, as it did.
    #[must_use]
    pub fn recorded_deliveries(&self) -> Vec<(Who, Delivery)> {
        let state = self.shared.state();
        let deliveries = state.record.deliveries();
        deliveries
            .map(|(who, delivery)| (who, delivery.clone()))
            .collect()
    }

    /// Waits until the record is as wanted.
    ///
    /// # Errors
    /// [`EvilError::Silent`] with `what` and what happened last, if it never is.
    pub async fn until(
        &self,
        what: &str,
        mut wanted: impl FnMut(&Record) -> bool,
    ) -> Result<(), EvilError> {
        let mut changes = self.shared.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if wanted(&self.shared.state().record) {
                    return;
                }
                // The sender lives as long as this relay.
                let _ = changes.changed().await;
            }
        };
        let outcome = timeout(PATIENCE, waiting).await;
        outcome.map_err(|_| EvilError::Silent(format!("{what}; {}", self.last_words())))
    }

    fn last_words(&self) -> String {
        let state = self.shared.state();
        let events = state.record.events();
        let last = events.get(events.len().saturating_sub(12)..);
        let words: Vec<String> = last
            .unwrap_or_default()
            .iter()
            .map(|event| {
                format!(
                    "{}: {:?} {:?}",
                    event.who.connection, event.what, event.fate
                )
            })
            .collect();
        format!("last of {} events: {}", events.len(), words.join(", "))
    }
}

fn connected(state: &super::traffic::State, target: Target) -> Result<Vec<Who>, EvilError> {
    let found = state.connections(target);
    if found.is_empty() {
        return Err(EvilError::NotConnected(target.to_string()));
    }
    Ok(found)
}
