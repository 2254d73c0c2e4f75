//! What judging keeps at hand from key to key: texts that were read, and what managed policies held over time. Of one
//! policy thousands of roles may ask, and each asks for every call that attached it.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::detector::Lookup;
use crate::finding::Severity;
use crate::ledger::KeyRef;
use crate::policy_change::analysis::{self, Setting};
use crate::policy_change::document::{Document, Unreadable};
use crate::policy_change::extract::RESOURCE;
use crate::policy_change::facts::Remembered;
use crate::policy_change::held::Held;
use crate::policy_change::state::{Stand, State};
use crate::time::EventTime;

/// Texts of so many bytes are kept read at most: read, they take a few times as much.
const MAX_BYTES: usize = 1 << 20;
/// So many changes of managed policies are kept at most.
const MAX_CHANGES: usize = 1 << 18;
/// The policies of so many holders are kept at most.
const MAX_HOLDERS: usize = 1 << 10;

/// A text that was read, or why it can't be.
pub(crate) type Read = Result<Rc<Document>, Unreadable>;

/// What judging keeps at hand.
#[derive(Debug, Default)]
pub struct Notes {
    texts: RefCell<Texts>,
    policies: RefCell<Policies>,
    /// By account, a space, and the holder.
    holders: RefCell<HashMap<String, Rc<Held>>>,
}

#[derive(Debug, Default)]
struct Texts {
    read: HashMap<Arc<str>, Read>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Policies {
    /// By account and ARN.
    known: HashMap<Box<str>, HashMap<Box<str>, Rc<Policy>>>,
    changes: usize,
}

impl Notes {
    /// A text as facts keep it, read.
    pub(crate) fn read(&self, text: &Arc<str>) -> Read {
        let mut texts = self.texts.borrow_mut();
        if let Some(read) = texts.read.get(text) {
            return read.clone();
        }
        if texts.bytes + text.len() > MAX_BYTES {
            *texts = Texts::default();
        }
        let read = Document::parse(text).map(Rc::new);
        texts.bytes += text.len();
        texts.read.insert(Arc::clone(text), read.clone());
        read
    }

    /// The policies of a user, role or group (`group/NAME`), as far as calls that gave it some were seen.
    pub(crate) fn held(&self, others: &dyn Lookup<Remembered>, account: &str, holder: &str) -> Rc<Held> {
        let key = format!("{account} {holder}");
        if let Some(held) = self.holders.borrow().get(&key) {
            return Rc::clone(held);
        }
        let held = Rc::new(Held::of(others, account, holder, self));
        let mut holders = self.holders.borrow_mut();
        if holders.len() >= MAX_HOLDERS {
            holders.clear();
        }
        holders.insert(key, Rc::clone(&held));
        held
    }

    /// A customer's managed policy, as far as calls that wrote it were seen.
    pub(crate) fn policy(&self, others: &dyn Lookup<Remembered>, account: &str, arn: &str) -> Rc<Policy> {
        let facts = || {
            let entity = format!("iam//policy/{arn}/");
            others.facts(KeyRef { class: RESOURCE, account, entity: &entity })
        };
        self.known(account, arn, facts)
    }

    /// What a resource held over time, by its entity, which is no ARN.
    pub(crate) fn stands(&self, others: &dyn Lookup<Remembered>, account: &str, entity: &str) -> Rc<Policy> {
        self.known(account, entity, || others.facts(KeyRef { class: RESOURCE, account, entity }))
    }

    fn known<'f>(
        &self,
        account: &str,
        name: &str,
        facts: impl FnOnce() -> Option<&'f Remembered>,
    ) -> Rc<Policy> {
        let mut policies = self.policies.borrow_mut();
        if let Some(policy) = policies.known.get(account).and_then(|of_account| of_account.get(name)) {
            return Rc::clone(policy);
        }
        let policy = Rc::new(facts().map(|facts| Policy::of(facts, self)).unwrap_or_default());
        if policies.changes + policy.stands.len() > MAX_CHANGES {
            *policies = Policies::default();
        }
        policies.changes += 1 + policy.stands.len();
        policies.known.entry(account.into()).or_default().insert(name.into(), Rc::clone(&policy));
        policy
    }
}

/// What a managed policy held, from each change of it on.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    stands: Vec<(EventTime, Option<Stand>)>,
    /// The gravest verdict on each.
    weights: OnceCell<Vec<Option<Severity>>>,
}

impl Policy {
    /// Of the facts of what holds it.
    pub(crate) fn of(facts: &Remembered, notes: &Notes) -> Self {
        let mut state = State::default();
        let stands = facts.changes().map(|(at, change)| {
            state.take(facts, change, at, notes);
            (at, state.stand.as_ref().map(|(_, stand)| stand.clone()))
        });
        Self { stands: stands.collect(), weights: OnceCell::new() }
    }

    /// Where the last change until a time stands among all.
    fn until(&self, time: EventTime) -> Option<usize> {
        self.stands.partition_point(|(at, _)| *at <= time).checked_sub(1)
    }

    /// The document at a time, if it is known.
    pub(crate) fn at(&self, time: EventTime, notes: &Notes) -> Option<Rc<Document>> {
        let (_, stand) = &self.stands[self.until(time)?];
        stand.as_ref()?.document(notes)
    }

    /// The documents before and after each change at a time, as far as they are known.
    pub(crate) fn changes_at<'p>(
        &'p self,
        time: EventTime,
        notes: &'p Notes,
    ) -> impl Iterator<Item = (Option<Rc<Document>>, Option<Rc<Document>>)> + 'p {
        let first = self.stands.partition_point(|(at, _)| *at < time);
        let end = self.stands.partition_point(|(at, _)| *at <= time);
        let document = move |place: usize| self.stands[place].1.as_ref()?.document(notes);
        (first..end).map(move |place| (place.checked_sub(1).and_then(document), document(place)))
    }

    /// The gravest verdict on the document at a time, if it is known. The setting is the same whenever asked.
    pub(crate) fn weight_at(
        &self,
        time: EventTime,
        setting: &Setting<'_>,
        notes: &Notes,
    ) -> Option<Severity> {
        let last = self.until(time)?;
        self.weights.get_or_init(|| self.weights(setting, notes))[last]
    }

    fn weights(&self, setting: &Setting<'_>, notes: &Notes) -> Vec<Option<Severity>> {
        let mut by_text: HashMap<&str, Option<Severity>> = HashMap::new();
        let judged =
            |stand: &Stand| Some(analysis::judge(&*stand.document(notes)?, setting).first()?.severity);
        let mut weights = Vec::with_capacity(self.stands.len());
        for (_, stand) in &self.stands {
            weights.push(stand.as_ref().and_then(|stand| match stand {
                Stand::Text(text) => *by_text.entry(text).or_insert_with(|| judged(stand)),
                Stand::Made(_) => judged(stand),
            }));
        }
        weights
    }
}
