//! From events to facts.

use super::changes;
use super::denial::{Sort, refusal};
use super::facts::{Minute, Remembered};
use super::grave::GraveCall;
use super::message::Refusal;
use crate::action::stable_hash;
use crate::actor::{ActorKind, role_family};
use crate::event::Event;
use crate::finding::Evidence;
use crate::json::str_at;
use crate::ledger::{Class, KeyRef, Ledger, Strings};

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

/// Grows facts from one event. Nearly every event ends at the first comparison.
pub(crate) fn observe(event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    if event.succeeded() && (event.read_only == Some(true) || !may_matter(event)) {
        return;
    }
    if let Some((sort, message)) = refusal(event) {
        Lesson { event, message }.teach(sort, ledger);
    } else if event.action.is("signin", "ConsoleLogin") {
        Lesson { event, message: Refusal::default() }.teach_sign_in(ledger);
    } else if event.succeeded() && changes::matters(event.action) {
        let account = if &*event.action.service == "organizations" { "" } else { event.account };
        let (facts, strings) =
            ledger.grow(KeyRef { class: CHANGES, account, entity: &event.time.day().to_string() });
        facts.changes.learn(event, strings);
    }
}

/// Successful events that may teach: changes, and sign-ins, whose failures need not have an error code.
fn may_matter(event: &Event<'_>) -> bool {
    &*event.action.service == "signin" || changes::matters(event.action)
}

/// What one refusal teaches.
struct Lesson<'a> {
    event: &'a Event<'a>,
    message: Refusal<'a>,
}

impl Lesson<'_> {
    fn teach(&self, sort: Sort, ledger: &mut Ledger<Remembered>) {
        let Self { event, .. } = self;
        let of_actor = |class| KeyRef { class, account: self.account(), entity: self.who() };
        let of_source = |class| KeyRef { class, account: "", entity: event.source_ip };
        let from_address = is_address(event.source_ip) && event.vpc_endpoint.is_empty();
        let is_known = !self.who().is_empty();
        match sort {
            Sort::Call | Sort::Role | Sort::Service if !is_known => {}
            Sort::Call => {
                let facts = self.count(of_actor(CALLS), event.source_ip, ledger);
                self.remember_action(facts);
                self.count_among_siblings(ledger);
                if from_address {
                    self.count(of_source(SOURCE_CALLS), self.who(), ledger);
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
                    let (facts, strings) = self.count(of_source(SOURCE_SIGN_INS), self.who(), ledger);
                    self.remember(self.who(), facts, strings);
                }
                return;
            }
        }
        let account = KeyRef { class: ACCOUNT, account: event.account, entity: "" };
        let (facts, strings) = self.count(account, self.who(), ledger);
        if sort == Sort::Call
            && event.on_time()
            && let Some(calls) = facts.neighbours.minute(event.time).0.grow(self.who(), strings)
        {
            calls.insert(event.call);
        }
    }

    /// The account the key belongs to: the actor's own, whichever account it was refused in.
    fn account(&self) -> &str {
        let own = &*self.event.actor.account;
        if own.is_empty() { self.event.account } else { own }
    }

    /// The actor's id; of a sign-in without an identity the name that was typed in, if the log tells it.
    fn who(&self) -> &str {
        let Event { actor, action, parts, .. } = self.event;
        if matches!(actor.kind, ActorKind::Unknown | ActorKind::Anonymous) && &*action.service == "signin" {
            let typed = str_at(parts.additional(), &["UserName"]).filter(|name| name.len() <= LONGEST_NAME);
            return typed.unwrap_or(&actor.id);
        }
        if actor.kind == ActorKind::Unknown && &*actor.id == "unknown" {
            return "";
        }
        &actor.id
    }

    /// Counts the refusal for a key; `party` is the other side.
    fn count<'l>(
        &self,
        key: KeyRef<'_>,
        party: &str,
        ledger: &'l mut Ledger<Remembered>,
    ) -> (&'l mut Remembered, &'l mut Strings) {
        let (facts, strings) = ledger.grow(key);
        if key.entity == self.who() {
            facts.kinds.0.insert(self.event.actor.kind);
        }
        if self.event.on_time() {
            self.count_in(facts.windows.minute(self.event.time), party, strings);
        }
        (facts, strings)
    }

    fn count_in(&self, minute: &mut Minute, party: &str, strings: &mut Strings) {
        let Self { event, message } = self;
        let action = event.action;
        minute.calls.insert(event.call);
        minute.causes.entry(message.cause).or_default().insert(event.call);
        let only_reads = action.level.only_reads();
        if only_reads { &mut minute.reads } else { &mut minute.writes }.insert_hash(action.id.0);
        minute.services.insert_hash(stable_hash(action.service.as_bytes()));
        if event.session.from_console {
            minute.console.insert(event.call);
        }
        if !party.is_empty() {
            minute.parties.insert_hash(stable_hash(party.as_bytes()));
            if let Some(calls) = minute.named.grow(party, strings) {
                calls.insert(event.call);
            }
        }
        if let Some(grave) = self.grave_label() {
            minute.grave.grow(grave, strings);
        }
        if !message.policy.is_empty() {
            minute.policies.grow(message.policy, strings);
        }
        minute.regions.grow(event.region, strings);
        minute.accounts.grow(event.account, strings);
        if minute.sample.wants(event.time) {
            minute.sample.insert(Evidence::of(event, strings));
        }
    }

    /// The call, or the permission it needed besides, when that is grave: `iam:PassRole` is never an event of its own.
    fn grave_label(&self) -> Option<&str> {
        [&*self.event.action.label, self.message.action]
            .into_iter()
            .find(|label| GraveCall::of(label).is_some())
    }

    /// The first of each action of a day. What people click in the console is no probing, unless it is grave.
    fn remember_action(&self, (facts, strings): (&mut Remembered, &mut Strings)) {
        let grave = self.grave_label();
        if grave.is_some() || !self.event.session.from_console {
            self.remember(grave.unwrap_or(&self.event.action.label), facts, strings);
        }
    }

    fn remember(&self, what: &str, facts: &mut Remembered, strings: &mut Strings) {
        let Self { event, .. } = self;
        let Some(first) = facts.firsts.entry(event.time.day()).or_default().grow(what, strings) else {
            return;
        };
        if first.wants(event.time) {
            first.insert(Evidence::of(event, strings));
        }
    }

    /// A sign-in that succeeded, which says how those that failed ended.
    fn teach_sign_in(&self, ledger: &mut Ledger<Remembered>) {
        let Self { event, .. } = self;
        let of_user = KeyRef { class: SIGN_INS, account: self.account(), entity: self.who() };
        let of_source = KeyRef { class: SOURCE_SIGN_INS, account: "", entity: event.source_ip };
        for key in
            [of_user, of_source].into_iter().filter(|key| key.class == SIGN_INS || is_address(key.entity))
        {
            let (facts, strings) = ledger.grow(key);
            let first = facts.sign_ins.entry(event.time.hour()).or_default();
            if first.wants(event.time) {
                first.insert(Evidence::of(event, strings));
            }
        }
    }

    fn count_among_siblings(&self, ledger: &mut Ledger<Remembered>) {
        let Self { event, .. } = self;
        let Some(family) = role_family(&event.actor.id) else { return };
        let (facts, strings) = ledger.grow(KeyRef { class: SIBLINGS, account: "", entity: family });
        if event.on_time()
            && let Some(calls) = facts.siblings.minute(event.time).0.grow(&event.actor.id, strings)
        {
            calls.insert(event.call);
        }
    }
}

/// An address, however oddly written (`075.050.255.067`), and not a service's name or `AWS Internal`.
pub(crate) fn is_address(source: &str) -> bool {
    source.len() <= 45
        && source.contains(['.', ':'])
        && source.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
}
