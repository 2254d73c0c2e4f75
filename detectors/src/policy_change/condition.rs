//! Conditions, and which of them fence a statement in: tell *who* may use it, not *how*.
//!
//! Operators and their forms: AWS, "IAM JSON policy elements: condition operators"; keys: AWS, "AWS global condition
//! context keys" and the keys of KMS and S3.

use crate::json::Value;
use crate::policy_change::path::scalar;
use crate::policy_change::wildcard::is_anything;

/// One operator and key with its values: any of them may match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Condition {
    /// The operator's family.
    pub test: Test,
    /// `…Not…`: no value may match.
    pub negated: bool,
    /// `…IfExists`: holds when the request has no such key.
    pub if_exists: bool,
    /// `ForAllValues:`, which holds when the request has no such key; `ForAnyValue:`; or neither.
    pub quantifier: Quantifier,
    /// The key in lower case.
    pub key: String,
    /// The values, as text.
    pub values: Vec<String>,
}

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    /// `StringEquals`, `StringEqualsIgnoreCase`.
    Text,
    /// `StringLike`, `ArnLike`, `ArnEquals`: with wildcards.
    Pattern,
    /// `IpAddress`.
    Address,
    /// `Null`.
    Null,
    /// `Bool`.
    Bool,
    /// Numbers, dates, binary.
    Other,
}

/// A set qualifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantifier {
    /// None written.
    One,
    /// `ForAnyValue:`.
    Any,
    /// `ForAllValues:`.
    All,
}

/// Who is left when a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Principals or sources of these accounts.
    Accounts(Vec<String>),
    /// Principals or sources of these organisations.
    Organizations(Vec<String>),
    /// Callers from these networks.
    Network(String),
    /// Named principals, tags or sources whose account isn't written.
    Named(String),
}

impl Condition {
    /// Reads an operator as written, with a key and its values.
    pub(crate) fn read(operator: &str, key: &str, values: &[Value]) -> Self {
        let mut name = operator.to_ascii_lowercase();
        let quantifier = if let Some(rest) = name.strip_prefix("forallvalues:") {
            name = rest.to_owned();
            Quantifier::All
        } else if let Some(rest) = name.strip_prefix("foranyvalue:") {
            name = rest.to_owned();
            Quantifier::Any
        } else {
            Quantifier::One
        };
        let if_exists = name.ends_with("ifexists");
        let name = name.trim_end_matches("ifexists");
        let test = match name {
            "stringequals" | "stringnotequals" | "stringequalsignorecase" | "stringnotequalsignorecase" => {
                Test::Text
            }
            "stringlike" | "stringnotlike" | "arnlike" | "arnnotlike" | "arnequals" | "arnnotequals" => {
                Test::Pattern
            }
            "ipaddress" | "notipaddress" => Test::Address,
            "null" => Test::Null,
            "bool" => Test::Bool,
            _ => Test::Other,
        };
        Self {
            test,
            negated: name.contains("not"),
            if_exists,
            quantifier,
            key: key.to_ascii_lowercase(),
            values: values.iter().filter_map(scalar).collect(),
        }
    }

    /// Whom the condition leaves of everyone, where it stands in an `Allow`. A negated test leaves nearly everyone; one that
    /// holds for requests without the key leaves everyone without it.
    pub(crate) fn fence(&self) -> Option<Fence> {
        let dodged = self.negated || self.if_exists || self.quantifier == Quantifier::All;
        (!dodged).then(|| self.named()).flatten()
    }

    /// Whom the condition leaves of everyone, where it stands in a `Deny`: those it does not name are denied.
    pub(crate) fn fence_of_deny(&self) -> Option<Fence> {
        (self.negated && self.quantifier != Quantifier::Any).then(|| self.named()).flatten()
    }

    /// Whether the condition tells which resource or account a service must act for.
    pub(crate) fn names_source(&self) -> bool {
        const SOURCES: [&str; 7] = [
            "aws:sourcearn",
            "aws:sourceaccount",
            "aws:sourceorgid",
            "aws:sourceorgpaths",
            "aws:sourceowner",
            "aws:principalorgid",
            "kms:calleraccount",
        ];
        !self.negated
            && (SOURCES.contains(&self.key.as_str()) || self.key.starts_with("kms:encryptioncontext:"))
            && !self.values.iter().any(|v| is_anything(v))
    }

    fn named(&self) -> Option<Fence> {
        // A value that stands for anything, or is taken from the caller, names nobody.
        if self.values.is_empty() || self.values.iter().any(|v| is_anything(v) || v.contains("${")) {
            return None;
        }
        let joined = || format!("{} {}", self.key, shorten(&self.values));
        match self.key.as_str() {
            "aws:principalorgid" | "aws:principalorgpaths" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
                let ids: Vec<_> =
                    self.values.iter().map(|v| v.split('/').next().unwrap_or(v).to_owned()).collect();
                ids.iter()
                    .all(|id| id.starts_with("o-") && !id.contains('*'))
                    .then_some(Fence::Organizations(ids))
            }
            "aws:principalaccount"
            | "aws:sourceaccount"
            | "aws:sourceowner"
            | "kms:calleraccount"
            | "s3:dataaccesspointaccount" => {
                self.values.iter().all(|v| is_account(v)).then(|| Fence::Accounts(self.values.clone()))
            }
            "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn" => self.arns(joined),
            "aws:userid" | "aws:username" | "aws:principalservicename" | "aws:principalisawsservice" => {
                Some(Fence::Named(joined()))
            }
            "aws:sourceip" | "aws:vpcsourceip" => {
                self.values.iter().all(|v| is_narrow_network(v)).then(|| Fence::Network(joined()))
            }
            "aws:sourcevpc" | "aws:sourcevpce" => Some(Fence::Network(joined())),
            key if key.starts_with("aws:principaltag/") => Some(Fence::Named(joined())),
            _ => None,
        }
    }

    fn arns(&self, joined: impl FnOnce() -> String) -> Option<Fence> {
        let mut accounts = Vec::new();
        for arn in &self.values {
            let account = crate::actor::account_of_arn(arn);
            if is_account(account) {
                accounts.push(account.to_owned());
            } else if account.is_empty() && names_something(arn) {
                // A bucket: its ARN holds no account, but there is only one of the name.
                return Some(Fence::Named(joined()));
            } else {
                return None;
            }
        }
        Some(Fence::Accounts(accounts))
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether an ARN's last part begins with something other than a wildcard.
fn names_something(arn: &str) -> bool {
    arn.splitn(6, ':').nth(5).is_some_and(|name| !name.is_empty() && !name.starts_with(['*', '?']))
}

/// Whether an address range holds less than a /8 (or /16 of IPv6): wider ones are the internet in pieces.
fn is_narrow_network(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "128"));
    let bits: u32 = bits.parse().unwrap_or(0);
    if address.contains(':') { bits >= 16 } else { bits >= 8 }
}

/// The first values, for people.
pub(crate) fn shorten(values: &[String]) -> String {
    shorten_each(values, |value| clip(value))
}

/// The first of some things, each in words, for people: nothing is written of the rest but how many they are.
pub(crate) fn shorten_each<T>(things: &[T], words: impl Fn(&T) -> String) -> String {
    const SHOWN: usize = 3;
    let mut text = things.iter().take(SHOWN).map(words).collect::<Vec<_>>().join(", ");
    if things.len() > SHOWN {
        text.push_str(&format!(" and {} more", things.len() - SHOWN));
    }
    text
}

/// The beginning of a text that may be long.
pub(crate) fn clip(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_change::document::Document;

    fn condition(text: &str) -> Condition {
        let document = Document::parse(&format!(r#"{{"Effect":"Allow","Condition":{text}}}"#)).unwrap();
        document.statements[0].conditions[0].clone()
    }

    #[test]
    fn only_conditions_on_who_calls_fence() {
        for (text, expected) in [
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"o-abc123"}}"#, Some("Organizations")),
            (r#"{"StringEquals":{"aws:PrincipalOrgID":"*"}}"#, None),
            (r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-abc123"}}"#, None),
            (r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-abc123"}}"#, None),
            (
                r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-abc123/r-1/*"}}"#,
                Some("Organizations"),
            ),
            (r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-abc123"}}"#, None),
            (r#"{"StringEquals":{"AWS:SourceAccount":"123456789012"}}"#, Some("Accounts")),
            (r#"{"StringLike":{"AWS:SourceAccount":"1234*"}}"#, None),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:123456789012:t"}}"#, Some("Accounts")),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:*"}}"#, None),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::bucket"}}"#, Some("Named")),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::*"}}"#, None),
            (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24"]}}"#, Some("Network")),
            (r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/0"]}}"#, None),
            (r#"{"IpAddress":{"aws:SourceIp":["0.0.0.0/1","128.0.0.0/1"]}}"#, None),
            (r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, Some("Network")),
            (r#"{"StringLike":{"aws:Referer":"https://example.com/*"}}"#, None),
            (r#"{"Bool":{"aws:SecureTransport":"true"}}"#, None),
            (r#"{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalAccount}"}}"#, None),
            (r#"{"StringEquals":{"sts:ExternalId":"secret"}}"#, None),
        ] {
            let fence = condition(text).fence().map(|f| format!("{f:?}"));
            let found = fence.as_deref().and_then(|f| f.split('(').next());
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_deny_fences_by_what_it_does_not_name() {
        assert!(
            condition(r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-abc123"}}"#).fence_of_deny().is_some()
        );
        assert!(
            condition(r#"{"StringNotEqualsIfExists":{"aws:SourceVpc":"vpc-1"}}"#).fence_of_deny().is_some()
        );
        assert!(condition(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-abc123"}}"#).fence_of_deny().is_none());
    }
}
