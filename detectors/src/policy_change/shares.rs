//! Grants without a document, written as one: so they are judged, compared and remembered like any other.

use serde_json::{Map, json};

use crate::event::Event;
use crate::json::Value;
use crate::policy_change::calls::GrantRow;
use crate::policy_change::deeds::Effect;
use crate::policy_change::facts::What;
use crate::policy_change::path;

/// More parties of one call are not kept.
const MAX_PARTIES: usize = 256;

/// Something given or taken back.
#[derive(Debug)]
pub(crate) enum Share {
    /// Given: the document that says the same.
    Given(Value),
    /// Taken back: the document that said so.
    Taken(Value),
    /// Taken back by the id of its statement; everything, where there is none.
    TakenById(Option<String>),
}

impl Share {
    /// What facts remember of it.
    pub(crate) fn into_effect(self) -> Effect {
        match self {
            Self::Given(document) => Effect::of_document(document.to_string(), What::Grant),
            Self::Taken(document) => Effect::of_document(document.to_string(), What::Revoke),
            Self::TakenById(id) => What::RevokeStatement(id.map(Into::into)).into(),
        }
    }
}

/// What a call gives and takes back, by its row.
pub(crate) fn granted(row: &GrantRow, event: &Event<'_>) -> Vec<Share> {
    let request = event.parts.request();
    let mut shares = Vec::new();
    let given = parties(request, row.parties);
    if !given.is_empty() {
        shares.push(Share::Given(statement(&given, &actions(row, event), request)));
    }
    if row.removed == "@all" {
        shares.push(Share::TakenById(None));
    } else if let Some(member) = row.removed.strip_prefix("@sid:") {
        shares.push(Share::TakenById(path::text(request, member)));
    } else {
        let taken = parties(request, row.removed);
        if !taken.is_empty() {
            shares.push(Share::Taken(statement(&taken, &actions(row, event), request)));
        }
    }
    shares
}

fn actions(row: &GrantRow, event: &Event<'_>) -> Vec<String> {
    let Some(member) = row.actions.strip_prefix('@') else {
        return vec![row.actions.to_owned()];
    };
    let service = &*event.action.service;
    let mut named = Vec::new();
    for value in path::values(event.parts.request(), member) {
        path::strings(value, &mut named);
    }
    let mut actions: Vec<String> = named
        .into_iter()
        .map(|action| if action.contains(':') { action.to_owned() } else { format!("{service}:{action}") })
        .collect();
    if actions.is_empty() {
        actions.push(format!("{service}:*"));
    }
    actions
}

fn parties(request: &Value, paths: &str) -> Vec<String> {
    let mut named = Vec::new();
    for path in paths.split(',').filter(|path| !path.is_empty()) {
        for value in path::values(request, path) {
            path::strings(value, &mut named);
        }
    }
    named.truncate(MAX_PARTIES);
    named.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// One statement that allows the parties the actions, with the conditions such calls can name.
fn statement(parties: &[String], actions: &[String], request: &Value) -> Value {
    let mut aws = Vec::new();
    let mut services = Vec::new();
    for party in parties {
        if party.ends_with(".amazonaws.com") {
            services.push(party.clone());
        } else {
            aws.push(if party.eq_ignore_ascii_case("all") { "*".to_owned() } else { party.clone() });
        }
    }
    aws.sort_unstable();
    services.sort_unstable();
    let mut principal = Map::new();
    for (kind, named) in [("AWS", aws), ("Service", services)] {
        if !named.is_empty() {
            principal.insert(kind.to_owned(), json!(named));
        }
    }
    let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": actions });
    if let Some(sid) = path::text(request, "statementId,label") {
        statement["Sid"] = json!(sid);
    }
    let conditions = conditions(request);
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    json!({ "Statement": [statement] })
}

/// Members that narrow a grant, as the conditions they become.
fn conditions(request: &Value) -> Map<String, Value> {
    const MEMBERS: [(&str, &str, &str); 5] = [
        ("sourceArn", "ArnLike", "aws:SourceArn"),
        ("sourceAccount", "StringEquals", "aws:SourceAccount"),
        ("principalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("principalOrgIDs", "StringEquals", "aws:PrincipalOrgID"),
        ("organizationId", "StringEquals", "aws:PrincipalOrgID"),
    ];
    let mut conditions = Map::new();
    let mut add = |operator: &str, key: &str, value: String| {
        let keys = conditions.entry(operator.to_owned()).or_insert_with(|| json!({}));
        keys[key] = json!(value);
    };
    for (member, operator, key) in MEMBERS {
        if let Some(value) = path::text(request, member) {
            add(operator, key, value);
        }
    }
    // EventBridge: {"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-…"}.
    if let (Some(operator), Some(key), Some(value)) = (
        path::text(request, "condition.type"),
        path::text(request, "condition.key"),
        path::text(request, "condition.value"),
    ) {
        add(&operator, &key, value);
    }
    conditions
}

/// The account that writes logs of CloudFront distributions, and gets itself a grant for it.
/// Source: Amazon CloudFront Developer Guide, "Permissions required to configure standard logging and to access your log files".
const LOG_DELIVERY: &str = "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0";

const EVERYONE: [&str; 2] = ["global/AllUsers", "global/AuthenticatedUsers"];

/// Ids and addresses in a header of grants: `id="…", emailAddress="…", uri="…"`.
fn named_in(grantees: &str) -> impl Iterator<Item = &str> {
    let named = grantees.split(',').filter_map(|grantee| grantee.split_once('='));
    let named =
        named.filter(|(kind, _)| ["id", "emailaddress"].contains(&&*kind.trim().to_ascii_lowercase()));
    named.map(|(_, id)| id.trim().trim_matches('"')).filter(|id| !id.is_empty()).take(MAX_PARTIES)
}

/// What an S3 call gives by access control list (canned by header, granted by header, or granted in the body) as a document:
/// of what it gives beyond the owner, for a list replaces the one before it.
pub(crate) fn of_acl(request: &Value) -> Value {
    let mut statements: Vec<Value> = Vec::new();
    let mut allow = |principal: Value, permission: &str| {
        let actions: &[&str] = match permission.to_ascii_uppercase().as_str() {
            "READ" => &["s3:GetObject", "s3:ListBucket"],
            "WRITE" => &["s3:PutObject", "s3:DeleteObject"],
            "READ_ACP" => &["s3:GetBucketAcl"],
            "WRITE_ACP" => &["s3:PutBucketAcl"],
            _ => &["s3:*"],
        };
        statements.push(json!({ "Effect": "Allow", "Principal": principal, "Action": actions }));
    };
    match path::text(request, "x-amz-acl,accessControlList.x-amz-acl").as_deref() {
        Some("public-read" | "authenticated-read") => allow(json!("*"), "READ"),
        Some("public-read-write") => {
            allow(json!("*"), "READ");
            allow(json!("*"), "WRITE");
        }
        _ => {}
    }
    for (header, permission) in [
        ("x-amz-grant-read", "READ"),
        ("x-amz-grant-write", "WRITE"),
        ("x-amz-grant-read-acp", "READ_ACP"),
        ("x-amz-grant-write-acp", "WRITE_ACP"),
        ("x-amz-grant-full-control", "FULL_CONTROL"),
    ] {
        for prefix in ["", "accessControlList."] {
            let Some(grantees) = path::text(request, &format!("{prefix}{header}")) else { continue };
            if EVERYONE.iter().any(|group| grantees.contains(group)) {
                allow(json!("*"), permission);
            }
            // Whose bucket or object it is the header does not say, nor an id whose it is.
            for id in named_in(&grantees).filter(|id| *id != LOG_DELIVERY) {
                allow(json!({ "CanonicalUser": id }), permission);
            }
        }
    }
    let owner = path::text(request, "AccessControlPolicy.Owner.ID").unwrap_or_default();
    for grant in path::values(request, "AccessControlPolicy.AccessControlList.Grant") {
        let permission = path::text(grant, "Permission").unwrap_or_default();
        if path::text(grant, "Grantee.URI")
            .is_some_and(|uri| EVERYONE.iter().any(|group| uri.ends_with(group)))
        {
            allow(json!("*"), &permission);
        } else if let Some(email) = path::text(grant, "Grantee.EmailAddress") {
            allow(json!({ "CanonicalUser": email }), &permission);
        } else if let Some(id) = path::text(grant, "Grantee.ID")
            && !owner.is_empty()
            && id != owner
            && id != LOG_DELIVERY
        {
            allow(json!({ "CanonicalUser": id }), &permission);
        }
    }
    json!({ "Statement": statements })
}
