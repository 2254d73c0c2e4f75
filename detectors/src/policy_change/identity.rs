//! Verdicts on policies that say what their holder may do.

use crate::policy_change::difference::{is_broad, quote};
use crate::policy_change::document::{Document, Effect, Elements, Statement};
use crate::policy_change::escalation::{self, Allowed};
use crate::policy_change::verdict::{Code, Verdict};
use crate::policy_change::wildcard::{Case, is_anything, matches};
use crate::policy_change::work::Work;

/// Reads of a whole service's data or secrets: the action, and what to call it.
const DATA: [(&str, &str); 8] = [
    ("dynamodb:scan", "tables of DynamoDB"),
    ("kms:decrypt", "anything encrypted with KMS"),
    ("rds-data:executestatement", "databases of RDS"),
    ("s3:getobject", "objects of S3"),
    ("secretsmanager:getsecretvalue", "secrets of Secrets Manager"),
    ("ssm:getparameter", "parameters of SSM"),
    ("ssm:getparameters", "parameters of SSM"),
    ("sqs:receivemessage", "messages of SQS"),
];

/// Verdicts on the document as a whole.
pub(crate) fn judge(document: &Document, work: &Work, out: &mut Vec<Verdict>) {
    let allows = || document.statements.iter().enumerate().filter(|(_, s)| s.effect == Effect::Allow);
    for (index, statement) in allows() {
        if let Some(code) = wholesale(statement) {
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

/// `*`, `iam:*`, or everything but a list, on all resources.
fn wholesale(statement: &Statement) -> Option<Code> {
    if !is_broad(&statement.resources) {
        return None;
    }
    match &statement.actions {
        Elements::Only(actions) if actions.iter().any(|a| is_everything(a)) => Some(Code::Admin),
        Elements::Only(actions) if actions.iter().any(|a| matches(a, "iam:*", Case::Ignored)) => {
            Some(Code::IamAll)
        }
        Elements::AllBut(actions) => {
            let without_iam = actions.iter().any(|a| matches(a, "iam:*", Case::Ignored));
            Some(if without_iam { Code::NotActionPower } else { Code::NotActionWide })
        }
        _ => None,
    }
}

fn is_everything(action: &str) -> bool {
    is_anything(action) || action.split_once(':').is_some_and(|(s, a)| is_anything(s) && is_anything(a))
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
