//! One story instead of many findings: what an actor, or whoever is at the root of its role chain, did within a session.
//!
//! The first finding of a story stands for itself; every later one `continues` it. A story goes on while each finding begins
//! within [`SESSION_GAP`] of the end of the one before.

use std::collections::BTreeMap;

use crate::chain::Link;
use crate::finding::{Finding, FindingActor, Reason};
use crate::time::{DAY, EventTime, HOUR};

/// A pause longer than this ends a story.
pub const SESSION_GAP: i64 = HOUR;

/// How far before the wanted time findings are looked for that a story may have begun with.
pub const LOOKBACK: i64 = DAY;

/// Links findings, which must be sorted by start, into stories, and names who is at the root of the session a finding is about.
/// `root_of` gives the first link of the chain an access key belongs to at a time: the end of the finding, for windows begin
/// on whole minutes, before the session may.
pub fn link<'l>(findings: &mut [Finding], root_of: impl Fn(&str, EventTime) -> Option<&'l Link>) {
    let mut stories: Vec<Story> = Vec::new();
    // The newest story of everyone.
    let mut of_whom: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let Some(actor) = finding.actor.as_ref().filter(|actor| is_somebody(actor)) else { continue };
        let start = finding.window.start;
        let root = actor.access_key.as_deref().and_then(|key| root_of(key, finding.window.end));
        let who = names(actor, root);
        if let Some(root) = root.filter(|_| finding.reasons.iter().all(|reason| reason.code != ROOT)) {
            finding.reasons.push(Reason::new(ROOT, root.to_string()));
        }
        let goes_on = who
            .iter()
            .filter_map(|id| of_whom.get(id).copied())
            .filter(|story| start.0 - stories[*story].last.0 <= SESSION_GAP)
            .min();
        let story = goes_on.unwrap_or_else(|| {
            stories.push(Story { first: finding.id(), last: finding.window.end });
            stories.len() - 1
        });
        if goes_on.is_some() {
            finding.continues = Some(stories[story].first.clone());
        }
        stories[story].last = stories[story].last.max(finding.window.end);
        for id in who {
            of_whom.insert(id, story);
        }
    }
}

/// The code of the reason that names who opened a session.
pub const ROOT: &str = "root_of_chain";

/// All that whoever is behind a finding is known by: the actor, the caller at the root of its session with the identity that was
/// set there, and of Identity Center the person, who is the same in all accounts.
fn names(actor: &FindingActor, root: Option<&Link>) -> Vec<String> {
    let mut names = vec![actor.id.clone()];
    names.extend(root.map(|root| root.caller.to_string()));
    let identity = root.map(|root| &*root.source_identity).filter(|identity| !identity.is_empty());
    names.extend(identity.map(|identity| format!("source identity {identity}")));
    let ids = [Some(&*actor.id), root.map(|root| &*root.caller)].into_iter().flatten();
    names.extend(ids.filter_map(person).map(|person| format!("person {person}")));
    names
}

/// The person behind a role of Identity Center, by the actor's id.
fn person(id: &str) -> Option<&str> {
    id.rsplit_once('#').filter(|(role, _)| role.contains("/AWSReservedSSO_")).map(|(_, person)| person)
}

struct Story {
    /// The id of the finding it begins with.
    first: String,
    last: EventTime,
}

/// Callers that stand for many are nobody's story.
fn is_somebody(actor: &FindingActor) -> bool {
    !["AWSService", "ServiceLinkedRole", "Anonymous", "Unknown"].contains(&actor.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Anchor, Entity, Severity};
    use crate::time::{MINUTE, TimeRange};

    /// A finding that begins after so many minutes and lasts five.
    fn finding(minute: i64, actor: &str, access_key: &str) -> Finding {
        let start = EventTime(minute * MINUTE);
        Finding {
            detector: "test",
            kind: "test",
            anchor: Anchor::Once(minute.to_string()),
            severity: Severity::Low,
            title: String::new(),
            summary: String::new(),
            account: String::new(),
            region: None,
            actor: Some(FindingActor {
                id: actor.to_owned(),
                kind: if actor == "service" { "AWSService" } else { "AssumedRole" },
                session: None,
                access_key: Some(access_key.to_owned()),
            }),
            entity: Entity { kind: "actor", id: actor.to_owned() },
            window: TimeRange { start, end: start.plus(5 * MINUTE) },
            measure: None,
            reasons: Vec::new(),
            mitre: Vec::new(),
            evidence: Vec::new(),
            evidence_total: 0,
            actors: Vec::new(),
            next_steps: Vec::new(),
            continues: None,
        }
    }

    /// For each finding the place of the one it continues.
    fn linked(made: &[(i64, &str, &str)]) -> Vec<Option<usize>> {
        let mut findings: Vec<Finding> = made.iter().map(|(m, a, k)| finding(*m, a, k)).collect();
        let opened = |caller: &str, identity: &str| Link {
            opened: EventTime(0),
            caller: caller.into(),
            caller_key: "".into(),
            source_identity: identity.into(),
        };
        let links = [
            ("ASIA-of-alice", opened("alice", "")),
            ("ASIA-of-kim", opened("one", "kim")),
            ("ASIA-also-of-kim", opened("other", "kim")),
        ];
        link(&mut findings, |key, _| links.iter().find(|(known, _)| *known == key).map(|(_, link)| link));
        for (finding, (_, _, key)) in findings.iter().zip(made) {
            let named = finding.reasons.iter().filter(|reason| reason.code == ROOT).count();
            assert_eq!(named, usize::from(links.iter().any(|(known, _)| known == key)));
        }
        let ids: Vec<String> = findings.iter().map(Finding::id).collect();
        findings.iter().map(|f| ids.iter().position(|id| Some(id) == f.continues.as_ref())).collect()
    }

    #[test]
    fn findings_of_one_actor_continue_the_first_until_a_pause() {
        let found = linked(&[(0, "a", ""), (30, "a", ""), (94, "a", ""), (160, "a", ""), (170, "a", "")]);
        assert_eq!(found, [None, Some(0), Some(0), None, Some(3)]);
    }

    #[test]
    fn others_have_stories_of_their_own_and_services_have_none() {
        let found =
            linked(&[(0, "a", ""), (1, "b", ""), (2, "b", ""), (3, "service", ""), (4, "service", "")]);
        assert_eq!(found, [None, None, Some(1), None, None]);
    }

    #[test]
    fn a_role_continues_the_story_of_who_is_at_the_root_and_the_other_way_round() {
        let found =
            linked(&[(0, "alice", "AKIA"), (10, "role", "ASIA-of-alice"), (20, "role", "ASIA-of-bob")]);
        assert_eq!(found, [None, Some(0), Some(0)]);
        let found =
            linked(&[(0, "role", "ASIA-of-alice"), (10, "alice", "AKIA"), (20, "role2", "ASIA-of-alice")]);
        assert_eq!(found, [None, Some(0), Some(0)]);
    }

    #[test]
    fn a_source_identity_and_a_person_of_identity_center_are_the_same_in_all_accounts() {
        let found = linked(&[(0, "role", "ASIA-of-kim"), (10, "role2", "ASIA-also-of-kim")]);
        assert_eq!(found, [None, Some(0)]);
        let kim =
            |account: &str| format!("arn:aws:iam::{account}:role/aws-reserved/AWSReservedSSO_Admin_0#kim");
        let (here, there) = (kim("111122223333"), kim("444455556666"));
        assert_eq!(linked(&[(0, &here, ""), (10, &there, ""), (20, "role#kim", "")]), [None, Some(0), None]);
    }

    #[test]
    fn of_two_stories_the_earlier_goes_on() {
        let found =
            linked(&[(0, "role", ""), (5, "alice", ""), (10, "role", "ASIA-of-alice"), (15, "alice", "")]);
        assert_eq!(found, [None, None, Some(0), Some(0)]);
    }
}
