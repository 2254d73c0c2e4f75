//! What an `errorMessage` says of a refusal: which action, on what, by which policy.
//!
//! The form, from AWS's "Troubleshoot access denied error messages": `User: ARN is not authorized to perform: ACTION on
//! resource: RESOURCE`, then `because no TYPE policy allows the ACTION action` or `with an explicit deny in a TYPE policy`,
//! since 2026 followed by `: ` and the policy's ARN. Callers choose parts of the text, resource names above all, so the clause
//! is looked for from the end.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::strings::{Answers, Extent};

/// Which policy refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Policy {
    ServiceControl,
    ResourceControl,
    Boundary,
    Session,
    VpcEndpoint,
    Resource,
    Trust,
    Identity,
}

impl Policy {
    /// By the words AWS uses, the longer ones first.
    const WORDS: [(&str, Self); 9] = [
        ("service control policy", Self::ServiceControl),
        ("resource control policy", Self::ResourceControl),
        ("permissions boundary", Self::Boundary),
        ("session policy", Self::Session),
        ("VPC endpoint policy", Self::VpcEndpoint),
        ("resource-based policy", Self::Resource),
        ("role trust policy", Self::Trust),
        ("trust policy", Self::Trust),
        ("identity-based policy", Self::Identity),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::VpcEndpoint => "VPC endpoint policy",
            Self::Resource => "resource policy",
            Self::Trust => "trust policy",
            Self::Identity => "identity policy",
        }
    }
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// The message does not say.
    #[default]
    Unstated,
    /// No policy of this type allows it.
    NoAllow(Policy),
    /// A policy of this type denies it.
    Deny(Policy),
}

impl Cause {
    /// Somebody's policy stands in the way of what the caller's own would allow: the mark of a guardrail or an outage.
    pub(crate) fn is_imposed(self) -> bool {
        matches!(
            self,
            Self::Deny(_)
                | Self::NoAllow(
                    Policy::ServiceControl
                        | Policy::ResourceControl
                        | Policy::Boundary
                        | Policy::VpcEndpoint
                        | Policy::Session
                )
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = |policy: &Policy| if *policy == Policy::Identity { "an" } else { "a" };
        match self {
            Self::Unstated => f.write_str("a reason AWS does not state"),
            Self::NoAllow(policy) => write!(f, "no {} that allows it", policy.name()),
            Self::Deny(policy) => write!(f, "an explicit deny in {} {}", article(policy), policy.name()),
        }
    }
}

/// What a message says. Empty strings stand for what it leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal<'a> {
    /// The principal that was refused.
    pub(crate) who: &'a str,
    /// The IAM action, `iam:PassRole`: not always the call's own.
    pub(crate) action: &'a str,
    /// The resource.
    pub(crate) resource: &'a str,
    /// Why.
    pub(crate) cause: Cause,
    /// The ARN of the policy that denies.
    pub(crate) policy: &'a str,
}

const PERFORM: &str = " is not authorized to perform: ";

/// Searchers made once: making one costs more than using it.
static PERFORMS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(PERFORM));
static USER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("User: "));
static RESOURCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" on resource: "));
static DENIES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" with an explicit deny in a"));
static DOES_NOT_ALLOW: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(" because no "));
static POLICIES: LazyLock<[(Finder<'static>, Policy); Policy::WORDS.len()]> =
    LazyLock::new(|| Policy::WORDS.map(|(words, policy)| (Finder::new(words), policy)));

impl<'a> Refusal<'a> {
    /// Reads a message.
    pub(crate) fn of(message: &'a str) -> Self {
        let Some(found) = PERFORMS.find(message.as_bytes()) else {
            return Self { cause: clause(message).0, ..Self::default() };
        };
        let (before, rest) = (&message[..found], &message[found + PERFORM.len()..]);
        let who = last(&USER, before).map_or("", |at| &before[at + USER.needle().len()..]);
        let (cause, at, policy) = clause(rest);
        let call = &rest[..at];
        let (action, resource) = match RESOURCE.find(call.as_bytes()) {
            Some(at) => (&call[..at], &call[at + RESOURCE.needle().len()..]),
            None => (call, ""),
        };
        let first_word = |text: &'a str| text.split_ascii_whitespace().next().unwrap_or("");
        Self { who, action: first_word(action), resource: resource.trim(), cause, policy }
    }

    /// Whether a message can be one of a refusal: a quick look.
    pub(crate) fn may_be_in(message: &str) -> bool {
        PERFORMS.find(message.as_bytes()).is_some()
    }

    /// The message tells of a refusal, whatever the code says.
    pub(crate) fn is_refusal(&self) -> bool {
        !self.action.is_empty()
    }

    /// The refused principal is somebody else than the caller of this name.
    pub(crate) fn is_about_another(&self, caller: &str) -> bool {
        !self.who.is_empty() && !self.who.split(['/', ':']).any(|part| part == caller)
    }
}

/// Messages read lately: who is refused once is mostly refused again, in the same words.
#[derive(Debug, Default)]
pub(crate) struct Messages(Answers<Places>);

/// What a message says: who, action, resource and policy by where they stand in it.
#[derive(Clone, Copy, Debug)]
struct Places {
    parts: [Extent; 4],
    cause: Cause,
}

impl Messages {
    /// Reads a message.
    pub(crate) fn read<'a>(&mut self, message: &'a str) -> Refusal<'a> {
        let Places { parts, cause } = self.0.of(0, message, || {
            let Refusal { who, action, resource, cause, policy } = Refusal::of(message);
            Places { parts: [who, action, resource, policy].map(|part| Extent::of(part, message)), cause }
        });
        let [who, action, resource, policy] = parts.map(|part| part.in_text(message));
        Refusal { who, action, resource, cause, policy }
    }
}

/// Where the last of some words begin. Looked for from the front: that goes many bytes at a time, and they are rare.
fn last(words: &Finder<'_>, text: &str) -> Option<usize> {
    let mut found = None;
    let mut from = 0;
    while let Some(at) = words.find(&text.as_bytes()[from..]) {
        found = Some(from + at);
        from += at + 1;
    }
    found
}

/// The clause that says why, where it begins, and the policy's ARN.
fn clause(text: &str) -> (Cause, usize, &str) {
    let (deny, no_allow) = (last(&DENIES, text), last(&DOES_NOT_ALLOW, text));
    let Some(at) = deny.max(no_allow) else { return (Cause::Unstated, text.len(), "") };
    let reason = &text[at..];
    let begin = if deny == Some(at) { DENIES.needle().len() } else { DOES_NOT_ALLOW.needle().len() };
    let Some((found, length, policy)) = named_at(reason, begin).or_else(|| named_in(reason)) else {
        return (Cause::Unstated, at, "");
    };
    let arn = reason[found + length..].strip_prefix(": ").unwrap_or("");
    let arn = arn.split_ascii_whitespace().next().unwrap_or("").trim_end_matches('.');
    if deny == Some(at) { (Cause::Deny(policy), at, arn) } else { (Cause::NoAllow(policy), at, "") }
}

/// The type of policy that stands where AWS puts it, with its place and length: `a` or `an` is behind `begin`, or nothing.
fn named_at(reason: &str, begin: usize) -> Option<(usize, usize, Policy)> {
    let rest = reason.get(begin..)?;
    let found = reason.len() - rest.strip_prefix('n').unwrap_or(rest).trim_ascii_start().len();
    let starts = Policy::WORDS.into_iter().filter(|(words, _)| reason[found..].starts_with(words));
    starts.map(|(words, policy)| (found, words.len(), policy)).max_by_key(|(_, length, _)| *length)
}

/// The first one that is named anywhere, the longest of those in the same place.
fn named_in(reason: &str) -> Option<(usize, usize, Policy)> {
    POLICIES
        .iter()
        .filter_map(|(words, policy)| Some((words.find(reason.as_bytes())?, words.needle().len(), *policy)))
        .min_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_as_aws_writes_them() {
        use Cause::{Deny, NoAllow, Unstated};
        for (message, action, resource, cause, policy) in [
            (
                "User: arn:aws:iam::1:user/kim is not authorized to perform: iam:CreatePolicy on resource: policy p because no identity-based policy allows the iam:CreatePolicy action",
                "iam:CreatePolicy",
                "policy p",
                NoAllow(Policy::Identity),
                "",
            ),
            (
                "You are not authorized to perform this operation. User: arn:aws:iam::1:user/kim is not authorized to perform: ec2:CreateSecurityGroup on resource: arn:aws:ec2:x with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1. Encoded authorization failure message: abc",
                "ec2:CreateSecurityGroup",
                "arn:aws:ec2:x",
                Deny(Policy::ServiceControl),
                "arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
            ),
            (
                "User: kim is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::b/x because no session policy allows y\" with an explicit deny in a resource-based policy",
                "s3:GetObject",
                "\"arn:aws:s3:::b/x because no session policy allows y\"",
                Deny(Policy::Resource),
                "",
            ),
            (
                "User: kim is not authorized to perform: ec2:DescribeFlowLogs because no permissions boundary allows the ec2:DescribeFlowLogs action",
                "ec2:DescribeFlowLogs",
                "",
                NoAllow(Policy::Boundary),
                "",
            ),
            (
                "User: kim is not authorized to perform: kms:Decrypt with an explicit deny in an identity-based policy",
                "kms:Decrypt",
                "",
                Deny(Policy::Identity),
                "",
            ),
            (
                "User: kim is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/r",
                "sts:AssumeRole",
                "arn:aws:iam::1:role/r",
                Unstated,
                "",
            ),
            ("Access Denied", "", "", Unstated, ""),
            ("refused with an explicit deny in a VPC endpoint policy", "", "", Deny(Policy::VpcEndpoint), ""),
            ("because no reason at all", "", "", Unstated, ""),
            ("x is not authorized to perform: ", "", "", Unstated, ""),
            ("", "", "", Unstated, ""),
        ] {
            let refusal = Refusal::of(message);
            let mut messages = Messages::default();
            assert_eq!([(); 2].map(|()| messages.read(message)), [refusal; 2]);
            let found = (refusal.action, refusal.resource, refusal.cause, refusal.policy);
            assert_eq!(found, (action, resource, cause, policy), "{message}");
        }
    }

    #[test]
    fn the_refused_may_be_somebody_else() {
        let refusal =
            |who: &str| format!("User: {who} is not authorized to perform: kms:Decrypt on resource: k");
        let own = refusal("arn:aws:sts::1:assumed-role/app/i-0a");
        assert!(!Refusal::of(&own).is_about_another("app"));
        assert!(Refusal::of(&own).is_about_another("kim"));
        assert!(!Refusal::of("Access Denied").is_about_another("kim"));
    }
}
