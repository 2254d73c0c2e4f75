//! What is known of a resource at a time, change by change.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::policy_change::analysis::Kind;
use crate::policy_change::document::{Document, Statement};
use crate::policy_change::documents::Digest;
use crate::policy_change::facts::{Change, Remembered, What};
use crate::policy_change::notes::Notes;
use crate::time::{EventTime, HOUR};

/// A document, read when it is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Stand {
    /// As a call set it.
    Text(Arc<str>),
    /// As grants made it.
    Made(Rc<Document>),
}

/// Nothing is allowed.
impl Default for Stand {
    fn default() -> Self {
        Self::Made(Rc::default())
    }
}

impl Stand {
    /// The document, if it can be read.
    pub(crate) fn document(&self, notes: &Notes) -> Option<Rc<Document>> {
        match self {
            Self::Text(text) => notes.read(text).ok(),
            Self::Made(document) => Some(Rc::clone(document)),
        }
    }
}

/// What is known of the resource just before a change.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Its document, if that is known.
    pub(crate) stand: Option<(Kind, Stand)>,
    pub(crate) digest: Option<Digest>,
    pub(crate) versions: BTreeMap<Arc<str>, (Kind, Digest)>,
    pub(crate) attached: bool,
    /// Failed calls of the last hour, so that a retry is told once.
    failed: Vec<(What, Arc<str>, EventTime)>,
}

impl State {
    /// The document, if it is known and can be read.
    pub(crate) fn document(&self, notes: &Notes) -> Option<(Kind, Rc<Document>)> {
        let (kind, stand) = self.stand.as_ref()?;
        Some((*kind, stand.document(notes)?))
    }

    /// Whether a failed call is the same as one before.
    pub(crate) fn is_retry(&self, change: &Change, time: EventTime) -> bool {
        !change.succeeded()
            && self.failed.iter().any(|(what, actor, at)| {
                *what == change.what && *actor == change.actor && time.0 - at.0 <= HOUR
            })
    }

    /// What the change leaves.
    pub(crate) fn take(&mut self, facts: &Remembered, change: &Change, time: EventTime, notes: &Notes) {
        if !change.succeeded() {
            self.failed.retain(|(_, _, at)| time.0 - at.0 <= HOUR);
            self.failed.push((change.what.clone(), Arc::clone(&change.actor), time));
            return;
        }
        match &change.what {
            What::Set(kind, digest) => {
                // The first version of a policy.
                self.versions.insert("v1".into(), (*kind, *digest));
                self.set(facts, *kind, *digest);
            }
            What::Version(kind, digest, version) => {
                if !version.id.is_empty() {
                    self.versions.insert(Arc::clone(&version.id), (*kind, *digest));
                }
                if version.default {
                    self.set(facts, *kind, *digest);
                }
            }
            What::Default(version) => match self.versions.get(version).copied() {
                Some((kind, digest)) => self.set(facts, kind, digest),
                None => (self.stand, self.digest) = (None, None),
            },
            What::Gone => {
                let kind = self.document(notes).map_or(Kind::Resource, |(kind, _)| kind);
                (self.stand, self.digest) = (Some((kind, Stand::default())), None);
            }
            What::Ended => *self = Self::default(),
            What::Grant(digest) => {
                if let Some(grant) = facts.text(*digest).and_then(|text| notes.read(text).ok()) {
                    self.remake(notes, Some(Kind::Resource), |document| {
                        let is_new = |statement: &&Statement| !document.statements.contains(statement);
                        let new: Vec<_> = grant.statements.iter().filter(is_new).cloned().collect();
                        document.statements.extend(new);
                    });
                }
            }
            What::Revoke(digest) => {
                if let Some(taken) = facts.text(*digest).and_then(|text| notes.read(text).ok()) {
                    let gone: Vec<_> = taken.statements.iter().flat_map(|s| s.principals.values()).collect();
                    self.remake(notes, None, |document| {
                        document
                            .statements
                            .retain(|s| !s.principals.values().iter().all(|p| gone.contains(&p)));
                    });
                }
            }
            What::RevokeStatement(sid) => self.remake(notes, None, |document| {
                document.statements.retain(|s| sid.as_ref().is_some_and(|sid| **sid != *s.sid));
            }),
            What::Attach(_) => self.attached = true,
            What::Detach(_) => self.attached = false,
            What::Omitted => (self.stand, self.digest) = (None, None),
            What::Switch(_) | What::Open(_) | What::Unseen => {}
        }
    }

    fn set(&mut self, facts: &Remembered, kind: Kind, digest: Digest) {
        self.stand = facts.text(digest).map(|text| (kind, Stand::Text(Arc::clone(text))));
        self.digest = Some(digest);
    }

    /// Changes the document, where there is one or it may be made.
    fn remake(&mut self, notes: &Notes, made: Option<Kind>, change: impl FnOnce(&mut Document)) {
        self.digest = None;
        let before = match self.stand.take() {
            // Nobody else holds it as a rule, and then it is not copied.
            Some((kind, Stand::Made(document))) => Some((kind, document)),
            Some((kind, Stand::Text(text))) => notes.read(&text).ok().map(|document| (kind, document)),
            None => None,
        };
        self.stand = before.or_else(|| Some((made?, Rc::default()))).map(|(kind, mut document)| {
            change(Rc::make_mut(&mut document));
            (kind, Stand::Made(document))
        });
    }
}
