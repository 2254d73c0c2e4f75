//! From an event to what it did, to which resource: no thresholds, no configuration.

use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use crate::action::Action;
use crate::actor::ActorKind;
use crate::detector::Claim;
use crate::event::Event;
use crate::finding::Evidence;
use crate::json::{self, Value};
use crate::ledger::{Class, KeyRef, Ledger};
use crate::policy_change::analysis::Kind;
use crate::policy_change::calls::{self, Call, DocumentRow, Holds, Special};
use crate::policy_change::deeds::{Deed, Deeds, Effect};
use crate::policy_change::facts::{Change, Doing, Remembered, Version, What};
use crate::policy_change::lifts::Lifts;
use crate::policy_change::{held, network, path, shares, steps, tries};

/// Facts of a resource.
pub(crate) const RESOURCE: Class = Class(0);

/// The id of what the log does not name.
pub(crate) const UNNAMED: &str = "unknown";

/// The facet of a bucket or object that is its access control list.
const ACL: &str = "acl";

/// Longer documents are cut: what is left is said to be unreadable. Above every limit AWS has for policies.
const MAX_KEPT: usize = 128 * 1024;
/// Longer names are cut.
const MAX_NAME: usize = 512;

/// The members that name what a call is about, where the tables do not say.
const USUAL: &str = "resource:resourceArn,resourceARN,arn,name,policyName,policyId,id,functionName,bucketName,topicArn,\
                     queueUrl,repositoryName,domainName,clusterArn,clusterName,vaultName,apiId,restApiId,policyStoreId";

/// Changes no access that anybody could tell.
const PLAIN: Claim = 1;
/// Assumes a role.
const ASSUMES: Claim = 2;
/// May change access, or hands a role to a service.
const TELLING: Claim = 3;

pub(crate) fn claim(action: &Action) -> Claim {
    let telling = calls::of(action).is_some()
        || calls::passed_role(action).is_some()
        || calls::may_carry_policy(action);
    match telling {
        _ if action.is("sts", "AssumeRole") => ASSUMES,
        true => TELLING,
        false => PLAIN,
    }
}

/// Records everything the events did.
pub(crate) fn observe<'e, 'a: 'e>(
    events: impl Iterator<Item = (Claim, &'e Event<'a>)>,
    ledger: &mut Ledger<Remembered>,
) {
    let events: Vec<(Claim, &Event<'_>)> = events.collect();
    tries::observe(events.iter().filter(|(claim, _)| *claim != ASSUMES).map(|(_, event)| *event), ledger);
    for (claim, event) in events {
        match claim {
            ASSUMES => {
                steps::take(event, steps::of_call(event, steps::role_used(event).as_ref()), ledger);
            }
            TELLING => record_telling(event, ledger),
            _ => {}
        }
    }
}

fn record_telling(event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    let call = calls::of(event.action);
    if call.is_some_and(|call| is_noise(event, call)) {
        return;
    }
    let is_carrier = calls::passed_role(event.action).is_some();
    if call.is_none() && !is_carrier && !mentions_policy(event) {
        return;
    }
    let deeds = ledger.memo().read.of(event, call);
    for deed in &deeds.deeds {
        record(deed, event, ledger);
    }
    let of_changes = deeds.deeds.iter().filter_map(|deed| deed.step.clone());
    let is_step = call.is_some() || is_carrier;
    let of_call = is_step.then(|| steps::of_call(event, deeds.role.as_ref())).into_iter().flatten();
    steps::take(event, of_changes.chain(of_call), ledger);
}

fn record(deed: &Deed, event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    let key = KeyRef { class: RESOURCE, account: event.account, entity: &deed.entity };
    let (facts, strings) = ledger.grow(key);
    let change = Change {
        doing: Arc::clone(&deed.doing),
        evidence: Evidence::with_code(event, failure(event), strings),
        weight: deed.weight,
    };
    facts.insert(event.time, event.call, change, deed.text.as_ref());
    if let Some(holder) = &deed.holder {
        held::observe(event.account, holder, &deed.entity, ledger);
    }
}

/// Reads what an event did from its parameters and its answer.
pub(crate) fn read(event: &Event<'_>, call: Option<&Call>) -> Deeds {
    let mut reader = Reader { event, deeds: Vec::new() };
    match call {
        Some(call) => reader.listed(call),
        None => reader.unlisted(),
    }
    Deeds { deeds: reader.deeds, role: steps::role_used(event) }
}

/// Claimed for the rare one among many: told apart without opening anything.
fn is_noise(event: &Event<'_>, call: &Call) -> bool {
    static SIGNS: LazyLock<[Finder<'static>; 4]> =
        LazyLock::new(|| ["-acl\"", "-Acl\"", "x-amz-grant", "X-Amz-Grant"].map(Finder::new));
    match (call.special, &*event.action.name) {
        // Objects are written all day; few calls say who may read them.
        (Some(Special::Acl), "PutObject" | "CopyObject") => {
            let request = event.parts.request.text().as_bytes();
            !SIGNS.iter().any(|sign| sign.find(request).is_some())
        }
        // Services take grants on keys for every volume and table.
        (_, "CreateGrant") => event.actor.kind.is_aws() || !event.session.invoked_by.is_empty(),
        _ => false,
    }
}

/// `PutBucketPolicy` and its like set nothing but a document, so where there is none the log lacks it.
fn is_named_for_policy(call: &str) -> bool {
    call.starts_with("Put") && call.ends_with("Policy")
}

/// Whether the parameters of a call nobody listed may hold a policy.
fn mentions_policy(event: &Event<'_>) -> bool {
    static STATEMENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Statement"));
    STATEMENT.find(event.parts.request.text().as_bytes()).is_some()
}

/// Policies wherever they stand, as objects or as text, the first few.
fn find_policies(value: &Value) -> Vec<&Value> {
    const MAX: usize = 4;
    let mut found = Vec::new();
    let mut queue = vec![value];
    while let Some(value) = queue.pop() {
        match value {
            value if is_policy(value) => found.push(value),
            Value::Object(members) => queue.extend(members.values()),
            Value::Array(items) => queue.extend(items),
            Value::String(text) if is_policy_text(text) => found.push(value),
            _ => {}
        }
        if found.len() >= MAX {
            break;
        }
    }
    found
}

/// Other languages have statements too (rules of firewalls, templates with policies deep within): those of a policy have an
/// effect.
fn is_policy(value: &Value) -> bool {
    let statements = path::member(value, "Statement").map(json::one_or_many).unwrap_or_default();
    statements.iter().any(|statement| path::member(statement, "Effect").is_some())
}

fn is_policy_text(text: &str) -> bool {
    text.contains("Statement")
        && text.contains("Effect")
        && json::parse(&canonical(text)).is_ok_and(|value| is_policy(&value))
}

fn guess(document: &Value) -> Kind {
    crate::policy_change::document::Document::parse(&text_of(document))
        .map_or(Kind::Resource, |document| Kind::guess(&document))
}

/// The text a document is kept as: members in one order and without spaces where it is JSON, so that equal documents are
/// equal texts.
pub(crate) fn text_of(document: &Value) -> String {
    let mut text = match document {
        Value::String(text) => canonical(text),
        other => other.to_string(),
    };
    cut(&mut text, MAX_KEPT);
    text
}

fn canonical(text: &str) -> String {
    let decoded = decode(text);
    match json::parse(&decoded) {
        // Some clients quote twice.
        Ok(Value::String(inner)) => json::parse(&inner).map_or(inner, |value| value.to_string()),
        Ok(value) => value.to_string(),
        Err(_) => decoded.into_owned(),
    }
}

/// Percent-encoding taken off, where a text begins with it.
pub(crate) fn decode(text: &str) -> std::borrow::Cow<'_, str> {
    let encoded = text
        .trim_ascii_start()
        .get(..3)
        .is_some_and(|head| head.eq_ignore_ascii_case("%7b") || head == "%5B");
    if encoded { percent_decoded(text).into() } else { text.into() }
}

/// `%41` → `A`; what is no such triple stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn cut(text: &mut String, max: usize) {
    if text.len() > max {
        let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
    }
}

/// A name from a log, cut to a sane length.
pub(crate) fn name(text: &str) -> Arc<str> {
    cut_name(text).into()
}

/// The same, not yet shared.
pub(crate) fn cut_name(text: &str) -> &str {
    if text.len() <= MAX_NAME {
        return text;
    }
    text.char_indices().nth(MAX_NAME).map_or(text, |(end, _)| &text[..end])
}

/// CloudTrail leaves out parameters that would make the record too long, and says so in their place.
pub(crate) fn is_omitted(event: &Event<'_>) -> bool {
    static TOO_LARGE: LazyLock<Finder<'static>> =
        LazyLock::new(|| Finder::new("requestParameters too large"));
    static OMITTED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"omitted\":true"));
    let (request, additional) = (event.parts.request.text(), event.parts.additional.text());
    let says = |finder: &Finder<'_>, text: &str| finder.find(text.as_bytes()).is_some();
    request.len() < 512 && (says(&TOO_LARGE, request) || says(&OMITTED, request))
        || says(&TOO_LARGE, additional)
}

/// The user, role or group in the id of one or of its policy: an inline policy's id is `NAME/POLICY`.
pub(crate) fn holder_name(id: &str) -> &str {
    id.split('/').next().unwrap_or(id)
}

fn subject_of(event: &Event<'_>, call: &Call) -> &'static str {
    match call.special {
        Some(Special::Attach | Special::Detach) => return holder(&event.action.name),
        Some(Special::SetDefaultVersion) => return "policy:policyArn",
        Some(Special::SecurityGroup) => return "security group:groupId,groupName",
        Some(Special::Acl) => return "bucket:bucketName",
        None => {}
    }
    let named = call
        .documents
        .iter()
        .map(|row| row.subject)
        .chain(call.grants.iter().map(|row| row.subject))
        .chain(call.switches.iter().map(|row| row.subject))
        .find(|subject| !subject.is_empty());
    named.unwrap_or(USUAL)
}

/// What a managed policy is attached to or detached from, by the call.
fn holder(name: &str) -> &'static str {
    match name {
        "AttachUserPolicy" | "DetachUserPolicy" => "user:userName",
        "AttachRolePolicy" | "DetachRolePolicy" => "role:roleName",
        "AttachGroupPolicy" | "DetachGroupPolicy" => "group:groupName",
        _ => "permission set:permissionSetArn",
    }
}

/// Whether the condition of a switch holds: whose user it is about, or the parameters.
fn holds(event: &Event<'_>, when: &str) -> bool {
    let user = || path::text(event.parts.request(), "userName");
    let own = || user().is_none_or(|user| event.actor.kind == ActorKind::User && *user == *event.actor.name);
    match when {
        "@root" => event.actor.kind == ActorKind::Root && user().is_none(),
        "@self" => own(),
        "@other" => !own(),
        when => path::holds(event.parts.request(), when),
    }
}

struct Reader<'r, 'e> {
    event: &'r Event<'e>,
    deeds: Vec<Deed>,
}

impl Reader<'_, '_> {
    fn listed(&mut self, call: &Call) {
        let event = self.event;
        if is_omitted(event) {
            return self.change(subject_of(event, call), What::Omitted);
        }
        let request = event.parts.request();
        let holds_any = call.documents.iter().any(|row| row.holds != Holds::NoResource);
        let carries = holds_any || !call.grants.is_empty() || call.special.is_some();
        if request.is_null() && carries && (!event.succeeded() || call.switches.is_empty()) {
            return self.change(subject_of(event, call), What::Unseen);
        }
        let mut found = false;
        for row in &call.documents {
            found |= self.document(row, request);
        }
        if !found
            && !call.documents.is_empty()
            && event.succeeded()
            && is_named_for_policy(&event.action.name)
        {
            self.change(subject_of(event, call), What::Unseen);
        }
        for row in call.grants.iter().filter(|row| path::holds(request, row.when)) {
            for share in shares::granted(row, event) {
                self.change(row.subject, share.into_effect());
            }
        }
        if let Some(row) = call.switches.iter().find(|row| holds(event, row.when)) {
            self.change(row.subject, What::Switch(row.id));
        }
        match call.special {
            Some(Special::Attach) => self.attachment(request, What::Attach),
            Some(Special::Detach) => self.attachment(request, What::Detach),
            Some(Special::SetDefaultVersion) => {
                let version = path::text(request, "versionId").unwrap_or_default();
                self.change("policy:policyArn", What::Default(name(&version)));
            }
            Some(Special::SecurityGroup) => {
                let openings = network::openings(request);
                if !openings.is_empty() {
                    self.change("security group:groupId,groupName", What::Open(openings));
                }
            }
            Some(Special::Acl) => {
                let subject = if path::text(request, "key").is_some() {
                    "object:bucketName+key"
                } else {
                    "bucket:bucketName"
                };
                let list = shares::of_acl(request);
                let gives = list["Statement"].as_array().is_some_and(|given| !given.is_empty());
                // Making a bucket or an object has a list only if it says so. The list is no part of the policy.
                if gives || event.action.name.ends_with("Acl") {
                    let set = |digest| What::Set(Kind::Resource, digest);
                    self.change_of(subject, ACL, Effect::of_document(list.to_string(), set));
                }
            }
            None => {}
        }
    }

    /// A call nobody listed: any policy anywhere in its parameters.
    fn unlisted(&mut self) {
        if !mentions_policy(self.event) {
            return;
        }
        for document in find_policies(self.event.parts.request()) {
            let kind = guess(document);
            self.change(USUAL, Effect::of_document(text_of(document), |digest| What::Set(kind, digest)));
        }
    }

    /// Whether there is one.
    fn document(&mut self, row: &DocumentRow, request: &Value) -> bool {
        if !path::holds(request, row.when) {
            return false;
        }
        let kind = match row.holds {
            Holds::Document(kind) => kind,
            Holds::Nothing => {
                self.change(row.subject, What::Gone);
                return true;
            }
            Holds::NoResource => {
                self.change(row.subject, What::Ended);
                if row.subject.starts_with("bucket:") {
                    self.change_of(row.subject, ACL, What::Ended.into());
                }
                return true;
            }
        };
        // A session policy narrows one session: nothing to remember.
        if kind == Kind::Scope {
            return true;
        }
        let mut found = false;
        let is_version = &*self.event.action.name == "CreatePolicyVersion";
        for document in path::values(request, row.path) {
            if document.as_str().is_some_and(|text| text.trim_ascii().is_empty()) {
                // `policy: ""` is how S3 names the sub-resource; elsewhere an empty policy takes the one there is away.
                if &*self.event.action.service != "s3" {
                    self.change(row.subject, What::Gone);
                    found = true;
                }
                continue;
            }
            found = true;
            // Not IAM's form: read as grants.
            if row.path == "statements" {
                continue;
            }
            let version = is_version.then(|| Version {
                id: name(
                    &path::text(self.event.parts.response(), "policyVersion.versionId").unwrap_or_default(),
                ),
                default: path::text(request, "setAsDefault").is_some_and(|flag| flag == "true"),
            });
            let effect = Effect::of_document(text_of(document), |digest| match version {
                Some(version) => What::Version(kind, digest, version),
                None => What::Set(kind, digest),
            });
            self.change(row.subject, effect);
        }
        found
    }

    fn attachment(&mut self, request: &Value, what: impl FnOnce(Arc<str>) -> What) {
        let arn = path::text(request, "policyArn,managedPolicyArn").unwrap_or_default();
        let facet = format!("attached/{arn}");
        self.change_of(holder(&self.event.action.name), &facet, what(name(&arn)).into());
    }

    fn change(&mut self, subject: &str, effect: impl Into<Effect>) {
        self.change_of(subject, "", effect.into());
    }

    fn change_of(&mut self, subject: &str, facet: &str, effect: Effect) {
        let event = self.event;
        let (thing, id) = subject_in(event, subject);
        let entity: Box<str> = entity(event, thing, &id, facet).into();
        let lifts = Lifts::of(event, thing, &id, &effect);
        let Effect { what, text } = effect;
        let weight = what.graveness(text.as_deref());
        let doing = Doing {
            what,
            thing: thing.into(),
            id: name(&id),
            action: event.action.id.0,
            actor: Arc::clone(&event.actor.id),
            actor_kind: event.actor.kind,
            region: event.region.into(),
        };
        let gave = event.succeeded().then_some(&doing);
        self.deeds.push(Deed {
            step: gave.and_then(|doing| steps::of_change(event, (doing, weight), (&entity, lifts))),
            holder: gave.and_then(held::holder).map(Into::into),
            doing: doing.into(),
            entity,
            text,
            weight,
        });
    }
}

/// The error code, or the message where there is no code.
fn failure<'e>(event: &Event<'e>) -> &'e str {
    if event.error_code.is_empty() && !event.error_message.is_empty() { "Failure" } else { event.error_code }
}

/// What the call is about: the sort of thing, and its ARN or name.
fn subject_in<'s>(event: &Event<'_>, subject: &'s str) -> (&'s str, String) {
    let (thing, members) =
        if subject.is_empty() { USUAL } else { subject }.split_once(':').unwrap_or((subject, ""));
    let id = members.split(',').find_map(|member| {
        if member == "@account" {
            return Some(event.account.to_owned());
        }
        let parts: Option<Vec<String>> = member
            .split('+')
            .map(|part| match part.strip_prefix('~') {
                Some(path) => path::text(event.parts.response(), path),
                None => path::text(event.parts.request(), part),
            })
            .collect();
        parts.map(|parts| parts.join("/"))
    });
    let id = id.map(|id| if id.contains("%3A") { percent_decoded(&id) } else { id });
    (thing, id.unwrap_or_else(|| UNNAMED.to_owned()))
}

/// The key's entity: service, region where names are of a region, what, which, and the facet of it.
fn entity(event: &Event<'_>, thing: &str, id: &str, facet: &str) -> String {
    const EVERYWHERE: [&str; 6] = ["iam", "s3", "organizations", "cloudfront", "route53", "sso"];
    let service = &*event.action.service;
    let region = if EVERYWHERE.contains(&service) { "" } else { event.region };
    let id = name(short(thing, id));
    let is_of_trust = matches!(&*event.action.name, "CreateRole" | "UpdateAssumeRolePolicy" | "DeleteRole");
    let facet = if is_of_trust { "trust" } else { facet };
    format!("{service}/{region}/{thing}/{id}/{facet}")
}

/// A function by name, whether the call gave its ARN or its name, as calls do both.
fn short<'i>(thing: &str, id: &'i str) -> &'i str {
    match thing {
        "function" => {
            id.split_once(":function:").map_or(id, |(_, rest)| rest.split(':').next().unwrap_or(rest))
        }
        "secret" | "key" | "queue" | "topic" => id.rsplit(['/', ':']).next().unwrap_or(id),
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_kept_in_one_form() {
        let plain = r#"{ "Version":"2012-10-17", "Statement":[] }"#;
        let expected = r#"{"Statement":[],"Version":"2012-10-17"}"#;
        let encoded = "%7B%22Statement%22%3A%5B%5D%2C%22Version%22%3A%222012-10-17%22%7D";
        for text in [plain, encoded, &serde_json::to_string(plain).unwrap()] {
            assert_eq!(text_of(&Value::String(text.to_owned())), expected, "{text}");
        }
        assert_eq!(text_of(&json::parse(plain).unwrap()), expected);
        assert_eq!(text_of(&Value::String("{broken %".to_owned())), "{broken %");
        assert_eq!(percent_decoded("%41%zz%"), "A%zz%");
        assert_eq!(text_of(&Value::String("é".repeat(MAX_KEPT))).len(), MAX_KEPT);
    }
}
