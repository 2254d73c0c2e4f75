//! Alerts gathered into stories: who did what, in order.
//!
//! Somebody who answers an incident asks *who* first, then *what, when*. So alerts of one actor stand together whatever
//! detector raised them, and an alert that continues another stands with it. The gravest story comes first.

use std::collections::{BTreeMap, BTreeSet};

use crate::alert::Alert;
use crate::detectors::{EventTime, Severity};

/// Alerts that belong together.
#[derive(Debug)]
pub struct Story<'a> {
    /// Who most of the alerts are about, the earliest of equals: the actor's id, or that of the thing when no single
    /// actor did it. A story may well begin with a role that its protagonist only took on.
    pub who: &'a str,
    /// What sort of actor or thing.
    pub kind: &'a str,
    /// By time.
    pub alerts: Vec<&'a Alert>,
}

/// An alert's actor, or the thing it is about.
fn who(alert: &Alert) -> (&str, &str) {
    match &alert.actor {
        Some(actor) => (actor.id.as_str(), &*actor.kind),
        None => (alert.entity.id.as_str(), &*alert.entity.kind),
    }
}

impl<'a> Story<'a> {
    /// The story of these alerts, which are not none.
    fn new(mut alerts: Vec<&'a Alert>) -> Self {
        alerts.sort_by(|a, b| (&a.window.start, &a.id).cmp(&(&b.window.start, &b.id)));
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for alert in &alerts {
            *counts.entry(who(alert)).or_default() += 1;
        }
        let most = counts.values().max();
        let (who, kind) =
            alerts.iter().map(|alert| who(alert)).find(|who| counts.get(who) == most).unwrap_or_default();
        Self { who, kind, alerts }
    }

    /// How many other actors or things its alerts are about.
    pub fn others(&self) -> usize {
        let all: BTreeSet<_> = self.alerts.iter().map(|alert| who(alert).0).collect();
        all.len().saturating_sub(1)
    }

    /// The gravest severity in it.
    pub fn severity(&self) -> Severity {
        self.alerts.iter().map(|a| a.severity).max().unwrap_or(Severity::Informational)
    }

    /// The first moment of it.
    pub fn start(&self) -> EventTime {
        self.alerts.iter().filter_map(|a| a.window.start()).min().unwrap_or_default()
    }

    /// The last moment of it.
    pub fn end(&self) -> EventTime {
        self.alerts.iter().filter_map(|a| a.window.end()).max().unwrap_or_default()
    }

    /// The accounts it touches.
    pub fn accounts(&self) -> Vec<&'a str> {
        let mut accounts: Vec<&str> = self.alerts.iter().map(|a| a.account.as_str()).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }
}

/// Gathers alerts: gravest first, then earliest.
pub fn gather(alerts: &[Alert]) -> Vec<Story<'_>> {
    let by_id: BTreeMap<&str, &Alert> = alerts.iter().map(|a| (a.id.as_str(), a)).collect();
    let mut by_beginning: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        by_beginning.entry(who(beginning(alert, &by_id)).0).or_default().push(alert);
    }
    let mut stories: Vec<_> = by_beginning.into_values().map(Story::new).collect();
    stories.sort_by_key(|s| (std::cmp::Reverse(s.severity()), s.start(), s.who));
    stories
}

/// The alert that a chain of continuations began with.
fn beginning<'a>(alert: &'a Alert, by_id: &BTreeMap<&str, &'a Alert>) -> &'a Alert {
    let mut first = alert;
    // A chain that bites its tail can't be longer than all alerts there are.
    for _ in 0..by_id.len() {
        match first.continues.as_deref().and_then(|id| by_id.get(id)) {
            Some(earlier) => first = earlier,
            None => break,
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Actor;

    fn alert(id: &str, actor: &str, severity: Severity, minute: u32) -> Alert {
        let mut alert: Alert = serde_json::from_str(include_str!("../../tests/fixtures/alert.json")).unwrap();
        alert.id = id.into();
        alert.actor =
            Some(Actor { id: actor.into(), kind: "IAMUser".into(), session: None, access_key: None });
        alert.severity = severity;
        alert.window.start = format!("2026-03-01T10:{minute:02}:00Z");
        alert
    }

    fn shape(alerts: &[Alert]) -> Vec<(String, Vec<String>)> {
        let ids = |s: &Story<'_>| s.alerts.iter().map(|a| a.id.clone()).collect();
        gather(alerts).iter().map(|s| (s.who.to_owned(), ids(s))).collect()
    }

    #[test]
    fn one_story_an_actor_gravest_first_and_by_time_inside() {
        let alerts = [
            alert("1", "ann", Severity::Low, 3),
            alert("2", "bob", Severity::Critical, 9),
            alert("3", "ann", Severity::Medium, 1),
        ];
        assert_eq!(
            shape(&alerts),
            [("bob".into(), vec!["2".into()]), ("ann".into(), vec!["3".into(), "1".into()])]
        );
    }

    #[test]
    fn a_story_is_named_for_who_it_is_mostly_about() {
        let mut alerts = [
            alert("1", "role", Severity::Low, 1),
            alert("2", "ann", Severity::Low, 2),
            alert("3", "ann", Severity::Low, 3),
            alert("4", "role2", Severity::Low, 4),
        ];
        for later in &mut alerts[1..] {
            later.continues = Some("1".into());
        }
        let stories = gather(&alerts);
        assert_eq!(
            stories.iter().map(|s| (s.who, s.others(), s.alerts.len())).collect::<Vec<_>>(),
            [("ann", 2, 4)]
        );
        let two = gather(&alerts[..2]);
        assert_eq!((two[0].who, two[0].others()), ("role", 1), "of equals the earliest");
    }

    #[test]
    fn what_continues_stands_with_its_beginning_and_a_circle_ends() {
        let mut alerts = [alert("1", "ann", Severity::Low, 1), alert("2", "bob", Severity::Low, 2)];
        alerts[1].continues = Some("1".into());
        assert_eq!(shape(&alerts), [("ann".into(), vec!["1".into(), "2".into()])]);
        alerts[0].continues = Some("2".into());
        assert_eq!(gather(&alerts).iter().map(|s| s.alerts.len()).sum::<usize>(), 2);
    }
}
