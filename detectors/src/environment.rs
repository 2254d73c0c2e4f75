//! What the configuration says about the world: organisation, trusted accounts, learning, retention.
//! Shared by all detectors, and part of judging only.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::DAY;

/// The world as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// The organisation the trail belongs to.
    pub organization: Organization,
    /// Learning and forgetting.
    pub learning: Learning,
}

/// The organisation, and who is trusted beyond it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// The organisation's id, `o-…`.
    pub id: String,
    /// Its member accounts (12 digits).
    pub accounts: BTreeSet<String>,
    /// Accounts outside the organisation that may be given access without an alert.
    pub trusted_accounts: BTreeSet<String>,
    /// Further vendor accounts, by account id, with the vendor's name. They add to the built-in list.
    pub vendor_accounts: BTreeMap<String, String>,
    /// ARN patterns (`*`, `?`) of resources whose exposure is graver than others'.
    pub sensitive_resources: Vec<String>,
    /// ARN patterns of roles that deploy: their usual policy changes are one level milder, never public or admin ones.
    pub deploy_roles: Vec<String>,
}

/// When a baseline counts, and how long it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// An actor or account younger than this is still being learnt, days.
    pub days: u32,
    /// What was not seen for this long counts as new again, days; at least 20.
    pub forget_after_days: u32,
    /// A record delivered later than this after its event is late, minutes; at most 1440, a day.
    pub lateness_minutes: u32,
}

impl Default for Learning {
    fn default() -> Self {
        Self { days: 14, forget_after_days: 90, lateness_minutes: 180 }
    }
}

impl Learning {
    /// The least [`Learning::forget_after_days`] may be: what is usual is told by the two weeks before a day, and whether
    /// something is told depends on what was told five days before.
    pub const LEAST_MEMORY_DAYS: u32 = 20;
    /// The most [`Learning::lateness_minutes`] may be: what is usual is told by days that ended a day before.
    pub const MOST_LATENESS_MINUTES: u32 = 1_440;

    /// The learning period in seconds.
    pub fn seconds(&self) -> i64 {
        i64::from(self.days) * DAY
    }

    /// The forgetting period in seconds.
    pub fn forget_seconds(&self) -> i64 {
        i64::from(self.forget_after_days.max(1)) * DAY
    }

    /// The lateness horizon in seconds.
    pub fn lateness_seconds(&self) -> i64 {
        i64::from(self.lateness_minutes) * 60
    }
}
