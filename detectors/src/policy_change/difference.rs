//! What a new document allows that the one before it did not, and which denials are gone.

use crate::policy_change::condition::{Condition, clip, shorten};
use crate::policy_change::document::{Document, Effect, Elements, Principal, Statement};
use crate::policy_change::wildcard::{Case, is_anything, matches};

/// Comparing pairs of values stops here; what is not compared counts as new.
const MAX_COMPARISONS: usize = 50_000;

/// Statements of a new document that the old one does not already cover, by position; and the denials it lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Positions in the new document of `Allow` statements that allow something new.
    pub(crate) added: Vec<usize>,
    /// Positions in the old document of `Allow` statements the new one does not cover.
    pub(crate) removed: Vec<usize>,
    /// Positions in the old document of `Deny` statements the new one does not cover.
    pub(crate) undenied: Vec<usize>,
}

/// Compares two documents.
pub(crate) fn between(old: &Document, new: &Document) -> Difference {
    let mut budget = MAX_COMPARISONS;
    Difference {
        added: uncovered(new, old, Effect::Allow, &mut budget),
        removed: uncovered(old, new, Effect::Allow, &mut budget),
        undenied: uncovered(old, new, Effect::Deny, &mut budget),
    }
}

/// Positions of statements in `what` with this effect that no statement of `by` covers.
fn uncovered(what: &Document, by: &Document, effect: Effect, budget: &mut usize) -> Vec<usize> {
    let candidates: Vec<&Statement> = by.statements.iter().filter(|s| s.effect == effect).collect();
    what.statements
        .iter()
        .enumerate()
        .filter(|(_, statement)| statement.effect == effect && !is_covered(statement, &candidates, budget))
        .map(|(i, _)| i)
        .collect()
}

fn is_covered(statement: &Statement, candidates: &[&Statement], budget: &mut usize) -> bool {
    if candidates.iter().any(|c| covers(c, statement, budget)) {
        return true;
    }
    // No single statement covers it; perhaps several do, each some of its principals and actions.
    let (Elements::Only(actions), Elements::Only(_) | Elements::Absent) =
        (&statement.actions, &statement.principals)
    else {
        return false;
    };
    let principals: Vec<Option<&Principal>> = match &statement.principals {
        Elements::Only(principals) => principals.iter().map(Some).collect(),
        _ => vec![None],
    };
    if actions.len().saturating_mul(principals.len()) <= 1 {
        return false;
    }
    principals.iter().all(|principal| {
        actions.iter().all(|action| {
            let part = Statement {
                sid: String::new(),
                principals: principal.map_or(Elements::Absent, |p| Elements::Only(vec![p.clone()])),
                actions: Elements::Only(vec![action.clone()]),
                ..statement.clone()
            };
            candidates.iter().any(|c| covers(c, &part, budget))
        })
    })
}

/// Whether everything `narrow` says, `wide` says too.
fn covers(wide: &Statement, narrow: &Statement, budget: &mut usize) -> bool {
    let cost = pairs(wide.actions.values().len(), narrow.actions.values().len())
        + pairs(wide.resources.values().len(), narrow.resources.values().len())
        + pairs(wide.principals.values().len(), narrow.principals.values().len());
    // Some for the work around the comparisons.
    match budget.checked_sub(cost + 4) {
        Some(left) => *budget = left,
        None => return false,
    }
    // The conditions of the wide one must all stand in the narrow one: more conditions narrow further.
    wide.conditions.iter().all(|c| narrow.conditions.iter().any(|n| n == c || narrower(n, c)))
        && actions_cover(&wide.actions, &narrow.actions)
        && resources_cover(&wide.resources, &narrow.resources)
        && elements_cover(&wide.principals, &narrow.principals, principal_covers)
}

fn pairs(a: usize, b: usize) -> usize {
    a.saturating_mul(b)
}

/// The same test with fewer values.
fn narrower(narrow: &Condition, wide: &Condition) -> bool {
    !wide.negated
        && Condition { values: Vec::new(), ..narrow.clone() }
            == Condition { values: Vec::new(), ..wide.clone() }
        && !narrow.values.is_empty()
        && narrow.values.iter().all(|v| wide.values.contains(v))
}

/// Whether the actions of one statement stand for all of another's.
pub(crate) fn actions_cover(wide: &Elements<String>, narrow: &Elements<String>) -> bool {
    elements_cover(wide, narrow, |w, n| matches(w, n, Case::Ignored))
}

/// Whether the resources of one statement stand for all of another's.
pub(crate) fn resources_cover(wide: &Elements<String>, narrow: &Elements<String>) -> bool {
    elements_cover(wide, narrow, |w, n| matches(w, n, Case::Counts))
}

fn principal_covers(wide: &Principal, narrow: &Principal) -> bool {
    let bare = |p: &Principal| {
        let arn = p.value.as_str();
        // `arn:…:iam::ACCOUNT:root` is the account.
        if arn.ends_with(":root") { crate::actor::account_of_arn(arn).to_owned() } else { arn.to_owned() }
    };
    wide.value == "*"
        || (wide.kind == narrow.kind && (wide.value == narrow.value || bare(wide) == bare(narrow)))
        || (wide.kind == narrow.kind && bare(wide) == crate::actor::account_of_arn(&narrow.value))
}

fn elements_cover<T>(wide: &Elements<T>, narrow: &Elements<T>, one_covers: impl Fn(&T, &T) -> bool) -> bool {
    match (wide, narrow) {
        (Elements::Only(wide), Elements::Only(narrow)) => {
            narrow.iter().all(|n| wide.iter().any(|w| one_covers(w, n)))
        }
        // All but a few covers all but more.
        (Elements::AllBut(wide), Elements::AllBut(narrow)) => {
            wide.iter().all(|w| narrow.iter().any(|n| one_covers(n, w)))
        }
        (Elements::AllBut(wide), Elements::Only(narrow)) => {
            narrow.iter().all(|n| !wide.iter().any(|w| one_covers(w, n) || one_covers(n, w)))
        }
        (Elements::Absent, Elements::Absent) => true,
        (Elements::Only(_) | Elements::Absent, _) | (_, Elements::Absent) => false,
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
    let principals: Vec<String> = statement.principals.values().iter().map(|p| p.value.clone()).collect();
    if !principals.is_empty() {
        let but = if matches!(statement.principals, Elements::AllBut(_)) { "all but " } else { "" };
        text.push_str(&format!(" to {but}{}", shorten(&principals)));
    }
    if !statement.conditions.is_empty() {
        let keys: Vec<String> =
            statement.conditions.iter().map(|c| format!("{} {}", c.key, shorten(&c.values))).collect();
        text.push_str(&format!(" if {}", shorten(&keys)));
    }
    if !statement.sid.is_empty() {
        text.push_str(&format!(" ({})", clip(&statement.sid)));
    }
    text
}

/// Whether the resources are everything, or all of a type: `*`, `arn:aws:iam::123456789012:role/*`.
pub(crate) fn is_broad(resources: &Elements<String>) -> bool {
    match resources {
        Elements::Only(resources) => resources.iter().any(|r| is_broad_resource(r)),
        Elements::AllBut(_) | Elements::Absent => true,
    }
}

fn is_broad_resource(resource: &str) -> bool {
    if is_anything(resource) {
        return true;
    }
    let Some(name) = resource.splitn(6, ':').nth(5) else { return false };
    // A bucket's name stands where others have their type.
    if resource.contains(":s3:") {
        return name.starts_with('*');
    }
    let last = name.split_once(['/', ':']).map_or(name, |(_, rest)| rest);
    resource.starts_with("arn:") && is_anything(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(statements: &str) -> Document {
        Document::parse(&format!(r#"{{"Statement":[{statements}]}}"#)).unwrap()
    }

    fn added(old: &str, new: &str) -> usize {
        between(&document(old), &document(new)).added.len()
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
        assert_eq!(between(&document(deny), &document(part)).undenied, [0]);
        assert!(between(&document(part), &document(deny)).undenied.is_empty());
    }

    #[test]
    fn all_of_a_type_is_broad() {
        for (resource, expected) in [
            ("*", true),
            ("arn:aws:iam::123456789012:role/*", true),
            ("arn:aws:iam::*:role/*", true),
            ("arn:aws:iam::123456789012:role/app-*", false),
            ("arn:aws:iam::123456789012:role/app", false),
            ("arn:aws:lambda:*:*:function:*", true),
            ("arn:aws:s3:::*", true),
            ("arn:aws:s3:::bucket/*", false),
            ("arn:aws:s3:::*/*", true),
        ] {
            assert_eq!(is_broad_resource(resource), expected, "{resource}");
        }
    }
}
