//! Which calls change access, from the data files: looked up by the id of an action, once an event.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::action::{Action, stable_hash};
use crate::finding::Severity;
use crate::policy_change::analysis::Kind;
use crate::policy_change::verdict::Code;

/// A document in the parameters.
#[derive(Debug)]
pub(crate) struct DocumentRow {
    /// Where it stands.
    pub(crate) path: &'static str,
    /// When it counts.
    pub(crate) when: &'static str,
    /// What stands there after the call.
    pub(crate) holds: Holds,
    /// What it belongs to.
    pub(crate) subject: &'static str,
}

/// What a call leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A document, read as this.
    Document(Kind),
    /// No document: it was deleted.
    Nothing,
    /// Not even what the document belonged to.
    NoResource,
}

impl Holds {
    fn named(name: &str) -> Option<Self> {
        match name {
            "gone" => Some(Self::Nothing),
            "ended" => Some(Self::NoResource),
            kind => Kind::named(kind).map(Self::Document),
        }
    }
}

/// A grant without a document.
#[derive(Debug)]
pub(crate) struct GrantRow {
    /// When it counts.
    pub(crate) when: &'static str,
    /// What access is to.
    pub(crate) subject: &'static str,
    /// Members naming who gets it.
    pub(crate) parties: &'static str,
    /// What they may do, or `@` and the member that says.
    pub(crate) actions: &'static str,
    /// Members naming who loses it.
    pub(crate) removed: &'static str,
}

/// A call that counts by itself.
#[derive(Debug)]
pub(crate) struct SwitchRow {
    /// `credential`, `exposure`, `federation`, `guardrail`, `loosen`, `tamper`, `attachment`.
    pub(crate) group: &'static str,
    /// When it counts.
    pub(crate) when: &'static str,
    /// How much.
    pub(crate) severity: Severity,
    /// MITRE ATT&CK techniques.
    pub(crate) mitre: Vec<&'static str>,
    /// What it is about.
    pub(crate) subject: &'static str,
    /// What was done, `{}` being the subject.
    pub(crate) says: &'static str,
    /// A stable number of the row: facts remember it.
    pub(crate) id: u64,
}

/// Calls whose parameters take code to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// Attaches a managed policy.
    Attach,
    /// Detaches one.
    Detach,
    /// Makes an earlier version of a policy count.
    SetDefaultVersion,
    /// Opens ports.
    SecurityGroup,
    /// Takes an S3 access control list, by header or body.
    Acl,
}

/// What is known of a call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Documents it carries.
    pub(crate) documents: Vec<DocumentRow>,
    /// Grants it makes.
    pub(crate) grants: Vec<GrantRow>,
    /// What it does by itself, in the order to try.
    pub(crate) switches: Vec<SwitchRow>,
    /// What else.
    pub(crate) special: Option<Special>,
}

impl Call {
    /// Whether the answer tells something of what was done, beside the parameters.
    pub(crate) fn reads_response(&self) -> bool {
        let documents = self.documents.iter().map(|r| r.subject);
        let grants = self.grants.iter().map(|r| r.subject);
        let switches = self.switches.iter().map(|r| r.subject);
        documents.chain(grants).chain(switches).any(|subject| subject.contains('~'))
    }
}

const SPECIAL: [(&str, &str, Special); 16] = [
    ("iam", "AttachGroupPolicy", Special::Attach),
    ("iam", "AttachRolePolicy", Special::Attach),
    ("iam", "AttachUserPolicy", Special::Attach),
    ("sso", "AttachManagedPolicyToPermissionSet", Special::Attach),
    ("iam", "DetachGroupPolicy", Special::Detach),
    ("iam", "DetachRolePolicy", Special::Detach),
    ("iam", "DetachUserPolicy", Special::Detach),
    ("sso", "DetachManagedPolicyFromPermissionSet", Special::Detach),
    ("iam", "SetDefaultPolicyVersion", Special::SetDefaultVersion),
    ("ec2", "AuthorizeSecurityGroupIngress", Special::SecurityGroup),
    ("ec2", "ModifySecurityGroupRules", Special::SecurityGroup),
    ("s3", "CreateBucket", Special::Acl),
    ("s3", "PutBucketAcl", Special::Acl),
    ("s3", "PutObjectAcl", Special::Acl),
    ("s3", "PutObject", Special::Acl),
    ("s3", "CopyObject", Special::Acl),
];

static CALLS: LazyLock<HashMap<u64, Call>> = LazyLock::new(|| {
    let mut calls: HashMap<u64, Call> = HashMap::new();
    let id = |service: &str, name: &str| stable_hash(format!("{service}:{name}").as_bytes());
    for [service, name, path, when, kind, subject] in rows(include_str!("../../data/policy_documents.tsv")) {
        let holds = Holds::named(kind).unwrap_or(Holds::Nothing);
        let row = DocumentRow { path, when, holds, subject };
        calls.entry(id(service, name)).or_default().documents.push(row);
    }
    for [service, name, when, subject, parties, actions, removed] in
        rows(include_str!("../../data/policy_grants.tsv"))
    {
        let row = GrantRow { when, subject, parties, actions, removed };
        calls.entry(id(service, name)).or_default().grants.push(row);
    }
    for [group, service, name, when, severity, mitre, subject, says] in
        rows(include_str!("../../data/access_switches.tsv"))
    {
        let row = SwitchRow {
            group,
            when,
            severity: Severity::ALL.into_iter().find(|s| s.name() == severity).unwrap_or(Severity::Medium),
            mitre: mitre.split_ascii_whitespace().collect(),
            subject,
            says,
            id: stable_hash(format!("{service}:{name}:{when}").as_bytes()),
        };
        calls.entry(id(service, name)).or_default().switches.push(row);
    }
    for (service, name, special) in SPECIAL {
        calls.entry(id(service, name)).or_default().special = Some(special);
    }
    calls
});

/// The rows of a data file with `N` columns.
fn rows<const N: usize>(file: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('\t').collect::<Vec<_>>().try_into().ok())
}

/// What is known of an action's call.
pub(crate) fn of(action: &Action) -> Option<&'static Call> {
    CALLS.get(&action.id.0)
}

/// The row with an id, among those of an action's label.
pub(crate) fn switch(label_hash: u64, id: u64) -> Option<&'static SwitchRow> {
    CALLS.get(&label_hash)?.switches.iter().find(|row| row.id == id)
}

/// The sorts of things that calls change, so that facts, which hold any text, map back to them.
pub(crate) fn kind_of_thing(name: &str) -> &'static str {
    static KINDS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
        let subjects = CALLS.values().flat_map(|call| {
            let documents = call.documents.iter().map(|r| r.subject);
            let grants = call.grants.iter().map(|r| r.subject);
            documents.chain(grants).chain(call.switches.iter().map(|r| r.subject)).collect::<Vec<_>>()
        });
        let mut kinds: BTreeSet<_> =
            subjects.filter_map(|s| s.split_once(':')).map(|(kind, _)| kind).collect();
        kinds.extend(["object", "security group"]);
        kinds
    });
    KINDS.get(name).copied().unwrap_or("resource")
}

/// What an AWS managed policy gives when attached, and takes away when detached.
type Managed = (Option<Code>, Option<Code>);

/// Looks an AWS managed policy up by its ARN.
pub(crate) fn managed(arn: &str) -> Managed {
    static MANAGED: LazyLock<HashMap<&'static str, Managed>> = LazyLock::new(|| {
        let code = |name: &str| Code::ALL.iter().copied().find(|c| c.name() == name);
        rows(include_str!("../../data/managed_policies.tsv"))
            .map(|[name, attached, detached]| (name, (code(attached), code(detached))))
            .collect()
    });
    let name = arn.rsplit('/').next().unwrap_or(arn);
    MANAGED.get(name).copied().unwrap_or_default()
}

/// Where a call names the role it hands to a service.
pub(crate) fn passed_role(action: &Action) -> Option<&'static str> {
    static CARRIERS: LazyLock<HashMap<u64, &'static str>> = LazyLock::new(|| {
        rows(include_str!("../../data/pass_role.tsv"))
            .map(|[service, name, role]| (stable_hash(format!("{service}:{name}").as_bytes()), role))
            .collect()
    });
    CARRIERS.get(&action.id.0).copied()
}

/// Whether an ARN is of a policy that AWS manages.
pub(crate) fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

/// Whether a call nobody listed may carry a policy: it writes, and is no stream of data.
pub(crate) fn may_carry_policy(action: &Action) -> bool {
    const WRITES: [&str; 12] = [
        "Add",
        "Apply",
        "Associate",
        "Attach",
        "Create",
        "Grant",
        "Import",
        "Modify",
        "Put",
        "Register",
        "Set",
        "Update",
    ];
    const STREAMS: [&str; 14] = [
        "PutLogEvents",
        "PutRecord",
        "PutRecords",
        "PutRecordBatch",
        "PutEvents",
        "PutItem",
        "UpdateItem",
        "PutMetricData",
        "PutTraceSegments",
        "PutTelemetryRecords",
        "CreateLogStream",
        "PutEvaluations",
        "UpdateInstanceInformation",
        "PutObjectTagging",
    ];
    // EC2's network interfaces, instances and volumes come and go all day, and hold no policy.
    let busy = &*action.service == "ec2" && !action.name.contains("Endpoint");
    // What Access Analyzer is asked about is no policy of anything.
    let asks = &*action.service == "access-analyzer";
    !busy
        && !asks
        && WRITES.iter().any(|verb| action.name.starts_with(verb))
        && !STREAMS.contains(&&*action.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_file_is_read() {
        let lines = |file: &str| file.lines().filter(|l| !l.starts_with('#')).count();
        let documents = include_str!("../../data/policy_documents.tsv");
        let grants = include_str!("../../data/policy_grants.tsv");
        let switches = include_str!("../../data/access_switches.tsv");
        assert_eq!(CALLS.values().map(|c| c.documents.len()).sum::<usize>(), lines(documents));
        assert_eq!(CALLS.values().map(|c| c.grants.len()).sum::<usize>(), lines(grants));
        assert_eq!(CALLS.values().map(|c| c.switches.len()).sum::<usize>(), lines(switches));
        for row in CALLS.values().flat_map(|c| &c.switches) {
            assert!(
                row.says.contains("{}") || row.says.contains("own") || row.says.contains("Identity Center"),
                "{row:?}"
            );
            assert!(row.mitre.iter().all(|t| t.starts_with('T')), "{row:?}");
        }
        for [_, _, _, _, kind, _] in rows(documents) {
            assert!(Holds::named(kind).is_some(), "{kind}");
        }
        for [_, attached, detached] in rows(include_str!("../../data/managed_policies.tsv")) {
            for code in [attached, detached] {
                assert!(code.is_empty() || Code::ALL.iter().any(|c| c.name() == code), "{code}");
            }
        }
    }

    #[test]
    fn calls_are_found_whatever_version_they_carry() {
        for (source, name) in [
            ("lambda.amazonaws.com", "AddPermission20150331v2"),
            ("iam.amazonaws.com", "PutRolePolicy"),
            ("cloudfront.amazonaws.com", "UpdateDistribution2020_05_31"),
        ] {
            assert!(of(&Action::new(source, name)).is_some(), "{name}");
        }
        assert!(of(&Action::new("ec2.amazonaws.com", "DescribeInstances")).is_none());
        assert_eq!(managed("arn:aws:iam::aws:policy/AdministratorAccess").0, Some(Code::Admin));
    }
}
