//! Whether a change may have let the caller itself to what it was refused.

use crate::actor::account_of_arn;
use crate::event::Event;
use crate::policy_change::analysis::Kind;
use crate::policy_change::deeds::Effect;
use crate::policy_change::document::{self, Document};
use crate::policy_change::extract::holder_name;
use crate::policy_change::facts::What;

/// Whom a change may have let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifts {
    /// The caller.
    Own,
    /// Others, or nobody.
    Others,
}

impl Lifts {
    /// Of an effect that a call had on a thing.
    pub(crate) fn of(event: &Event<'_>, thing: &str, id: &str, effect: &Effect) -> Self {
        let is_holder = matches!(thing, "user" | "role");
        let own = || is_holder && is_own(event, thing, id);
        let lifts = match &effect.what {
            // What is only just made was refused to nobody.
            What::Set(Kind::Resource, _) if makes_its_thing(&event.action.name) => false,
            What::Set(Kind::Resource, _) | What::Grant(_) => {
                effect.text.as_deref().is_some_and(|text| names(text, event))
            }
            // Whether it denied anything may not be known.
            What::Gone | What::Detach(_) if is_holder => own(),
            What::Gone => !matches!(
                thing,
                "group" | "policy" | "permission set" | "organization policy" | "Cedar policy"
            ),
            What::Switch(_) => event.action.name.ends_with("PermissionsBoundary") && own(),
            _ => false,
        };
        if lifts { Self::Own } else { Self::Others }
    }
}

/// A queue or a key, with its first policy; a policy or an access point is made for what there is.
fn makes_its_thing(call: &str) -> bool {
    call.starts_with("Create") && !call.contains("Policy") && !call.contains("AccessPoint")
}

fn is_own(event: &Event<'_>, thing: &str, id: &str) -> bool {
    let own = own_name(&event.actor.id);
    own.split_once('/').is_some_and(|(sort, own)| sort == thing && own == holder_name(id))
}

/// Whether a document lets the caller in by name, or everybody.
fn names(text: &str, event: &Event<'_>) -> bool {
    let Ok(document) = Document::parse(text) else { return false };
    let own = own_name(&event.actor.id);
    let allows = document.statements.iter().filter(|s| s.effect == document::Effect::Allow);
    let mut named = allows.filter_map(|statement| match &statement.principals {
        document::Elements::Only(principals) => Some(principals),
        _ => None,
    });
    named.any(|principals| {
        principals.iter().any(|principal| {
            principal.is_everyone()
                || (account_of_arn(&principal.value) == &*event.actor.account
                    && own_name(&principal.value) == own)
        })
    })
}

/// A user or role as steps name it, of its ARN or that of a session: `role/NAME`, without path and session.
pub(crate) fn own_name(arn: &str) -> String {
    let own = arn.rsplit_once(':').map_or(arn, |(_, own)| own);
    let own = own.split('#').next().unwrap_or(own);
    if let Some((role, _)) = own.strip_prefix("assumed-role/").and_then(|own| own.split_once('/')) {
        return format!("role/{role}");
    }
    match (own.split_once('/'), own.rsplit_once('/')) {
        (Some((sort, _)), Some((_, name))) => format!("{sort}/{name}"),
        _ => own.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_actors_are_without_path_and_session() {
        for (arn, name) in [
            ("arn:aws:iam::111122223333:user/kim", "user/kim"),
            ("arn:aws:iam::111122223333:user/a/b/kim", "user/kim"),
            ("arn:aws:iam::111122223333:role/ci/app", "role/app"),
            ("arn:aws:sts::111122223333:assumed-role/app/i-0a", "role/app"),
            (
                "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0#kim@example.org",
                "role/AWSReservedSSO_Admin_0",
            ),
            ("arn:aws:iam::111122223333:root", "root"),
            ("lambda.amazonaws.com", "lambda.amazonaws.com"),
        ] {
            assert_eq!(own_name(arn), name);
        }
    }
}
