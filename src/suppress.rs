//! Findings somebody has looked at and does not want to hear of for a while.
//!
//! A suppression silences alerts, never learning: it is asked after judging. It ends by *event* time: a finding that
//! reaches past the expiry is kept, in a replay years later as well as live. Everything silenced is counted.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trailhound_detectors::action::{service_of, strip_version};
use trailhound_detectors::finding::{Evidence, Finding};
use trailhound_detectors::time::DAY;
use trailhound_detectors::{ConfigError, EventTime};

/// Findings to stay silent about. Every matcher given must match; at least one is needed. In patterns `*` stands for any
/// characters and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Suppression {
    /// Why it is right to stay silent. Required.
    pub reason: String,
    /// The last day (UTC) it holds for, by event time: `2026-12-31`. Required.
    pub expires: Day,
    /// Who to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Pattern of the detector's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<Pattern>,
    /// Pattern of the finding's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Pattern>,
    /// Pattern of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Pattern>,
    /// Pattern of the actor's id: the ARN of a role or user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Pattern>,
    /// Pattern of the id of what the finding is about: a bucket's or function's ARN, a role…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<Pattern>,
    /// Pattern of `service:Name`, as in `s3:PutBucketPolicy`. All evidence of the finding must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Pattern>,
    /// Address, CIDR range, or pattern of a service's name. All evidence of the finding must match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Suppression {
    /// What is wrong with it, if anything is.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.reason.trim().is_empty() {
            return Err(ConfigError::new("reason", "say why it is right to stay silent"));
        }
        if self.expires == Day::default() {
            return Err(ConfigError::new("expires", "give the last day it holds for, such as 2026-12-31"));
        }
        let patterns = [&self.detector, &self.kind, &self.account, &self.actor, &self.entity, &self.event];
        let narrow = patterns.into_iter().flatten().any(|p| p.0.bytes().any(|b| b != b'*'));
        if !narrow && self.source.is_none() {
            return Err(ConfigError::new(
                "reason",
                "a suppression needs a detector, kind, account, actor, entity, event or source to match; \
                 this one would silence everything",
            ));
        }
        Ok(())
    }

    /// Whether it is about this finding, expired or not.
    fn matches(&self, finding: &Finding) -> bool {
        let is = |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_none_or(|p| p.matches(text));
        let actor = finding.actor.as_ref().map_or("", |a| a.id.as_str());
        is(&self.detector, finding.detector)
            && is(&self.kind, finding.kind)
            && is(&self.account, &finding.account)
            && is(&self.actor, actor)
            && is(&self.entity, &finding.entity.id)
            && self.event.as_ref().is_none_or(|p| all(&finding.evidence, |e| p.matches(&label(e))))
            && self.source.as_ref().is_none_or(|s| all(&finding.evidence, |e| s.matches(&e.source_ip)))
    }
}

/// A finding without evidence must not slip through as "all of it matches".
fn all(evidence: &[Evidence], test: impl Fn(&Evidence) -> bool) -> bool {
    !evidence.is_empty() && evidence.iter().all(test)
}

fn label(evidence: &Evidence) -> String {
    format!("{}:{}", service_of(&evidence.source).to_ascii_lowercase(), strip_version(&evidence.name))
}

/// Findings, sifted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sifted {
    /// Findings to tell of, in their order.
    pub kept: Vec<Finding>,
    /// What was silenced, one entry a suppression, in the configuration's order.
    pub silenced: Vec<Silenced>,
}

/// What one suppression did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silenced {
    /// Its reason.
    pub reason: String,
    /// Its last day.
    pub expires: Day,
    /// Findings it silenced.
    pub count: u64,
    /// Findings it would have silenced, had it not expired.
    pub expired: u64,
}

/// Sifts findings. The first suppression that matches counts it.
pub fn sift(mut findings: Vec<Finding>, suppressions: &[Suppression]) -> Sifted {
    let mut silenced: Vec<Silenced> = suppressions
        .iter()
        .map(|s| Silenced { reason: s.reason.clone(), expires: s.expires, count: 0, expired: 0 })
        .collect();
    findings.retain(|finding| {
        for (suppression, silenced) in suppressions.iter().zip(&mut silenced) {
            if suppression.matches(finding) {
                if suppression.expires.holds_at(finding.window.end) {
                    silenced.count += 1;
                    return false;
                }
                silenced.expired += 1;
            }
        }
        true
    });
    Sifted { kept: findings, silenced }
}

/// A text in which `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether the whole text matches. Time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on after a mismatch: behind the last star, one byte further into the text.
        let mut retry = None;
        while t < text.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, t));
                }
                Some(&b) if b == text[t] => (p, t) = (p + 1, t + 1),
                Some(b'?') => {
                    p += 1;
                    t += 1;
                    while text.get(t).is_some_and(|b| b & 0xC0 == 0x80) {
                        t += 1;
                    }
                }
                _ => match &mut retry {
                    Some((behind_star, from)) => {
                        *from += 1;
                        (p, t) = (*behind_star, *from);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }
}

/// Where calls came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// Addresses that share the first bits with one.
    Network {
        /// Any address inside.
        address: IpAddr,
        /// How many leading bits count.
        bits: u8,
    },
    /// `sourceIPAddress` may be the name of a service.
    Name(Pattern),
}

impl Source {
    /// Whether a `sourceIPAddress` is meant.
    pub fn matches(&self, source_ip: &str) -> bool {
        match self {
            Self::Name(pattern) => pattern.matches(source_ip),
            Self::Network { address, bits } => match (address, source_ip.parse()) {
                (IpAddr::V4(net), Ok(IpAddr::V4(ip))) => {
                    leading_bits_equal(u128::from(net.to_bits()) << 96, u128::from(ip.to_bits()) << 96, *bits)
                }
                (IpAddr::V6(net), Ok(IpAddr::V6(ip))) => {
                    leading_bits_equal(net.to_bits(), ip.to_bits(), *bits)
                }
                _ => false,
            },
        }
    }
}

fn leading_bits_equal(a: u128, b: u128, bits: u8) -> bool {
    (a ^ b).leading_zeros() >= u32::from(bits)
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network { address, bits: if address.is_ipv4() { 32 } else { 128 } });
        }
        if let Some((address, bits)) = text.split_once('/') {
            let parsed = address.parse::<IpAddr>().ok().zip(bits.parse::<u8>().ok());
            return match parsed {
                Some((address, bits)) if bits <= if address.is_ipv4() { 32 } else { 128 } => {
                    Ok(Self::Network { address, bits })
                }
                _ => Err(format!("`{text}` is no address range: write it like 203.0.113.0/24")),
            };
        }
        if text.is_empty() {
            return Err("an empty source matches nothing: give an address, a range or a name".into());
        }
        Ok(Self::Name(Pattern(text)))
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        match source {
            Source::Network { address, bits } => format!("{address}/{bits}"),
            Source::Name(pattern) => pattern.0,
        }
    }
}

impl JsonSchema for Source {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["203.0.113.9", "203.0.113.0/24", "*.amazonaws.com"] })
    }
}

/// A calendar day in UTC, written `2026-12-31`, in TOML with or without quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "WrittenDay", into = "String")]
pub struct Day(jiff::civil::Date);

impl Day {
    /// Whether a time lies on this day or before.
    pub fn holds_at(self, time: EventTime) -> bool {
        let midnight = self.0.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC);
        midnight.is_ok_and(|m| time < EventTime(m.timestamp().as_second().saturating_add(DAY)))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenDay {
    Toml(toml::value::Datetime),
    Text(String),
}

impl TryFrom<WrittenDay> for Day {
    type Error = String;

    fn try_from(written: WrittenDay) -> Result<Self, String> {
        let text = match written {
            WrittenDay::Toml(datetime) => datetime.to_string(),
            WrittenDay::Text(text) => text,
        };
        text.parse().map(Self).map_err(|_| format!("`{text}` is no day: write it like 2026-12-31"))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl JsonSchema for Day {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date", "examples": ["2026-12-31"] })
    }
}

#[cfg(test)]
mod tests;
