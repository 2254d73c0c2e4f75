//! One story instead of many findings: what an actor, or whoever is at the root of its role chain, did within a session.
//!
//! The first finding of a story stands for itself; every later one `continues` it. A story goes on while each finding begins
//! within [`SESSION_GAP`] of the end of the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::finding::{Finding, FindingActor};
use crate::time::{DAY, EventTime, HOUR};

/// A pause longer than this ends a story.
pub const SESSION_GAP: i64 = HOUR;

/// How far before the wanted time findings are looked for that a story may have begun with.
pub const LOOKBACK: i64 = DAY;

/// Links findings, which must be sorted by start, into stories. `root_of` names the caller at the root of the session an
/// access key belongs to at a time: the end of the finding, for windows begin on whole minutes, before the session may.
pub fn link(findings: &mut [Finding], root_of: impl Fn(&str, EventTime) -> Option<Arc<str>>) {
    let mut stories: Vec<Story> = Vec::new();
    // The newest story of everyone.
    let mut of_whom: BTreeMap<String, usize> = BTreeMap::new();
    for finding in findings {
        let Some(actor) = finding.actor.as_ref().filter(|actor| is_somebody(actor)) else { continue };
        let start = finding.window.start;
        let root = actor.access_key.as_deref().and_then(|key| root_of(key, finding.window.end));
        let who = [Some(actor.id.clone()), root.map(|root| root.to_string())];
        let goes_on = who
            .iter()
            .flatten()
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
        for id in who.into_iter().flatten() {
            of_whom.insert(id, story);
        }
    }
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
    fn linked(findings: &[(i64, &str, &str)]) -> Vec<Option<usize>> {
        let mut findings: Vec<Finding> = findings.iter().map(|(m, a, k)| finding(*m, a, k)).collect();
        link(&mut findings, |key, _| (key == "ASIA-of-alice").then(|| "alice".into()));
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
    fn of_two_stories_the_earlier_goes_on() {
        let found =
            linked(&[(0, "role", ""), (5, "alice", ""), (10, "role", "ASIA-of-alice"), (15, "alice", "")]);
        assert_eq!(found, [None, None, Some(0), Some(0)]);
    }
}
