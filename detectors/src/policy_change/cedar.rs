//! Policies in Cedar, the language of Verified Permissions and Verified Access: as far as they can be told apart without
//! the schema and the data they speak of.
//!
//! Grammar: Cedar policy language reference, "Grammar specification for Cedar policies". A policy is annotations, `permit` or
//! `forbid`, a scope in parentheses, and `when` and `unless` conditions, up to a semicolon.

use crate::policy_change::condition::clip;
use crate::policy_change::verdict::{Code, Verdict};

/// Verdicts on a text of policies: what permits everything to everyone, and what would take the application's data to judge.
pub(crate) fn judge(text: &str) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut policies = policies(text);
    if policies.is_empty() {
        // Left out of the log, or no Cedar: what it permits is not known.
        policies.push(clip(text));
    }
    let (mut everything, mut some) = (Vec::new(), Vec::new());
    for policy in policies {
        match scope_of(&policy) {
            Some("forbid") => {}
            Some("permit") if permits_everything(&policy) => everything.push(policy),
            _ => some.push(policy),
        }
    }
    if let Some(first) = everything.first() {
        verdicts.push(Verdict::new(Code::CedarAll, clip(first), Vec::new()));
    }
    if let Some(first) = some.first() {
        let said = format!(
            "{} written in Cedar, whose meaning rests on data that no log holds: {}",
            count(some.len()),
            clip(first)
        );
        verdicts.push(Verdict::new(Code::Undecided, said, Vec::new()));
    }
    verdicts
}

fn count(policies: usize) -> String {
    if policies == 1 { "a policy".to_owned() } else { format!("{policies} policies") }
}

/// Whether a text is Cedar rather than JSON: its first policy begins with an effect.
pub(crate) fn looks_like(text: &str) -> bool {
    // JSON begins with one of these, and may be long.
    !text.trim_ascii_start().starts_with(['{', '[', '"', '%'])
        && policies(text).first().is_some_and(|policy| scope_of(policy).is_some())
}

/// `permit` or `forbid`.
fn scope_of(policy: &str) -> Option<&str> {
    ["permit", "forbid"].into_iter().find(|effect| {
        policy.strip_prefix(effect).is_some_and(|rest| rest.trim_ascii_start().starts_with('('))
    })
}

/// `permit (principal, action, resource)` and nothing more.
fn permits_everything(policy: &str) -> bool {
    let bare: String = policy.chars().filter(|c| !c.is_whitespace()).collect();
    matches!(bare.as_str(), "permit(principal,action,resource)" | "permit(principal,action,resource,)")
}

/// The policies of a text, each without comments, annotations and the semicolon. Strings are looked through, so that what
/// looks like code inside of them is none.
fn policies(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut policy = String::new();
    let mut rest = text.chars().peekable();
    // Within an annotation's parentheses: `@id("…")`.
    let mut annotation = false;
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '@' if policy.trim_ascii().is_empty() => annotation = true,
            '"' => {
                let mut quoted = String::from('"');
                let mut escaped = false;
                for c in rest.by_ref() {
                    quoted.push(c);
                    if c == '"' && !escaped {
                        break;
                    }
                    escaped = c == '\\' && !escaped;
                }
                if !annotation {
                    policy.push_str(&quoted);
                }
            }
            ')' if annotation => annotation = false,
            _ if annotation => {}
            ';' => found.push(std::mem::take(&mut policy)),
            c => policy.push(c),
        }
    }
    found.push(policy);
    found.iter().map(|policy| policy.trim_ascii().to_owned()).filter(|policy| !policy.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<Code> {
        judge(text).into_iter().map(|v| v.code).collect()
    }

    #[test]
    fn only_a_bare_permit_permits_everything() {
        for (text, expected) in [
            ("permit(principal, action, resource);", vec![Code::CedarAll]),
            (
                "@id(\"all; of \\\" it\")\n// why\npermit (\n  principal,\n  action,\n  resource\n);",
                vec![Code::CedarAll],
            ),
            ("permit(principal, action, resource,);", vec![Code::CedarAll]),
            ("permit(principal, action, resource)", vec![Code::CedarAll]),
            ("permit(principal, action, resource) when { context.mfa };", vec![Code::Undecided]),
            ("permit(principal == User::\"a\", action, resource);", vec![Code::Undecided]),
            ("forbid(principal, action, resource);", vec![]),
            (
                "forbid(principal, action, resource); permit(principal, action, resource);",
                vec![Code::CedarAll],
            ),
            (
                "forbid(principal, action, resource) unless { context.x == \"; permit(principal, action, resource);\" };",
                vec![],
            ),
            ("// permit(principal, action, resource);\nforbid(principal, action, resource);", vec![]),
            ("***", vec![Code::Undecided]),
            ("\"", vec![Code::Undecided]),
        ] {
            assert_eq!(codes(text), expected, "{text}");
            assert_eq!(looks_like(text), text.contains("principal"), "{text}");
        }
    }
}
