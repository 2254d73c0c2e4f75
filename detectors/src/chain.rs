//! Role chains: who opened the session behind a temporary access key, back to the person or workload at the root.
//!
//! Every call that opens a session logs the access key it gave out. So a key leads to the caller that opened its session,
//! that caller's own key to the session before, and so on. Sessions that AWS services open for their own work lead nowhere
//! and are not remembered.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::event::Event;
use crate::json::str_at;
use crate::lattice::Join;
use crate::ledger::Strings;
use crate::time::{EventTime, HOUR};

/// A session lasts no longer than this: 36 hours is the most that STS gives (`GetSessionToken`, `GetFederationToken`).
const LONGEST_SESSION: i64 = 36 * HOUR;

/// A chain is followed no further than this: links are log content, and could go in a circle.
const MAX_HOPS: usize = 8;

/// Who opened a session. Ordered by time first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// When.
    pub opened: EventTime,
    /// The actor that did, by its canonical id.
    pub caller: Arc<str>,
    /// The access key it did it with; empty when there was none.
    pub caller_key: Arc<str>,
    /// `sourceIdentity`, set by the caller or handed down; empty when there is none.
    pub source_identity: Arc<str>,
}

impl Link {
    /// The link an event makes, with the access key it is for.
    pub fn of(event: &Event<'_>, strings: &mut Strings) -> Option<(Arc<str>, Self)> {
        if !opens_session(event.action) || !event.succeeded() || event.actor.kind.is_aws() {
            return None;
        }
        let access_key = str_at(event.parts.response(), &["credentials", "accessKeyId"])?;
        let source_identity = match event.session.source_identity {
            "" => str_at(event.parts.request(), &["sourceIdentity"]).unwrap_or(""),
            handed_down => handed_down,
        };
        let link = Self {
            opened: event.time,
            caller: Arc::clone(&event.actor.id),
            caller_key: strings.share(event.session.access_key),
            source_identity: strings.share(source_identity),
        };
        Some((access_key.into(), link))
    }

    /// Whether no session it opened can be alive at `time`.
    pub fn is_over(&self, time: EventTime) -> bool {
        self.opened.plus(LONGEST_SESSION) < time
    }
}

/// Who opened the session, as a reason says it.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { opened, caller, source_identity, .. } = self;
        write!(f, "the session was opened by {caller}")?;
        if !source_identity.is_empty() {
            write!(f, " as {source_identity}")?;
        }
        write!(f, " at {opened}")
    }
}

impl Link {
    /// A session opened across accounts is logged in both, and only the caller's own account knows it by its ARN.
    fn precedence(&self) -> (bool, &Self) {
        (!self.caller.starts_with("arn:"), self)
    }
}

/// Access keys are given out once. Of two claims to one, that counts which names the caller better, then the first.
impl Join for Link {
    fn join(&mut self, other: &Self) {
        if other.precedence() < self.precedence() {
            *self = other.clone();
        }
    }
}

/// Whether a call gives out temporary credentials.
pub fn opens_session(action: &Action) -> bool {
    &*action.service == "sts"
        && matches!(
            &*action.name,
            "AssumeRole"
                | "AssumeRoleWithSAML"
                | "AssumeRoleWithWebIdentity"
                | "AssumeRoot"
                | "GetFederationToken"
                | "GetSessionToken"
        )
}

/// The first link of the chain that leads to `access_key`: its caller is the person or workload at the root. A link counts
/// while its session can be alive at `time`.
pub fn root<'l>(
    links: impl Fn(&str) -> Option<&'l Link>,
    access_key: &str,
    time: EventTime,
) -> Option<&'l Link> {
    let alive = |key: &str| links(key).filter(|link| link.opened <= time && !link.is_over(time));
    let mut first = alive(access_key)?;
    for _ in 1..MAX_HOPS {
        match alive(&first.caller_key) {
            Some(before) if before.opened <= first.opened => first = before,
            _ => break,
        }
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn chain(links: &[(&'static str, i64, &str, &str)]) -> BTreeMap<&'static str, Link> {
        let link = |(key, opened, caller, caller_key): &(&'static str, i64, &str, &str)| {
            let link = Link {
                opened: EventTime(*opened),
                caller: (*caller).into(),
                caller_key: (*caller_key).into(),
                source_identity: "".into(),
            };
            (*key, link)
        };
        links.iter().map(link).collect()
    }

    fn root_at(links: &BTreeMap<&str, Link>, key: &str, time: i64) -> Option<String> {
        root(|k| links.get(k), key, EventTime(time)).map(|l| l.caller.to_string())
    }

    #[test]
    fn a_chain_is_followed_to_its_root() {
        let links = chain(&[("ASIA2", 200, "role/deploy", "ASIA1"), ("ASIA1", 100, "user/alice", "AKIA0")]);
        assert_eq!(root_at(&links, "ASIA2", 300).as_deref(), Some("user/alice"));
        assert_eq!(root_at(&links, "ASIA1", 300).as_deref(), Some("user/alice"));
        assert_eq!(root_at(&links, "AKIA0", 300), None);
    }

    #[test]
    fn sessions_end_and_do_not_begin_before_they_are_opened() {
        let links = chain(&[("ASIA1", 100, "user/alice", "AKIA0")]);
        assert_eq!(root_at(&links, "ASIA1", 99), None);
        assert!(root_at(&links, "ASIA1", 100 + LONGEST_SESSION).is_some());
        assert_eq!(root_at(&links, "ASIA1", 101 + LONGEST_SESSION), None);
    }

    #[test]
    fn of_two_records_of_one_call_the_one_with_the_arn_counts() {
        let links = chain(&[
            ("other", 100, "444455556666#AIDA", ""),
            ("own", 100, "arn:aws:iam::444455556666:user/a", ""),
        ]);
        for (one, two) in [("other", "own"), ("own", "other")] {
            let mut joined = links[one].clone();
            joined.join(&links[two]);
            assert_eq!(joined, links["own"]);
        }
    }

    #[test]
    fn a_circle_is_left_after_some_hops() {
        let links = chain(&[("ASIA1", 100, "role/a", "ASIA2"), ("ASIA2", 100, "role/b", "ASIA1")]);
        assert!(root_at(&links, "ASIA1", 300).is_some());
    }
}
