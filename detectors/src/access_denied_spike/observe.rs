//! From events to facts.

use std::sync::Arc;

use super::changes;
use super::denial::{Sort, refusal};
use super::facts::{Refused, Remembered, Sighting};
use super::grave::GraveCall;
use super::message::{Messages, Refusal};
use crate::action::{Action, stable_hash};
use crate::actor::ActorKind;
use crate::detector::Claim;
use crate::event::Event;
use crate::json::str_at;
use crate::ledger::{Class, KeyRef, Ledger};
use crate::strings::{Recent, Strings, mixed};

/// Refused calls of an actor.
pub(crate) const CALLS: Class = Class(0);
/// Roles an actor was not given.
pub(crate) const ROLES: Class = Class(1);
/// Refusals of services at work for an actor, or of AWS itself.
pub(crate) const SERVICES: Class = Class(2);
/// Failed sign-ins of a user.
pub(crate) const SIGN_INS: Class = Class(3);
/// Wrong second factors of a user.
pub(crate) const SECOND_FACTORS: Class = Class(4);
/// Refused calls from an address; the key has no account.
pub(crate) const SOURCE_CALLS: Class = Class(5);
/// Failed sign-ins from an address; the key has no account.
pub(crate) const SOURCE_SIGN_INS: Class = Class(6);
/// Refusals in an account, whoever called.
pub(crate) const ACCOUNT: Class = Class(7);
/// Changes in an account on a day; those of the organisation have no account.
pub(crate) const CHANGES: Class = Class(8);
/// Roles of one name, or people of one permission set, in all accounts; the key has no account.
pub(crate) const SIBLINGS: Class = Class(9);

/// Longer user names than this, bytes, are not taken from a sign-in's form.
const LONGEST_NAME: usize = 128;

/// Of this action only refusals teach.
const PLAIN: Claim = 1;
/// A change that can lock others out.
const CHANGE: Claim = 2;
/// A sign-in, whose failures need not have an error code.
const SIGN_IN: Claim = 3;

pub(super) fn claim(action: &Action) -> Claim {
    if &*action.service == "signin" {
        SIGN_IN
    } else if changes::matters(action) {
        CHANGE
    } else {
        PLAIN
    }
}

/// Grows facts from one event. Nearly every event ends at the first comparison.
pub(crate) fn observe(event: &Event<'_>, claim: Claim, ledger: &mut Ledger<Remembered>) {
    if event.succeeded() && (claim == PLAIN || event.read_only == Some(true)) {
        return;
    }
    if let Some((sort, message)) = refusal(event, &mut ledger.memo().messages) {
        Lesson::of(event, message).teach(sort, ledger);
    } else if event.action.is("signin", "ConsoleLogin") {
        Lesson::of(event, Refusal::default()).teach_sign_in(ledger);
    } else if event.succeeded() && claim == CHANGE {
        let account = if &*event.action.service == "organizations" { "" } else { event.account };
        let (facts, strings) =
            ledger.grow(KeyRef { class: CHANGES, account, entity: &event.time.day().to_string() });
        facts.changes.learn(event, strings);
    }
}

/// What one refusal teaches.
struct Lesson<'a> {
    event: &'a Event<'a>,
    message: Refusal<'a>,
    /// The actor's id; of a sign-in without an identity the name that was typed in, if the log tells it.
    who: &'a str,
    /// The same under every key, made when the first wants it.
    refused: Option<Arc<Refused>>,
}

impl<'a> Lesson<'a> {
    fn of(event: &'a Event<'a>, message: Refusal<'a>) -> Self {
        Self { event, message, who: who(event), refused: None }
    }

    fn teach(&mut self, sort: Sort, ledger: &mut Ledger<Remembered>) {
        let (event, who, account) = (self.event, self.who, self.account());
        let of_actor = |class| KeyRef { class, account, entity: who };
        let of_source = |class| KeyRef { class, account: "", entity: event.source_ip };
        let from_address = event.vpc_endpoint.is_empty() && is_address(event.source_ip);
        let is_known = !who.is_empty();
        match sort {
            Sort::Call | Sort::Role | Sort::Service if !is_known => {}
            Sort::Call => {
                let (facts, strings) = self.count(of_actor(CALLS), event.source_ip, ledger);
                if event.on_time() {
                    facts.breadth.minute(event.time).0.insert_hash(event.action.id.0);
                }
                self.remember_action(facts, strings);
                self.count_among_siblings(ledger);
                if from_address {
                    self.count(of_source(SOURCE_CALLS), who, ledger);
                }
            }
            Sort::Role => {
                self.count(of_actor(ROLES), self.message.resource, ledger);
            }
            Sort::Service => {
                self.count(of_actor(SERVICES), event.session.invoked_by, ledger);
            }
            Sort::SignIn | Sort::SecondFactor => {
                let class = if sort == Sort::SignIn { SIGN_INS } else { SECOND_FACTORS };
                if is_known {
                    self.count(of_actor(class), event.source_ip, ledger);
                }
                if from_address {
                    let (facts, strings) = self.count(of_source(SOURCE_SIGN_INS), who, ledger);
                    self.remember(who, facts, strings);
                }
                return;
            }
        }
        let account = KeyRef { class: ACCOUNT, account: event.account, entity: "" };
        let (facts, strings) = self.count(account, who, ledger);
        if sort == Sort::Call && event.on_time() {
            let actor = self.share(who, strings);
            facts.neighbours.minute(event.time).0.insert(event.call.0, actor);
        }
    }

    /// The account the key belongs to: the actor's own, whichever account it was refused in.
    fn account(&self) -> &'a str {
        let own = &*self.event.actor.account;
        if own.is_empty() { self.event.account } else { own }
    }

    /// Counts the refusal for a key; `party` is the other side.
    fn count<'l>(
        &mut self,
        key: KeyRef<'_>,
        party: &str,
        ledger: &'l mut Ledger<Remembered>,
    ) -> (&'l mut Remembered, &'l mut Strings) {
        let event = self.event;
        let (facts, strings, lately) = ledger.grow_recalling(key);
        if key.entity == self.who {
            facts.kinds.0.insert(event.actor.kind);
        }
        // What is late is counted nowhere, and remembered all the same.
        let refused = self.refused(lately, strings);
        if event.on_time() {
            let sighting =
                Sighting { evidence: event.evidence(strings), refused, party: self.share(party, strings) };
            facts.windows.minute(event.time).insert(event.call.0, sighting);
        }
        (facts, strings)
    }

    fn refused(&mut self, lately: &mut Lately, strings: &mut Strings) -> Arc<Refused> {
        let Self { event, message, .. } = self;
        Arc::clone(self.refused.get_or_insert_with(|| lately.refused(event, message, strings)))
    }

    fn share(&self, text: &str, strings: &mut Strings) -> Arc<str> {
        if *text == *self.event.actor.id { Arc::clone(&self.event.actor.id) } else { strings.share(text) }
    }

    /// The first of each action of a day. What people click in the console is no probing, unless it is grave.
    fn remember_action(&mut self, facts: &mut Remembered, strings: &mut Strings) {
        let event = self.event;
        let grave = self.refused.as_ref().and_then(|refused| refused.grave.clone());
        if grave.is_some() || !event.session.from_console {
            self.remember(&grave.unwrap_or_else(|| Arc::clone(&event.action.label)), facts, strings);
        }
    }

    fn remember(&mut self, what: &str, facts: &mut Remembered, strings: &mut Strings) {
        let event = self.event;
        let firsts = facts.firsts.entry(event.time.day()).or_default();
        firsts.remember((what, event.time), strings, |strings| event.evidence(strings));
    }

    /// A sign-in that succeeded, which says how those that failed ended.
    fn teach_sign_in(&mut self, ledger: &mut Ledger<Remembered>) {
        let event = self.event;
        let of_user = KeyRef { class: SIGN_INS, account: self.account(), entity: self.who };
        let of_source = KeyRef { class: SOURCE_SIGN_INS, account: "", entity: event.source_ip };
        for key in
            [of_user, of_source].into_iter().filter(|key| key.class == SIGN_INS || is_address(key.entity))
        {
            let (facts, strings) = ledger.grow(key);
            let first = facts.sign_ins.entry(event.time.hour()).or_default();
            if first.wants(event.time) {
                first.insert(event.evidence(strings));
            }
        }
    }

    fn count_among_siblings(&self, ledger: &mut Ledger<Remembered>) {
        let Self { event, .. } = self;
        let family = &*event.actor.family;
        if family.is_empty() {
            return;
        }
        let (facts, _) = ledger.grow(KeyRef { class: SIBLINGS, account: "", entity: family });
        if event.on_time() {
            facts.siblings.minute(event.time).0.insert(event.call.0, Arc::clone(&event.actor.id));
        }
    }
}

fn who<'a>(event: &'a Event<'_>) -> &'a str {
    let Event { actor, action, parts, .. } = event;
    if matches!(actor.kind, ActorKind::Unknown | ActorKind::Anonymous) && &*action.service == "signin" {
        let typed = str_at(parts.additional(), &["UserName"]).filter(|name| name.len() <= LONGEST_NAME);
        return typed.unwrap_or(&actor.id);
    }
    if actor.kind == ActorKind::Unknown && &*actor.id == "unknown" {
        return "";
    }
    &actor.id
}

/// The call, or the permission it needed besides, when that is grave: `iam:PassRole` is never an event of its own.
fn grave_label<'a>(event: &'a Event<'_>, message: &Refusal<'a>) -> Option<&'a str> {
    let label = &*event.action.label;
    if GraveCall::of_action(event.action).is_some() {
        return Some(label);
    }
    (message.action != label && GraveCall::of(message.action).is_some()).then_some(message.action)
}

/// Refusals of late: who is refused once is mostly refused again.
#[derive(Debug, Default)]
pub struct Lately {
    asked: Recent<Asked>,
    messages: Messages,
}

/// A refusal, and what was asked for.
#[derive(Debug)]
struct Asked {
    permission: Box<str>,
    refused: Arc<Refused>,
}

impl Lately {
    fn refused(&mut self, event: &Event<'_>, message: &Refusal<'_>, strings: &mut Strings) -> Arc<Refused> {
        let texts = [message.action, message.policy, event.region, event.account];
        let console = event.session.from_console;
        let hash = mixed(event.action.id.0, texts);
        let is_same = |known: &Asked| {
            let Refused { policy, region, account, .. } = &*known.refused;
            [&*known.permission, &**policy, &**region, &**account] == texts
                && known.refused.action == event.action.id.0
                && known.refused.cause == message.cause
                && known.refused.console == console
        };
        if let Some(known) = self.asked.get(hash, is_same) {
            return Arc::clone(&known.refused);
        }
        let refused = Arc::new(Refused {
            action: event.action.id.0,
            service: stable_hash(event.action.service.as_bytes()),
            only_reads: event.action.level.only_reads(),
            cause: message.cause,
            console,
            grave: grave_label(event, message).map(|label| strings.share(label)),
            policy: strings.share(message.policy),
            region: strings.share(event.region),
            account: strings.share(event.account),
        });
        self.asked.keep(hash, Asked { permission: message.action.into(), refused: Arc::clone(&refused) });
        refused
    }
}

/// An address, however oddly written (`075.050.255.067`), and not a service's name or `AWS Internal`.
pub(crate) fn is_address(source: &str) -> bool {
    source.len() <= 45
        && source.contains(['.', ':'])
        && source.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
}
