//! The rules of a test: what is to become of which frame.
//!
//! A frame is shown first to the frame rules, then to those of its kind, in the order in which they were
//! made; the first verdict other than [`Verdict::Pass`] counts.

use hushpost_wire::client_frame::Request;
use hushpost_wire::server_frame::Body;
use hushpost_wire::{AccountId, ClientFrame, Delivery, ServerFrame, SignedDeviceList, Welcome};

use super::record::{Fate, Who};
use super::shared::Shared;

/// What is to become of a frame.
#[derive(Clone)]
pub enum Verdict {
    /// Nothing to say about it: the next rule is asked, and in the end it goes on.
    Pass,
    /// It goes on, as the rule changed it.
    Rewrite,
    /// It is lost. The connection goes on.
    Drop,
    /// It waits for [`release`](crate::EvilRelay::release). What waits for a connection ends with it.
    Hold,
    /// It goes on, and this many times more.
    Repeat(usize),
    /// It goes no further; this goes to the client in its place: as the answer, where the frame is a request or
    /// an answer, as a push where it is a delivery or a push.
    Instead(Box<Body>),
    /// It is lost, and the connection is cut. What went before still arrives.
    Cut,
    /// It goes on, then the connection is cut.
    CutAfter,
}

impl Verdict {
    /// [`Instead`](Self::Instead), of a body.
    #[must_use]
    pub fn instead(body: Body) -> Self {
        Self::Instead(Box::new(body))
    }

    pub(super) const fn goes_on(&self) -> bool {
        matches!(self, Self::Pass | Self::Rewrite)
    }

    pub(super) const fn fate(&self) -> Fate {
        match self {
            Self::Pass => Fate::Passed,
            Self::Rewrite => Fate::Rewritten,
            Self::Drop => Fate::Dropped,
            Self::Hold => Fate::Held,
            Self::Repeat(times) => Fate::Repeated(*times),
            Self::Instead(_) => Fate::Replaced,
            Self::Cut => Fate::Cut,
            Self::CutAfter => Fate::CutAfter,
        }
    }

    /// This verdict, unless the next stage has something to say.
    pub(super) fn or_next(self, next: impl FnOnce() -> Self) -> Self {
        if !self.goes_on() {
            return self;
        }
        match next() {
            Self::Pass => self,
            other => other,
        }
    }
}

impl core::fmt::Debug for Verdict {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.fate().fmt(f)
    }
}

/// A whole frame, on its way one way or the other.
pub enum Frame<'a> {
    /// A request.
    FromClient(&'a mut ClientFrame),
    /// An answer or a push.
    FromRelay(&'a mut ServerFrame),
}

impl core::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::FromClient(frame) => write!(f, "FromClient({})", frame.id),
            Self::FromRelay(frame) => write!(f, "FromRelay({})", frame.id),
        }
    }
}

/// Names a rule, to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

type FrameHook = dyn FnMut(Frame<'_>, &Who) -> Verdict + Send;
type RequestHook = dyn FnMut(&mut Request, &Who) -> Verdict + Send;
type AnswerHook = dyn FnMut(&Request, &mut Body, &Who) -> Verdict + Send;
type DeliveryHook = dyn FnMut(&mut Delivery, &Who) -> Verdict + Send;
type PushHook = dyn FnMut(&mut Body, &Who) -> Verdict + Send;

/// Deliveries, each with the real relay's number for it.
pub(super) type Numbered = Vec<(u64, Delivery)>;
type Arrange = dyn FnOnce(&mut Numbered) + Send;

struct Rule<H: ?Sized> {
    id: RuleId,
    /// `None`: for ever.
    left: Option<usize>,
    hook: Box<H>,
}

/// Collects some deliveries of one account and passes them on in another order.
struct Gathering {
    account: AccountId,
    count: usize,
    connection: u64,
    gathered: Numbered,
    arrange: Box<Arrange>,
}

/// All rules.
#[derive(Default)]
pub(super) struct Script {
    made: u64,
    frames: Vec<Rule<FrameHook>>,
    requests: Vec<Rule<RequestHook>>,
    answers: Vec<Rule<AnswerHook>>,
    deliveries: Vec<Rule<DeliveryHook>>,
    pushes: Vec<Rule<PushHook>>,
    gatherings: Vec<Gathering>,
}

/// What gathering did with a delivery.
pub(super) enum Gathered {
    /// Nobody gathers it.
    Not(Delivery),
    /// It waits for others.
    Waits,
    /// These go on now, in this order.
    Complete(Numbered),
}

impl Script {
    pub(super) fn frame(&mut self, mut frame: Frame<'_>, who: &Who) -> Verdict {
        judge(&mut self.frames, |hook| match &mut frame {
            Frame::FromClient(frame) => hook(Frame::FromClient(frame), who),
            Frame::FromRelay(frame) => hook(Frame::FromRelay(frame), who),
        })
    }

    pub(super) fn request(&mut self, request: &mut Request, who: &Who) -> Verdict {
        judge(&mut self.requests, |hook| hook(request, who))
    }

    pub(super) fn answer(&mut self, asked: &Request, body: &mut Body, who: &Who) -> Verdict {
        judge(&mut self.answers, |hook| hook(asked, body, who))
    }

    pub(super) fn delivery(&mut self, delivery: &mut Delivery, who: &Who) -> Verdict {
        judge(&mut self.deliveries, |hook| hook(delivery, who))
    }

    pub(super) fn push(&mut self, body: &mut Body, who: &Who) -> Verdict {
        judge(&mut self.pushes, |hook| hook(body, who))
    }

    pub(super) fn gather(&mut self, sequence: u64, delivery: Delivery, who: &Who) -> Gathered {
        let wanted = |gathering: &Gathering| {
            who.is(gathering.account)
                && (gathering.gathered.is_empty() || gathering.connection == who.connection)
        };
        let Some(place) = self.gatherings.iter().position(wanted) else {
            return Gathered::Not(delivery);
        };
        let Some(gathering) = self.gatherings.get_mut(place) else {
            return Gathered::Not(delivery);
        };
        gathering.connection = who.connection;
        gathering.gathered.push((sequence, delivery));
        if gathering.gathered.len() < gathering.count {
            return Gathered::Waits;
        }
        let mut complete = self.gatherings.remove(place);
        (complete.arrange)(&mut complete.gathered);
        Gathered::Complete(complete.gathered)
    }

    /// What was gathered for a connection ends with it; the rule waits for the next.
    pub(super) fn connection_ended(&mut self, connection: u64) {
        for gathering in &mut self.gatherings {
            if gathering.connection == connection {
                gathering.gathered.clear();
            }
        }
    }

    pub(super) fn gather_deliveries(
        &mut self,
        account: AccountId,
        count: usize,
        arrange: Box<Arrange>,
    ) {
        self.gatherings.push(Gathering {
            account,
            count,
            connection: 0,
            gathered: Vec::new(),
            arrange,
        });
    }

    pub(super) fn remove(&mut self, id: RuleId) {
        self.frames.retain(|rule| rule.id != id);
        self.requests.retain(|rule| rule.id != id);
        self.answers.retain(|rule| rule.id != id);
        self.deliveries.retain(|rule| rule.id != id);
        self.pushes.retain(|rule| rule.id != id);
    }

    pub(super) fn clear(&mut self) {
        *self = Self {
            made: self.made,
            ..Self::default()
        };
    }
}

fn judge<H: ?Sized>(rules: &mut Vec<Rule<H>>, mut ask: impl FnMut(&mut H) -> Verdict) -> Verdict {
    let mut spent = None;
    let mut decided = Verdict::Pass;
    for rule in rules.iter_mut() {
        let verdict = ask(&mut rule.hook);
        if matches!(verdict, Verdict::Pass) {
            continue;
        }
        if let Some(left) = &mut rule.left {
            *left = left.saturating_sub(1);
            spent = (*left == 0).then_some(rule.id);
        }
        decided = verdict;
        break;
    }
    if let Some(id) = spent {
        rules.retain(|rule| rule.id != id);
    }
    decided
}

/// Makes rules that hold for ever or so many times; every verdict other than [`Verdict::Pass`] counts.
#[derive(Debug)]
pub struct Rules<'a> {
    shared: &'a Shared,
    left: Option<usize>,
}

impl<'a> Rules<'a> {
    pub(super) const fn new(shared: &'a Shared, left: Option<usize>) -> Self {
        Self { shared, left }
    }

    fn make<H: ?Sized>(
        &self,
        hook: Box<H>,
        rules: impl FnOnce(&mut Script) -> &mut Vec<Rule<H>>,
    ) -> RuleId {
        let mut state = self.shared.state();
        state.script.made = state.script.made.saturating_add(1);
        let id = RuleId(state.script.made);
        rules(&mut state.script).push(Rule {
            id,
            left: self.left,
            hook,
        });
        id
    }

    /// A rule for whole frames, both ways; deliveries come as the relay batched them.
    pub fn on_frame(
        &self,
        hook: impl FnMut(Frame<'_>, &Who) -> Verdict + Send + 'static,
    ) -> RuleId {
        self.make::<FrameHook>(Box::new(hook), |script| &mut script.frames)
    }

    /// A rule for what clients ask.
    pub fn on_request(
        &self,
        hook: impl FnMut(&mut Request, &Who) -> Verdict + Send + 'static,
    ) -> RuleId {
        self.make::<RequestHook>(Box::new(hook), |script| &mut script.requests)
    }

    /// A rule for what the relay answers; the first argument is what was asked.
    pub fn on_answer(
        &self,
        hook: impl FnMut(&Request, &mut Body, &Who) -> Verdict + Send + 'static,
    ) -> RuleId {
        self.make::<AnswerHook>(Box::new(hook), |script| &mut script.answers)
    }

    /// A rule for messages on their way to a device, one by one.
    pub fn on_delivery(
        &self,
        hook: impl FnMut(&mut Delivery, &Who) -> Verdict + Send + 'static,
    ) -> RuleId {
        self.make::<DeliveryHook>(Box::new(hook), |script| &mut script.deliveries)
    }

    /// A rule for pushes other than deliveries.
    pub fn on_push(&self, hook: impl FnMut(&mut Body, &Who) -> Verdict + Send + 'static) -> RuleId {
        self.make::<PushHook>(Box::new(hook), |script| &mut script.pushes)
    }

    /// Rewrites the first frame of connections: another clock, another epoch, another name.
    pub fn on_welcome(&self, mut rewrite: impl FnMut(&mut Welcome) + Send + 'static) -> RuleId {
        self.on_push(move |body, _| match body {
            Body::Welcome(welcome) => {
                rewrite(welcome);
                Verdict::Rewrite
            }
            _ => Verdict::Pass,
        })
    }

    /// Serves this list for an account, whatever the relay holds: an old one, a forged one.
    pub fn serve_device_list(&self, account: AccountId, list: SignedDeviceList) -> RuleId {
        self.on_answer(move |asked, body, _| {
            let about = match asked {
                Request::GetDeviceList(asked) => &asked.account,
                Request::FetchPreKeyBundles(asked) => &asked.account,
                _ => return Verdict::Pass,
            };
            if about.as_ref() != account.as_bytes().as_slice() {
                return Verdict::Pass;
            }
            match body {
                Body::DeviceListFound(found) => found.device_list = Some(list.clone()),
                Body::PreKeyBundles(bundles) => bundles.device_list = Some(list.clone()),
                _ => return Verdict::Pass,
            }
            Verdict::Rewrite
        })
    }
}
