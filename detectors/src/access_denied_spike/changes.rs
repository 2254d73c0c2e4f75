//! Changes to policies and roles, as far as they explain refusals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::action::{Action, stable_hash};
use crate::event::Event;
use crate::event_id::EventId;
use crate::json::{Member, Raw};
use crate::lattice::{Join, Set};
use crate::ledger::Strings;
use crate::time::{EventTime, MINUTE};

/// A change to what somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) time: EventTime,
    pub(crate) event_id: EventId,
    /// Who changed it.
    pub(crate) actor: Arc<str>,
    /// `service:name`.
    pub(crate) action: Arc<str>,
    /// What was changed: a policy, role, user, bucket, key.
    pub(crate) target: Arc<str>,
}

/// The earliest changes of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Earliest(BTreeSet<Change>);

impl Earliest {
    const KEPT: usize = 8;

    /// Whether a change of this time may be among them.
    fn wants(&self, time: EventTime) -> bool {
        self.0.len() < Self::KEPT || self.0.last().is_none_or(|last| time <= last.time)
    }

    fn insert(&mut self, change: Change) {
        self.0.insert(change);
        if self.0.len() > Self::KEPT {
            self.0.pop_last();
        }
    }
}

impl Join for Earliest {
    fn join(&mut self, other: &Self) {
        for change in &other.0 {
            self.insert(change.clone());
        }
    }
}

/// Stretches of ten minutes: as exact as explaining needs.
const STRETCH: i64 = 10 * MINUTE;

fn stretch(time: EventTime) -> i64 {
    time.0.div_euclid(STRETCH)
}

/// Changes in one account: bounded by the stretches of a day, and by the roles made in one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Changes {
    policies: BTreeMap<i64, Earliest>,
    /// Roles made, or whose trust was changed: the hash of the name, and when.
    fresh_roles: Set<(u64, i64)>,
}

impl Join for Changes {
    fn join(&mut self, other: &Self) {
        self.policies.join(&other.policies);
        self.fresh_roles.join(&other.fresh_roles);
    }
}

impl Changes {
    /// Takes in an event for which [`matters`] holds.
    pub(crate) fn learn(&mut self, event: &Event<'_>, strings: &mut Strings) {
        let name = &*event.action.name;
        if matches!(name, "CreateRole" | "UpdateAssumeRolePolicy")
            && let Some(role) = event.parts.request.top_str_of(&ROLE_NAME)
        {
            self.fresh_roles.0.insert((stable_hash(role.as_bytes()), stretch(event.time)));
        }
        if name == "CreateRole" {
            return;
        }
        let earliest = self.policies.entry(stretch(event.time)).or_default();
        if earliest.wants(event.time) {
            earliest.insert(Change {
                time: event.time,
                event_id: EventId::new(event.event_id),
                actor: Arc::clone(&event.actor.id),
                action: Arc::clone(&event.action.label),
                target: strings.share(&target(&event.parts.request)),
            });
        }
    }

    /// The changes in the `seconds` before a moment, newest first.
    pub(crate) fn before(&self, time: EventTime, seconds: i64) -> impl Iterator<Item = &Change> {
        self.policies
            .range(stretch(time.plus(-seconds))..=stretch(time))
            .rev()
            .flat_map(|(_, changes)| changes.0.iter().rev())
            .filter(move |change| change.time <= time && change.time.0 > time.0 - seconds)
    }

    /// The role of this name was made, or its trust changed, within about `seconds` before a moment.
    pub(crate) fn is_fresh_role(&self, name: &str, time: EventTime, seconds: i64) -> bool {
        let hash = stable_hash(name.as_bytes());
        let stretches = (hash, stretch(time.plus(-seconds)))..=(hash, stretch(time));
        self.fresh_roles.0.range(stretches).next().is_some()
    }

    /// Drops what is older than `horizon`.
    pub(crate) fn forget(&mut self, horizon: EventTime) {
        self.policies = self.policies.split_off(&stretch(horizon));
        self.fresh_roles.0.retain(|(_, made)| *made >= stretch(horizon));
    }
}

/// Whether a call changes what somebody may do: policies of all sorts, permission sets, roles.
pub(crate) fn matters(action: &Action) -> bool {
    let name = &*action.name;
    match &*action.service {
        "iam" => {
            let is_policy = name.ends_with("Policy") || name.ends_with("PolicyVersion");
            (is_policy && !name.starts_with("Get") && !name.starts_with("Simulate"))
                || name.ends_with("PermissionsBoundary")
                || matches!(name, "CreateRole" | "RemoveUserFromGroup")
        }
        "organizations" => {
            matches!(name, "MoveAccount" | "EnablePolicyType" | "DisablePolicyType")
                || (name.ends_with("Policy") && !name.starts_with("Describe"))
        }
        "sso" => name.ends_with("PermissionSet") && !name.starts_with("Get") && !name.starts_with("Describe"),
        "s3" => matches!(name, "PutBucketPolicy" | "DeleteBucketPolicy"),
        "kms" => name == "PutKeyPolicy",
        "ec2" => name == "ModifyVpcEndpoint",
        _ => false,
    }
}

static ROLE_NAME: LazyLock<Member> = LazyLock::new(|| Member::new("roleName"));

/// What a change was made to: the first of these members that is there.
fn target<'a>(request: &Raw<'a>) -> Cow<'a, str> {
    const MEMBERS: [&str; 9] = [
        "policyId",
        "roleName",
        "userName",
        "groupName",
        "policyArn",
        "permissionSetArn",
        "bucketName",
        "keyId",
        "name",
    ];
    request.first_top_str(&MEMBERS).unwrap_or_default()
}
