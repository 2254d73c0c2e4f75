//! What a document, grant or switch comes to, and how much that matters.

use serde::Serialize;

use crate::finding::Severity;

/// One judgement, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What was found.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// A sentence that quotes the statement.
    pub text: String,
    /// The statements it rests on, by position from 0.
    #[serde(skip)]
    pub statements: Vec<usize>,
}

impl Verdict {
    /// A verdict with the severity of its code.
    pub(crate) fn new(code: Code, text: String, statements: Vec<usize>) -> Self {
        Self { code, severity: code.severity(), text, statements }
    }
}

macro_rules! codes {
    ($($code:ident $name:literal $severity:ident [$($mitre:literal),*] $title:literal $meaning:literal;)+) => {
        /// What was found: the severity table. The same table stands in the detector's documentation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $name)] $code,)+
        }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => $name),+ }
            }

            /// How much it matters by itself.
            pub fn severity(self) -> Severity {
                match self { $(Self::$code => Severity::$severity),+ }
            }

            /// MITRE ATT&CK techniques it serves.
            pub fn mitre(self) -> &'static [&'static str] {
                match self { $(Self::$code => &[$($mitre),*]),+ }
            }

            /// What a title says of it.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title),+ }
            }

            /// What it means, in one line.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$code => $meaning),+ }
            }
        }
    };
}

codes! {
    PublicTrust "public_trust" Critical ["T1098.003", "T1199"] "can be assumed by anyone" "any AWS principal may assume the role";
    PublicControl "public_control" Critical ["T1537", "T1098"] "is open to the world for more than reading" "anyone may write, manage or do everything";
    Public "public" High ["T1537", "T1530"] "is open to the world" "anyone may read or use it";
    PublicApi "public_api" Low ["T1190"] "is an API open to the world" "anyone may call the API, which is what most are for";
    PublicFenced "public_fenced" Low ["T1530"] "is open to the world behind a condition" "`*`, but for a condition on network, source or unique id";
    OtherAccountTrust "other_account_trust" High ["T1098.003", "T1199"] "can be assumed from an unknown account" "the role trusts an account nobody configured";
    OtherAccount "other_account" High ["T1537"] "is shared with an unknown account" "an account nobody configured gets access";
    OtherOrganization "other_organization" Medium ["T1537"] "is shared with an organization" "all of an organization other than the configured one gets access";
    VendorWithoutExternalId "vendor_without_external_id" Medium ["T1199"] "trusts a vendor without an external id" "another customer of the vendor could have it assume the role";
    Vendor "vendor" Low ["T1199"] "gives a vendor access" "an account known to be a vendor's gets access";
    KnownAccount "known_account" Informational ["T1199"] "is shared with a known account" "an account of the organization, or a trusted one, gets access";
    ConfusedDeputy "confused_deputy" Medium ["T1199"] "lets an AWS service act for anyone" "a service may use it whoever it acts for: no aws:SourceArn, aws:SourceAccount or aws:SourceOrgID";
    ServiceDelivery "service_delivery" Informational ["T1199"] "lets an AWS service write to it" "a service may deliver into it, and is not told for whom";
    WebIdentity "web_identity" High ["T1484.002", "T1199"] "trusts tokens of any subject" "an identity provider's tokens count whoever they were issued to";
    Saml "saml" Medium ["T1484.002"] "trusts SAML assertions of any audience" "SAML assertions count whatever their audience";
    Federated "federated" Informational ["T1484.002"] "trusts an identity provider" "an identity provider's users may assume the role, with conditions";
    Admin "admin" High ["T1098.003"] "gets administrator rights" "everything is allowed on everything";
    IamAll "iam_all" High ["T1098.003"] "gets all of IAM" "all of IAM is allowed: as good as everything";
    NotActionWide "not_action" High ["T1098.003"] "gets everything but a few actions" "`NotAction` in an Allow leaves IAM in";
    NotActionPower "not_action_power" Medium ["T1098.003"] "gets everything but IAM" "`NotAction` in an Allow leaves all but IAM in";
    Escalation "escalation" High ["T1098.003", "T1548.005"] "gets a path to more rights" "the actions complete a privilege-escalation path";
    EscalationByService "escalation_by_service" Medium ["T1548.005", "T1078.004"] "gets a path to a role's rights" "the actions reach a role's rights through a service or its credentials";
    EscalationNarrow "escalation_narrow" Informational ["T1548.005"] "gets a path to more rights within named resources" "as above, but on named resources only";
    DataWildcard "data_wildcard" Medium ["T1530", "T1552"] "gets all data of a service" "data or secrets of a whole service may be read";
    CedarAll "cedar_all" Medium ["T1098.003"] "permits everything" "a Cedar policy permits everything to everyone the application or trust provider knows";
    Quarantined "quarantined" High ["T1552", "T1078.004"] "is quarantined by AWS" "AWS found a key of the user in public and took rights away from it";
    NotSeen "not_seen" Low ["T1098.003"] "gets a policy whose text is not known" "a customer's own policy is attached, and none of the calls that wrote it was seen";
    DenyRemoved "deny_removed" Medium ["T1484", "T1562"] "loses a Deny" "a Deny statement is gone or narrower";
    GuardrailWeakened "guardrail_weakened" High ["T1484", "T1562"] "loses a guardrail" "a Deny of an organization policy is gone or narrower";
    NetworkOpen "network_open" Informational ["T1562.007"] "is open to the internet" "a port meant to be public is open to the internet";
    NetworkAdmin "network_admin" High ["T1562.007", "T1190"] "opens an administration port or everything to the internet" "remote access, a database or all traffic is open to the internet";
    NetworkPort "network_port" Medium ["T1562.007", "T1190"] "opens a port to the internet" "another port is open to the internet";
    Switch "switch" Medium [] "was switched" "a call that changes access, detection or credentials by itself: severity by call";
    Omitted "omitted" High ["T1098"] "changed by a call whose parameters were left out of the log" "the parameters were too large for the log: nobody saw what changed";
    Unreadable "unreadable" Medium ["T1098"] "has a policy that can't be read" "the document is malformed, too long or too deep";
    Intricate "too_intricate" Medium ["T1098"] "has a policy too intricate to judge" "judging the document takes more work than any real policy does, so it was judged in part";
    Undecided "undecided" Low ["T1098"] "changed in a way that can't be judged" "what is needed to judge is not in the log or not known yet";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_holds_the_same_table() {
        let docs = include_str!("README.md");
        for code in Code::ALL {
            let row = format!(
                "| `{}` | {} | {} | {} |",
                code.name(),
                code.severity(),
                code.meaning(),
                code.mitre().join(", ")
            );
            assert!(docs.contains(&row), "missing in README.md: {row}");
        }
    }
}
