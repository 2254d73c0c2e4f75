//! What a new document allows that the one before it did not, and which denials are gone.

use std::collections::BTreeSet;

use crate::policy_change::condition::{Condition, clip, shorten, shorten_each};
use crate::policy_change::document::{Document, Effect, Elements, Principal, Statement};
use crate::policy_change::wildcard::Case;
use crate::policy_change::work::Work;

/// Statements of a new document that the old one does not already cover, by position; and the denials it lost. What there was
/// no work left to compare counts as new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Positions in the new document of `Allow` statements that allow something new, in order.
    pub(crate) added: Vec<usize>,
    /// Positions in the old document of `Allow` statements the new one does not cover.
    pub(crate) removed: Vec<usize>,
    /// Positions in the old document of `Deny` statements the new one does not cover.
    pub(crate) undenied: Vec<usize>,
}

/// Compares two documents.
pub(crate) fn between(old: &Document, new: &Document, work: &Work) -> Difference {
    Difference {
        added: uncovered(new, old, Effect::Allow, work),
        removed: uncovered(old, new, Effect::Allow, work),
        undenied: uncovered(old, new, Effect::Deny, work),
    }
}

/// Positions of statements in `what` with this effect that no statement of `by` covers.
fn uncovered(what: &Document, by: &Document, effect: Effect, work: &Work) -> Vec<usize> {
    let candidates: Vec<&Statement> = by.statements.iter().filter(|s| s.effect == effect).collect();
    // Most statements stay as they are: those are found without comparing each with each.
    let same: BTreeSet<&Statement> = candidates.iter().copied().collect();
    what.statements
        .iter()
        .enumerate()
        .filter(|(_, s)| s.effect == effect && !same.contains(s) && !is_covered(s, &candidates, work))
        .map(|(i, _)| i)
        .collect()
}

/// The values of an element, or some of them.
#[derive(Debug)]
enum Part<'s, T> {
    Only(&'s [T]),
    AllBut(&'s [T]),
    Absent,
}

impl<T> Copy for Part<'_, T> {}

impl<T> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Elements<T> {
    fn part(&self) -> Part<'_, T> {
        match self {
            Self::Only(values) => Part::Only(values),
            Self::AllBut(values) => Part::AllBut(values),
            Self::Absent => Part::Absent,
        }
    }
}

/// Whether what a statement says of its principals, actions and resources, others say too, alone or together.
pub(crate) fn is_covered(statement: &Statement, candidates: &[&Statement], work: &Work) -> bool {
    let (actions, principals) = (statement.actions.part(), statement.principals.part());
    let any_covers = |actions, principals| {
        candidates.iter().any(|wide| covers(wide, statement, actions, principals, work))
    };
    if any_covers(actions, principals) {
        return true;
    }
    // No single statement covers it; perhaps several do, each some of its principals and actions.
    let Part::Only(actions) = actions else { return false };
    let each_action = |principals| {
        actions.iter().all(|action| any_covers(Part::Only(std::slice::from_ref(action)), principals))
    };
    match principals {
        Part::Only([]) | Part::AllBut(_) => false,
        Part::Only([_]) | Part::Absent if actions.len() <= 1 => false,
        Part::Only(principals) => {
            principals.iter().all(|principal| each_action(Part::Only(std::slice::from_ref(principal))))
        }
        Part::Absent => each_action(Part::Absent),
    }
}

/// Whether everything a statement says of these actions and principals, `wide` says too.
fn covers(
    wide: &Statement,
    narrow: &Statement,
    actions: Part<'_, String>,
    principals: Part<'_, Principal>,
    work: &Work,
) -> bool {
    // The conditions of the wide one must all stand in the narrow one: more conditions narrow further.
    elements_cover(wide.actions.part(), actions, work, |w, n| work.matches(w, n, Case::Ignored))
        && elements_cover(wide.principals.part(), principals, work, principal_covers)
        && wide.conditions.iter().all(|c| {
            narrow
                .conditions
                .iter()
                .any(|n| work.spend(8 + c.values.len()) && (n == c || narrower(n, c, work)))
        })
        && resources_cover(&wide.resources, &narrow.resources, work)
}

/// The same test with fewer values.
fn narrower(narrow: &Condition, wide: &Condition, work: &Work) -> bool {
    let same_test = (narrow.test, narrow.if_exists, narrow.quantifier, &narrow.key)
        == (wide.test, wide.if_exists, wide.quantifier, &wide.key);
    if wide.negated || narrow.negated || !same_test || narrow.values.is_empty() {
        return false;
    }
    // Sorting takes a few comparisons for each.
    if !work.spend(8 * (wide.values.len() + narrow.values.len())) {
        return false;
    }
    let wide: BTreeSet<&String> = wide.values.iter().collect();
    narrow.values.iter().all(|value| wide.contains(value))
}

/// Whether the actions of one statement stand for all of another's.
pub(crate) fn actions_cover(wide: &Elements<String>, narrow: &Elements<String>, work: &Work) -> bool {
    elements_cover(wide.part(), narrow.part(), work, |w, n| work.matches(w, n, Case::Ignored))
}

/// Whether the resources of one statement stand for all of another's.
pub(crate) fn resources_cover(wide: &Elements<String>, narrow: &Elements<String>, work: &Work) -> bool {
    elements_cover(wide.part(), narrow.part(), work, |w, n| work.matches(w, n, Case::Counts))
}

fn principal_covers(wide: &Principal, narrow: &Principal) -> bool {
    let bare = |p: &Principal| {
        let arn = p.value.as_str();
        // `arn:…:iam::ACCOUNT:root` is the account.
        if arn.ends_with(":root") { crate::actor::account_of_arn(arn).to_owned() } else { arn.to_owned() }
    };
    wide.is_everyone()
        || (wide.kind == narrow.kind && (wide.value == narrow.value || bare(wide) == bare(narrow)))
        || (wide.kind == narrow.kind && bare(wide) == crate::actor::account_of_arn(&narrow.value))
}

fn elements_cover<T>(
    wide: Part<'_, T>,
    narrow: Part<'_, T>,
    work: &Work,
    one_covers: impl Fn(&T, &T) -> bool,
) -> bool {
    // A step for each pair that is looked at, beside what comparing it takes.
    let any = |values: &[T], covers: &dyn Fn(&T) -> bool| values.iter().any(|v| work.spend(1) && covers(v));
    match (wide, narrow) {
        (Part::Only(wide), Part::Only(narrow)) => narrow.iter().all(|n| any(wide, &|w| one_covers(w, n))),
        // All but a few covers all but more.
        (Part::AllBut(wide), Part::AllBut(narrow)) => wide.iter().all(|w| any(narrow, &|n| one_covers(n, w))),
        (Part::AllBut(wide), Part::Only(narrow)) => {
            let apart = narrow
                .iter()
                .all(|n| !work.is_used_up() && !any(wide, &|w| one_covers(w, n) || one_covers(n, w)));
            apart && !work.is_used_up()
        }
        (Part::Absent, Part::Absent) => true,
        (Part::Only(_) | Part::Absent, _) | (_, Part::Absent) => false,
    }
}

/// A statement in a line, for people: `Allow s3:GetObject on arn:… to 123456789012 if …`.
pub(crate) fn quote(statement: &Statement) -> String {
    let list = |elements: &Elements<String>| match elements {
        Elements::Only(values) => shorten(values),
        Elements::AllBut(values) => format!("all but {}", shorten(values)),
        Elements::Absent => String::new(),
    };
    let mut text = format!(
        "{} {}",
        if statement.effect == Effect::Allow { "Allow" } else { "Deny" },
        list(&statement.actions)
    );
    let resources = list(&statement.resources);
    if !resources.is_empty() {
        text.push_str(" on ");
        text.push_str(&resources);
    }
    let principals = statement.principals.values();
    if !principals.is_empty() {
        let but = if matches!(statement.principals, Elements::AllBut(_)) { "all but " } else { "" };
        text.push_str(&format!(" to {but}{}", shorten_each(principals, |p| clip(&p.value))));
    }
    if !statement.conditions.is_empty() {
        let test = |c: &Condition| clip(&format!("{} {}", clip(&c.key), shorten(&c.values)));
        text.push_str(&format!(" if {}", shorten_each(&statement.conditions, test)));
    }
    if !statement.sid.is_empty() {
        text.push_str(&format!(" ({})", clip(&statement.sid)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(statements: &str) -> Document {
        Document::parse(&format!(r#"{{"Statement":[{statements}]}}"#)).unwrap()
    }

    fn added(old: &str, new: &str) -> usize {
        between(&document(old), &document(new), &Work::default()).added.len()
    }

    const GET: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}"#;
    const GET_ALL: &str = r#"{"Effect":"Allow","Action":["s3:Get*"],"Resource":"*"}"#;
    const PUT: &str = r#"{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}"#;

    #[test]
    fn a_re_apply_and_a_narrowing_add_nothing_and_a_widening_does() {
        assert_eq!(added(GET, GET), 0);
        assert_eq!(added(GET_ALL, GET), 0);
        assert_eq!(added(GET, GET_ALL), 1);
        assert_eq!(added(GET_ALL, PUT), 1);
        let both = r#"{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"*"}"#;
        assert_eq!(added(&format!("{GET_ALL},{PUT}"), both), 0, "two statements together cover one");
        let fenced =
            r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"Bool":{"a":"true"}}}"#;
        assert_eq!(added(GET_ALL, fenced), 0, "a condition narrows");
        assert_eq!(added(fenced, GET_ALL), 1, "taking a condition away widens");
    }

    #[test]
    fn principals_compare_by_account() {
        let to = |p: &str| {
            format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{p}"}},"Action":"sts:AssumeRole"}}"#)
        };
        assert_eq!(added(&to("123456789012"), &to("arn:aws:iam::123456789012:root")), 0);
        assert_eq!(added(&to("123456789012"), &to("arn:aws:iam::123456789012:user/a")), 0);
        assert_eq!(added(&to("arn:aws:iam::123456789012:user/a"), &to("123456789012")), 1);
        assert_eq!(added(&to("*"), &to("123456789012")), 0);
    }

    #[test]
    fn a_lost_denial_is_seen() {
        let deny = r#"{"Effect":"Deny","Action":"cloudtrail:*","Resource":"*"}"#;
        let part = r#"{"Effect":"Deny","Action":"cloudtrail:StopLogging","Resource":"*"}"#;
        let undenied = |old, new| between(&document(old), &document(new), &Work::default()).undenied;
        assert_eq!(undenied(deny, part), [0]);
        assert!(undenied(part, deny).is_empty());
    }
}
