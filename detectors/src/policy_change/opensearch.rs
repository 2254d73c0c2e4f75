//! Rules of OpenSearch Serverless: who may come over the network, and who may read and write.
//!
//! Their form: AWS, OpenSearch Serverless, "Network access" and "Data access control".

use crate::json::{self, Value, one_or_many};
use crate::policy_change::analysis::{self, Setting};
use crate::policy_change::document::{
    Document, Effect, Elements, MAX_BYTES, MAX_STATEMENTS, Principal, PrincipalKind, Statement, Unreadable,
};
use crate::policy_change::path::{member, strings};
use crate::policy_change::verdict::{Code, Verdict};

/// Whether a text is such rules, and no policy.
pub(crate) fn looks_like(text: &str) -> bool {
    // Most texts need not be parsed for this.
    text.len() <= MAX_BYTES
        && text.contains("Rules")
        && !text.contains("Statement")
        && json::parse(text).is_ok_and(|value| policies(&value).is_ok())
}

/// Verdicts on a text of rules. Those of the network say from where, access rules say who: a stranger needs both.
pub(crate) fn judge(text: &str, setting: &Setting<'_>) -> Result<Vec<Verdict>, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable::TooLong);
    }
    let value = json::parse(text)?;
    let policies = policies(&value)?;
    let statements = policies.iter().filter_map(access).collect();
    let mut verdicts = analysis::judge(&Document { statements }, setting);
    if policies.iter().any(|policy| member(policy, "AllowFromPublic") == Some(&Value::Bool(true))) {
        let said = "collections may be reached from the internet, access rules permitting";
        verdicts.push(Verdict::new(Code::PublicFenced, said.to_owned(), Vec::new()));
    }
    Ok(verdicts)
}

fn policies(value: &Value) -> Result<&[Value], Unreadable> {
    let policies = one_or_many(value);
    if policies.len() > MAX_STATEMENTS {
        return Err(Unreadable::TooManyStatements);
    }
    let are_rules = !policies.is_empty() && policies.iter().all(|p| member(p, "Rules").is_some());
    are_rules.then_some(policies).ok_or(Unreadable::NoRules)
}

/// An access policy as the statement it comes to; other policies name no principals.
fn access(policy: &Value) -> Option<Statement> {
    let mut principals = Vec::new();
    strings(member(policy, "Principal")?, &mut principals);
    let all = |name: &str| {
        let mut texts = Vec::new();
        let rules = one_or_many(member(policy, "Rules")?);
        rules.iter().filter_map(|rule| member(rule, name)).for_each(|value| strings(value, &mut texts));
        (!texts.is_empty()).then(|| Elements::Only(texts.into_iter().map(str::to_owned).collect()))
    };
    Some(Statement {
        sid: String::new(),
        effect: Effect::Allow,
        principals: Elements::Only(principals.into_iter().map(principal).collect()),
        actions: all("Permission").unwrap_or(Elements::Absent),
        resources: all("Resource").unwrap_or(Elements::Absent),
        conditions: Vec::new(),
    })
}

/// An ARN, or `saml/ACCOUNT/PROVIDER/user/NAME`, which is the account's.
fn principal(text: &str) -> Principal {
    let account = text.strip_prefix("saml/").and_then(|rest| rest.split('/').next());
    Principal { kind: PrincipalKind::Aws, value: account.unwrap_or(text).to_owned() }
}
