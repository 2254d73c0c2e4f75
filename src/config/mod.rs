//! The configuration: TOML, every field with a default, nothing unknown accepted.
//!
//! A detector's table is its own `Config` type, found through the catalogue: this module knows no detector by name.

mod commented;
mod document;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trailhound_detectors::catalogue::{Configs, Detectors};
use trailhound_detectors::environment::{Learning, Organization};
use trailhound_detectors::{ConfigError, Environment};

use crate::suppress::Suppression;
use document::Document;

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The organisation the trail belongs to, and who is trusted beyond it.
    pub organization: Organization,
    /// When a baseline counts, and how long it is remembered.
    pub learning: Learning,
    /// What hostile or broken input may cost.
    pub limits: Limits,
    /// When an account that used to deliver counts as silent; only the function looks.
    pub coverage: Coverage,
    /// The detectors, a table each.
    pub detectors: Configs,
    /// Findings to stay silent about for a while.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressions: Vec<Suppression>,
}

/// What hostile or broken input may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// A file may be this large as it is stored, MiB; larger ones are not read.
    pub stored_mib: u32,
    /// A file may inflate to this size, MiB; what lies behind is left unread.
    pub inflated_mib: u32,
    /// A file that inflates beyond 1 MiB may become this many times its stored size.
    pub inflation_ratio: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stored_mib: 1_024, inflated_mib: 256, inflation_ratio: 250 }
    }
}

/// When an account that used to deliver counts as silent; only the function looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Coverage {
    /// No account is silent before so many hours without a log object; at least 1.
    pub silent_after_hours: u32,
    /// Nor before this many times its longest pause of the last two weeks; at least 1.
    pub times_usual: f64,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { silent_after_hours: 3, times_usual: 2.0 }
    }
}

impl Config {
    /// The configuration in a file.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The configuration in a text; `name` stands before the line numbers of complaints.
    pub fn parse(text: &str, name: &str) -> Result<Self, LoadError> {
        let refused = |complaints| LoadError::Refused { name: name.to_owned(), complaints };
        let document = Document::parse(text).map_err(|c| refused(vec![c]))?;
        let unknown = document.unknown_names(&Self::schema());
        if !unknown.is_empty() {
            return Err(refused(unknown));
        }
        let config: Self = toml::from_str(text).map_err(|e| refused(vec![document.misfit(&e)]))?;
        let complaints: Vec<_> =
            config.problems().iter().map(|p| document.complaint(&p.path, &p.reason)).collect();
        if complaints.is_empty() { Ok(config) } else { Err(refused(complaints)) }
    }

    /// The configured detectors.
    pub fn detectors(&self) -> Result<Detectors, (&'static str, ConfigError)> {
        Detectors::new(&self.detectors)
    }

    /// The default as TOML, every field with its documentation.
    pub fn commented_default() -> String {
        // Defaults are plain values: there is nothing in them that TOML can't say.
        commented::default().unwrap_or_default()
    }

    /// Its JSON schema.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// What detectors may know of it.
    pub fn environment(&self) -> Environment {
        Environment { organization: self.organization.clone(), learning: self.learning.clone() }
    }

    /// Names what judged: alerts carry it. Comments and order do not matter to it, values do.
    pub fn digest(&self) -> Arc<str> {
        // A configuration is plain values under string keys: there is nothing in it that JSON can't say.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        let mut digest = String::from("sha256:");
        for byte in Sha256::digest(&canonical) {
            use fmt::Write as _;
            let _ = write!(digest, "{byte:02x}");
        }
        digest.into()
    }

    /// Values that can't be.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let organization = &self.organization;
        if !organization.id.is_empty() && !organization.id.starts_with("o-") {
            problems.push(Problem::new("organization.id", "an organisation's id starts with `o-`"));
        }
        let lists = [
            ("organization.accounts", organization.accounts.iter().collect::<Vec<_>>()),
            ("organization.trusted_accounts", organization.trusted_accounts.iter().collect()),
            ("organization.vendor_accounts", organization.vendor_accounts.keys().collect()),
        ];
        for (path, accounts) in lists {
            for account in accounts.into_iter().filter(|a| !is_account(a)) {
                problems.push(Problem::new(path, format!("`{account}` is no account id of 12 digits")));
            }
        }
        for (path, value) in [
            ("coverage.silent_after_hours", self.coverage.silent_after_hours),
            ("limits.stored_mib", self.limits.stored_mib),
            ("limits.inflated_mib", self.limits.inflated_mib),
            ("limits.inflation_ratio", self.limits.inflation_ratio),
        ] {
            if value == 0 {
                problems.push(Problem::new(path, "must be at least 1"));
            }
        }
        // Of hours that were as all others facts keep little: judging must see the days that made them so.
        let Learning { days, forget_after_days, lateness_minutes } = self.learning;
        if forget_after_days < Learning::LEAST_MEMORY_DAYS {
            let least = format!("must be at least {}", Learning::LEAST_MEMORY_DAYS);
            problems.push(Problem::new("learning.forget_after_days", least));
        }
        if lateness_minutes > Learning::MOST_LATENESS_MINUTES {
            let most = format!("must be at most {}, a day", Learning::MOST_LATENESS_MINUTES);
            problems.push(Problem::new("learning.lateness_minutes", most));
        }
        if !self.coverage.times_usual.is_finite() || self.coverage.times_usual < 1.0 {
            problems.push(Problem::new("coverage.times_usual", "must be a number from 1 on"));
        }
        if days > forget_after_days {
            problems.push(Problem::new(
                "learning.days",
                "longer than `forget_after_days`: nothing would ever be learnt",
            ));
        }
        if let Err((detector, ConfigError { field, reason })) = self.detectors() {
            problems.push(Problem::new(format!("detectors.{detector}.{field}"), reason));
        }
        for (i, suppression) in self.suppressions.iter().enumerate() {
            if let Err(ConfigError { field, reason }) = suppression.check() {
                problems.push(Problem::new(format!("suppressions.{i}.{field}"), reason));
            }
        }
        problems
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A value that can't be, by the dotted path of its field.
struct Problem {
    path: String,
    reason: String,
}

impl Problem {
    fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), reason: reason.into() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read the configuration {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was read, and is not right.
    #[error("{}", complaints.iter().map(|c| format!("{name}:{c}")).collect::<Vec<_>>().join("\n"))]
    Refused {
        /// The file, as it was named.
        name: String,
        /// Everything wrong with it.
        complaints: Vec<Complaint>,
    },
}

/// Something wrong at one place of the text: `12:3: unknown field …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

#[cfg(test)]
mod tests;
