//! Verdicts on policies that say what their holder may do.

use crate::policy_change::breadth::{ANY_SERVICE, Breadth, breadth};
use crate::policy_change::difference::{actions_cover, quote};
use crate::policy_change::document::{Document, Effect, Elements, Statement};
use crate::policy_change::escalation::{self, Allowed};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, is_wild, matches};
use crate::policy_change::work::Work;

/// Reads of a whole service's data or secrets: the action, and what to call it.
const DATA: [(&str, &str); 12] = [
    ("dynamodb:batchgetitem", "tables of DynamoDB"),
    ("dynamodb:getitem", "tables of DynamoDB"),
    ("dynamodb:query", "tables of DynamoDB"),
    ("dynamodb:scan", "tables of DynamoDB"),
    ("kms:decrypt", "anything encrypted with KMS"),
    ("rds-data:executestatement", "databases of RDS"),
    ("s3:getobject", "objects of S3"),
    ("secretsmanager:getsecretvalue", "secrets of Secrets Manager"),
    ("ssm:getparameter", "parameters of SSM"),
    ("ssm:getparameters", "parameters of SSM"),
    ("ssm:getparametersbypath", "parameters of SSM"),
    ("sqs:receivemessage", "messages of SQS"),
];

/// Verdicts on the document as a whole.
pub(crate) fn judge(document: &Document, work: &Work, out: &mut Vec<Verdict>) {
    let allows = || document.statements.iter().enumerate().filter(|(_, s)| s.effect == Effect::Allow);
    let denied = Denied::of(document, work);
    for (index, statement) in allows() {
        if let Some(code) = wholesale(statement, denied, work) {
            out.push(Verdict::new(code, quote(statement), vec![index]));
        }
    }
    // Who has everything has every path and all data too.
    if out.iter().any(|v| matches!(v.code, Code::Admin | Code::NotActionWide)) {
        return;
    }
    let allowed = Allowed::of(document, work);
    let has_iam = out.iter().any(|v| v.code == Code::IamAll);
    escalation::judge(&allowed, has_iam, work, out);
    data(&allowed, out);
}

/// What the document denies on all resources, whatever the request.
#[derive(Clone, Copy)]
struct Denied {
    everything: bool,
    iam: bool,
}

impl Denied {
    fn of(document: &Document, work: &Work) -> Self {
        let denies = |action: &str, service| {
            let action = Elements::Only(vec![action.to_owned()]);
            escalation::unconditional_denials(document).any(|deny| {
                actions_cover(&deny.actions, &action, work)
                    && breadth(&deny.resources, service, work) == Breadth::All
            })
        };
        Self { everything: denies("*", ANY_SERVICE), iam: denies("iam:*", "iam") }
    }
}

/// `*`, `iam:*`, or everything but a list, on all resources, and what denials leave of it.
fn wholesale(statement: &Statement, denied: Denied, work: &Work) -> Option<Code> {
    let names_iam = |actions: &[String]| actions.iter().any(|a| matches(a, "iam:*", Case::Ignored));
    // Whether it is about everything, and whether about IAM.
    let (everything, iam) = match &statement.actions {
        Elements::Only(actions) => (actions.iter().any(|a| is_everything(a)), names_iam(actions)),
        Elements::AllBut(actions) => (true, !names_iam(actions)),
        Elements::Absent => return None,
    };
    let on = |service| breadth(&statement.resources, service, work).is_broad();
    let everything = everything && !denied.everything && on(ANY_SERVICE);
    let iam = iam && !denied.iam && on("iam");
    match (everything, iam) {
        (true, true) if matches!(statement.actions, Elements::AllBut(_)) => Some(Code::NotActionWide),
        (true, true) => Some(Code::Admin),
        (true, false) => Some(Code::NotActionPower),
        (false, true) => Some(Code::IamAll),
        (false, false) => None,
    }
}

fn is_everything(action: &str) -> bool {
    is_wild(action) || action.split_once(':').is_some_and(|(service, name)| is_wild(service) && is_wild(name))
}

fn data(allowed: &Allowed<'_>, out: &mut Vec<Verdict>) {
    let mut said: Vec<&str> = Vec::new();
    let mut statements = Vec::new();
    for (action, what) in DATA {
        if let Some(grant) = allowed.get(action).filter(|g| g.on_everything)
            && !said.contains(&what)
        {
            said.push(what);
            statements.push(grant.statement);
        }
    }
    if !said.is_empty() {
        statements.sort_unstable();
        statements.dedup();
        out.push(Verdict::new(
            Code::DataWildcard,
            format!("all may be read: {}", said.join(", ")),
            statements,
        ));
    }
}

/// The data actions, for the index of [`Allowed`].
pub(crate) fn data_actions() -> impl Iterator<Item = &'static str> {
    DATA.iter().map(|(action, _)| *action)
}
