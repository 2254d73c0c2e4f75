//! Conditions, and which of them fence a statement in: tell *who* may use it, not *how*.
//!
//! Operators and their forms: AWS, "IAM JSON policy elements: condition operators"; keys: AWS, "AWS global condition
//! context keys" and the keys of KMS and S3.

use std::net::IpAddr;

use crate::json::Value;
use crate::policy_change::path::scalar;
use crate::policy_change::wildcard::{fixed_start, is_anything};

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
    /// Numbers, dates, binary; and operators that IAM does not know, which it refuses.
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

    /// Whom a service must act for, where the condition says.
    pub(crate) fn source(&self) -> Option<Fence> {
        match self.key.as_str() {
            "aws:sourcearn" | "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths"
            | "aws:sourceowner" | "aws:principalorgid" | "kms:calleraccount" => self.fence(),
            // Often the ARN of what is encrypted.
            key if key.starts_with("kms:encryptioncontext:") && self.demands() => {
                self.arns().or_else(|| Some(Fence::Named(self.words())))
            }
            _ => None,
        }
    }

    /// Whether the request must have the key, with a text like one of the values.
    pub(crate) fn demands(&self) -> bool {
        !self.if_exists && self.compares_text() && !self.values.iter().any(|v| is_anything(v))
    }

    /// Whether a key that the request has must be a text like one of the values.
    pub(crate) fn compares_text(&self) -> bool {
        matches!(self.test, Test::Text | Test::Pattern)
            && !self.negated
            && self.quantifier != Quantifier::All
            && !self.values.is_empty()
    }

    fn named(&self) -> Option<Fence> {
        // A value that stands for anything, or is taken from the caller, names nobody.
        if self.values.is_empty() || self.values.iter().any(|v| is_anything(v) || v.contains("${")) {
            return None;
        }
        match self.test {
            Test::Text | Test::Pattern => self.named_by_text(),
            Test::Address => {
                let is_ip = matches!(self.key.as_str(), "aws:sourceip" | "aws:vpcsourceip");
                (is_ip && are_narrow_networks(&self.values)).then(|| Fence::Network(self.words()))
            }
            Test::Bool => {
                let only_services = self.key == "aws:principalisawsservice"
                    && self.values.iter().all(|v| v.eq_ignore_ascii_case("true"));
                only_services.then(|| Fence::Named(self.words()))
            }
            // `Null` asks whether there is a key, whatever it holds.
            Test::Null | Test::Other => None,
        }
    }

    /// Names of users and tags are not among the keys: any account can make a user of that name, or with that tag.
    fn named_by_text(&self) -> Option<Fence> {
        let all = |test: fn(&str) -> bool| self.values.iter().all(|v| test(v));
        match self.key.as_str() {
            "aws:principalorgid" | "aws:principalorgpaths" | "aws:sourceorgid" | "aws:sourceorgpaths" => {
                let ids = || self.values.iter().map(|v| v.split('/').next().unwrap_or(v));
                ids()
                    .all(|id| id.starts_with("o-") && fixed_start(id) == id)
                    .then(|| Fence::Organizations(ids().map(str::to_owned).collect()))
            }
            "aws:principalaccount"
            | "aws:sourceaccount"
            | "aws:sourceowner"
            | "kms:calleraccount"
            | "s3:dataaccesspointaccount" => all(is_account).then(|| Fence::Accounts(self.values.clone())),
            "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn" => self.arns(),
            "aws:userid" => all(is_user_id).then(|| Fence::Named(self.words())),
            "aws:principalservicename" => Some(Fence::Named(self.words())),
            // Ids are drawn by lot: a part of one is soon drawn again.
            "aws:sourcevpc" => {
                all(|v| v.starts_with("vpc-") && fixed_start(v) == v).then(|| Fence::Network(self.words()))
            }
            "aws:sourcevpce" => {
                all(|v| v.starts_with("vpce-") && fixed_start(v) == v).then(|| Fence::Network(self.words()))
            }
            _ => None,
        }
    }

    fn arns(&self) -> Option<Fence> {
        let mut accounts = Vec::new();
        for arn in &self.values {
            let account = crate::actor::account_of_arn(arn);
            if is_account(account) {
                accounts.push(account.to_owned());
            } else if !names_the_only_one(arn) {
                return None;
            }
        }
        // Whose a bucket is cannot be told; beside it, accounts can.
        Some(if accounts.is_empty() { Fence::Named(self.words()) } else { Fence::Accounts(accounts) })
    }

    /// The key and its values, for people.
    fn words(&self) -> String {
        format!("{} {}", self.key, shorten(&self.values))
    }
}

/// Twelve digits.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether an ARN holds no account because there is only one resource of the name, as of a bucket.
fn names_the_only_one(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(2);
    let (Some(service), Some(_), Some(account), Some(name)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let name = if service == "s3" { name.split('/').next().unwrap_or(name) } else { name };
    (account.is_empty() || (service == "s3" && is_anything(account)))
        && !name.is_empty()
        && fixed_start(name) == name
}

/// Whether an `aws:userid` is one principal's: `AIDA…`, or `AROA…:` and whatever its sessions are called.
fn is_user_id(value: &str) -> bool {
    const WHOLE: usize = 20;
    let fixed = fixed_start(value);
    let id = fixed.split(':').next().unwrap_or(fixed);
    id.len() > 4 && (fixed == value || fixed.contains(':') || id.len() >= WHOLE)
}

/// Whether address ranges each hold no more than a /8 (of IPv6 a /16), and together no more than two of these: wider ones
/// are the internet in pieces.
fn are_narrow_networks(ranges: &[String]) -> bool {
    const WIDEST: [f64; 2] = [1.0 / 256.0, 1.0 / 65_536.0];
    let mut shares = [0.0; 2];
    for range in ranges {
        let (address, bits) = range.split_once('/').map_or((range.as_str(), None), |(a, b)| (a, Some(b)));
        let (family, whole) = match address.parse() {
            Ok(IpAddr::V4(_)) => (0, 32),
            Ok(IpAddr::V6(_)) => (1, 128),
            Err(_) => return false,
        };
        let Some(bits) = bits.map_or(Some(whole), |b| b.parse().ok().filter(|b| *b <= whole)) else {
            return false;
        };
        let share = 0.5_f64.powi(bits);
        shares[family] += share;
        if share > WIDEST[family] || shares[family] > 2.0 * WIDEST[family] {
            return false;
        }
    }
    true
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
            (r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","172.16.0.0/12","192.0.2.7"]}}"#, Some("Network")),
            (r#"{"IpAddress":{"aws:SourceIp":["1.0.0.0/8","2.0.0.0/8","3.0.0.0/8"]}}"#, None),
            (r#"{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}"#, Some("Network")),
            (r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/99"}}"#, None),
            (r#"{"IpAddress":{"aws:SourceIp":"everywhere"}}"#, None),
            (r#"{"FooBar":{"aws:SourceIp":"203.0.113.0/24"}}"#, None),
            (r#"{"StringEquals":{"aws:SourceIp":"203.0.113.0/24"}}"#, None),
            (r#"{"Null":{"aws:SourceVpc":"true"}}"#, None),
            (r#"{"Null":{"aws:SourceVpce":"false"}}"#, None),
            (r#"{"Null":{"aws:PrincipalTag/x":"false"}}"#, None),
            (r#"{"Bool":{"aws:PrincipalIsAWSService":"false"}}"#, None),
            (r#"{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#, Some("Named")),
            (r#"{"StringLike":{"aws:SourceVpc":"vpc-*"}}"#, None),
            (r#"{"StringLike":{"aws:SourceVpc":"vpc-0*"}}"#, None),
            (r#"{"StringLike":{"aws:SourceVpce":["vpce-1","vpce-*"]}}"#, None),
            (r#"{"StringLike":{"aws:userid":"AROA*"}}"#, None),
            (r#"{"StringLike":{"aws:userid":"*:*"}}"#, None),
            (r#"{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}"#, Some("Named")),
            (r#"{"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE123*"}}"#, Some("Named")),
            (r#"{"StringEquals":{"aws:username":"bob"}}"#, None),
            (r#"{"StringEquals":{"aws:PrincipalTag/team":"red"}}"#, None),
            (r#"{"StringLike":{"aws:PrincipalOrgID":"o-??????????"}}"#, None),
            (r#"{"ArnLike":{"aws:SourceArn":["arn:aws:s3:::bucket","arn:aws:s3:::*"]}}"#, None),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::prefix-*"}}"#, None),
            (
                r#"{"ArnLike":{"aws:SourceArn":["arn:aws:s3:::bucket","arn:aws:sns:us-east-1:123456789012:t"]}}"#,
                Some("Accounts"),
            ),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:s3:*:*:bucket"}}"#, Some("Named")),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:topic"}}"#, None),
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
