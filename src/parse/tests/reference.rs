//! The slow, obvious way to read a record, which the other two are held to: serde_json makes values of everything, and
//! fields are looked up in them by name.

use std::collections::BTreeMap;

use serde_json::Value;
use trailhound_detectors::json;

use crate::parse::fields::Fields;

/// Fields by name; a part is an opened value, everything else a text.
pub(super) type Named = BTreeMap<&'static str, Value>;

const SCALARS: [(&str, &[&str]); 28] = [
    ("time", &["eventTime"]),
    ("source", &["eventSource"]),
    ("name", &["eventName"]),
    ("event id", &["eventID"]),
    ("shared event id", &["sharedEventID"]),
    ("request id", &["requestID"]),
    ("event type", &["eventType"]),
    ("category", &["eventCategory"]),
    ("recipient", &["recipientAccountId"]),
    ("region", &["awsRegion"]),
    ("source ip", &["sourceIPAddress"]),
    ("user agent", &["userAgent"]),
    ("error code", &["errorCode"]),
    ("error message", &["errorMessage"]),
    ("vpc endpoint", &["vpcEndpointId"]),
    ("type", &["userIdentity", "type"]),
    ("arn", &["userIdentity", "arn"]),
    ("account", &["userIdentity", "accountId"]),
    ("principal id", &["userIdentity", "principalId"]),
    ("user name", &["userIdentity", "userName"]),
    ("invoked by", &["userIdentity", "invokedBy"]),
    ("provider", &["userIdentity", "identityProvider"]),
    ("access key", &["userIdentity", "accessKeyId"]),
    ("on behalf of", &["userIdentity", "onBehalfOf", "userId"]),
    ("issuer arn", &["userIdentity", "sessionContext", "sessionIssuer", "arn"]),
    ("source identity", &["userIdentity", "sessionContext", "sourceIdentity"]),
    ("created", &["userIdentity", "sessionContext", "attributes", "creationDate"]),
    ("mfa", &["userIdentity", "sessionContext", "attributes", "mfaAuthenticated"]),
];

const TRUTHS: [(&str, &str); 3] = [
    ("read only", "readOnly"),
    ("management", "managementEvent"),
    ("from console", "sessionCredentialFromConsole"),
];

const PARTS: [(&str, &str); 5] = [
    ("request", "requestParameters"),
    ("response", "responseElements"),
    ("additional", "additionalEventData"),
    ("resources", "resources"),
    ("service details", "serviceEventDetails"),
];

/// What a record says; `None` when it is no JSON object.
pub(super) fn read(record: &str) -> Option<Named> {
    let mut bytes = record.as_bytes().to_vec();
    json::replace_lone_surrogates(&mut bytes);
    let record: Value = serde_json::from_slice(&bytes).ok()?;
    let members = record.as_object()?;
    let mut named = Named::new();
    for (name, path) in SCALARS {
        let value = json::at(&record, path).cloned().unwrap_or_default();
        named.insert(name, if name == "mfa" { truth(&value) } else { scalar(value) });
    }
    for (name, key) in TRUTHS {
        named.insert(name, truth(members.get(key).unwrap_or(&Value::Null)));
    }
    for (name, key) in PARTS {
        named.insert(name, members.get(key).cloned().unwrap_or_default());
    }
    named.insert("insight", members.contains_key("insightDetails").into());
    Some(named)
}

fn scalar(value: Value) -> Value {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => "".into(),
        Value::Bool(truth) => truth.to_string().into(),
        other => other,
    }
}

fn truth(value: &Value) -> Value {
    match value {
        Value::Bool(_) => value.clone(),
        Value::String(text) if text == "true" => true.into(),
        Value::String(text) if text == "false" => false.into(),
        _ => Value::Null,
    }
}

/// The same form of what another way has read. Numbers stand as they were written there: where `read` found a number,
/// the text is taken for one.
pub(super) fn name(fields: &Fields<'_>, read: Option<&Named>) -> Named {
    let caller = &fields.caller;
    let texts = [
        ("time", fields.time),
        ("source", fields.source),
        ("name", fields.name),
        ("event id", fields.event_id),
        ("shared event id", fields.shared_event_id),
        ("request id", fields.request_id),
        ("event type", fields.event_type),
        ("category", fields.category),
        ("recipient", fields.recipient),
        ("region", fields.region),
        ("source ip", fields.source_ip),
        ("user agent", fields.user_agent),
        ("error code", fields.error_code),
        ("error message", fields.error_message),
        ("vpc endpoint", fields.vpc_endpoint),
        ("type", caller.identity.kind),
        ("arn", caller.identity.arn),
        ("account", caller.identity.account),
        ("principal id", caller.identity.principal_id),
        ("user name", caller.identity.user_name),
        ("invoked by", caller.identity.invoked_by),
        ("provider", caller.identity.provider),
        ("access key", caller.access_key),
        ("on behalf of", caller.identity.on_behalf_of),
        ("issuer arn", caller.context.issuer_arn),
        ("source identity", caller.context.source_identity),
        ("created", caller.context.created),
    ];
    let truths = [
        ("mfa", caller.context.mfa),
        ("read only", fields.read_only),
        ("management", fields.management),
        ("from console", fields.from_console),
    ];
    let parts = [
        ("request", fields.request),
        ("response", fields.response),
        ("additional", fields.additional),
        ("resources", fields.resources),
        ("service details", fields.service_details),
    ];
    let mut named = Named::new();
    for (name, text) in texts {
        let is_number = read.and_then(|r| r.get(name)).is_some_and(Value::is_number);
        let number = is_number.then(|| serde_json::from_str(text).expect("a number"));
        named.insert(name, number.unwrap_or_else(|| text.into()));
    }
    named.extend(truths.map(|(name, truth)| (name, truth.into())));
    for (name, text) in parts {
        let mut bytes = text.as_bytes().to_vec();
        json::replace_lone_surrogates(&mut bytes);
        let part = if text.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        named.insert(name, part);
    }
    named.insert("insight", fields.insight.into());
    named
}
