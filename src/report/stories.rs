//! Alerts gathered into stories: who did what, in order.
//!
//! Somebody who answers an incident asks *who* first, then *what, when*. So alerts of one actor stand together whatever
//! detector raised them, and an alert that continues another stands with it. The gravest story comes first.

use std::collections::BTreeMap;

use crate::alert::Alert;
use crate::detectors::{EventTime, Severity};

/// Alerts that belong together.
#[derive(Debug)]
pub struct Story<'a> {
    /// The actor's id, or that of the thing the alerts are about when no single actor did it.
    pub who: &'a str,
    /// What sort of actor or thing.
    pub kind: &'a str,
    /// By time.
    pub alerts: Vec<&'a Alert>,
}

impl<'a> Story<'a> {
    fn new(alert: &'a Alert) -> Self {
        let (who, kind) = match &alert.actor {
            Some(actor) => (actor.id.as_str(), &*actor.kind),
            None => (alert.entity.id.as_str(), &*alert.entity.kind),
        };
        Self { who, kind, alerts: Vec::new() }
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
    let mut stories: BTreeMap<&str, Story<'_>> = BTreeMap::new();
    for alert in alerts {
        let first = Story::new(beginning(alert, &by_id));
        stories.entry(first.who).or_insert(first).alerts.push(alert);
    }
    let mut stories: Vec<_> = stories.into_values().collect();
    for story in &mut stories {
        story.alerts.sort_by(|a, b| (&a.window.start, &a.id).cmp(&(&b.window.start, &b.id)));
    }
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
    fn what_continues_stands_with_its_beginning_and_a_circle_ends() {
        let mut alerts = [alert("1", "ann", Severity::Low, 1), alert("2", "bob", Severity::Low, 2)];
        alerts[1].continues = Some("1".into());
        assert_eq!(shape(&alerts), [("ann".into(), vec!["1".into(), "2".into()])]);
        alerts[0].continues = Some("2".into());
        assert_eq!(gather(&alerts).iter().map(|s| s.alerts.len()).sum::<usize>(), 2);
    }
}
