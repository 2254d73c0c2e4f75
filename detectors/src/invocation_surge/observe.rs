//! From an event to the keys it counts under.

use std::borrow::Cow;
use std::sync::Arc;

use super::config::LEAST_THROTTLED;
use super::facts::{Call, Remembered};
use super::families::{self, Family, Row, Subject};
use super::kin::introduce;
use crate::action::{Action, stable_hash};
use crate::actor::account_of_arn;
use crate::event::{Category, Event};
use crate::finding::Evidence;
use crate::json::{self, Value};
use crate::ledger::{Class, KeyRef, Ledger};

/// The key of an account, and of all accounts: since when it is watched, and which there are.
pub(super) const ACCOUNT: Class = Class(255);
/// Keys that list others: those of a name in all accounts, or of one account.
pub(super) const KIN: Class = Class(254);
/// Parameters AWS publishes for everybody: reading them tells nothing.
const PUBLIC_PARAMETERS: &str = "/aws/service/";
/// One request counts for no more processors than this: it is far above every threshold.
const MOST_PROCESSORS: u64 = 2_048;
/// Of one request no more names than this are told apart.
const MOST_NAMES: usize = 64;

/// Calls in the table, and every other call that changes something. Role sessions and sign-ins are not changes.
pub(super) fn claims(action: &Action) -> bool {
    families::row(action).is_some()
        || !(action.level.only_reads()
            || matches!(&*action.service, "sts" | "signin" | "sso" | "sso-oauth" | "signin-oauth"))
}

/// Grows the facts of the keys an event counts under.
pub(super) fn observe(event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    // Calls through VPC endpoints are logged a second time, under ids of their own.
    if !event.on_time() || event.category == Category::NetworkActivity {
        return;
    }
    let Some(outcome) = Outcome::of(event) else { return };
    match families::row(event.action) {
        Some(row) => invocation(event, row, outcome, ledger),
        None => change(event, ledger),
    }
}

/// What became of a call that is counted. Calls that failed otherwise did nothing, and denied ones are another detector's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Throttled,
}

impl Outcome {
    fn of(event: &Event<'_>) -> Option<Self> {
        const THROTTLED: [&str; 5] =
            ["Throttl", "TooManyRequests", "RequestLimitExceeded", "ThroughputExceeded", "SlowDown"];
        if event.succeeded() {
            return Some(Self::Done);
        }
        THROTTLED.iter().any(|code| event.error_code.contains(code)).then_some(Self::Throttled)
    }
}

fn invocation(event: &Event<'_>, row: &Row, outcome: Outcome, ledger: &mut Ledger<Remembered>) {
    // A service that decrypts for somebody is the other half of a read already counted.
    if row.family == Family::Decrypts && via_aws(event) {
        return;
    }
    let (named, request) = (names(row, event), [Cow::Borrowed(event.request_id)]);
    let names: &[Cow<'_, str>] = if row.family == Family::Attempts { &request } else { &named };
    if row.family == Family::Parameters && names.iter().any(|name| name.starts_with(PUBLIC_PARAMETERS)) {
        return;
    }
    let target = target(row, event);
    for subject in row.family.traits().subjects {
        let (account, entity): (&str, &str) = match subject {
            Subject::Throttled if outcome != Outcome::Throttled => continue,
            Subject::Target | Subject::Throttled => match account_of_arn(&target) {
                "" => (event.account, &target),
                account => (account, &target),
            },
            Subject::Actor if !event.session.invoked_by.is_empty() => {
                (event.account, event.session.invoked_by)
            }
            Subject::Actor => (event.account, &event.actor.id),
        };
        let key = KeyRef { class: row.family.class(*subject), account, entity };
        let counted = Counted { family: row.family, subject: *subject, target: &target, names };
        counted.count(event, key, ledger);
    }
}

/// A management call that changes something, made by somebody's credentials: what AWS does itself follows from that.
fn change(event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    let is_call = matches!(event.event_type, "AwsApiCall" | "");
    if !is_call || event.category != Category::Management || event.read_only == Some(true) || via_aws(event) {
        return;
    }
    let mut buffer = [0; 128];
    let entity = in_region(event.region, &event.action.label, &mut buffer);
    let key = KeyRef { class: Family::Api.class(Subject::Target), account: event.account, entity: &entity };
    let counted =
        Counted { family: Family::Api, subject: Subject::Target, target: &event.action.label, names: &[] };
    counted.count(event, key, ledger);
}

fn via_aws(event: &Event<'_>) -> bool {
    event.actor.kind.is_aws() || !event.session.invoked_by.is_empty()
}

/// `region/service:Call`, in the buffer where it fits: this runs on every change.
fn in_region<'b>(region: &str, label: &str, buffer: &'b mut [u8; 128]) -> Cow<'b, str> {
    let (slash, end) = (region.len(), region.len() + 1 + label.len());
    if end > buffer.len() {
        return Cow::Owned(format!("{region}/{label}"));
    }
    buffer[..slash].copy_from_slice(region.as_bytes());
    buffer[slash] = b'/';
    buffer[slash + 1..end].copy_from_slice(label.as_bytes());
    String::from_utf8_lossy(&buffer[..end])
}

/// One event, as it counts under one key.
struct Counted<'a> {
    family: Family,
    subject: Subject,
    target: &'a str,
    names: &'a [Cow<'a, str>],
}

impl Counted<'_> {
    fn count(&self, event: &Event<'_>, key: KeyRef<'_>, ledger: &mut Ledger<Remembered>) {
        let account = key.account;
        let (facts, strings) = ledger.grow(key);
        facts.least = match self.subject {
            Subject::Throttled => LEAST_THROTTLED,
            Subject::Target | Subject::Actor => self.family.traits().least,
        };
        let minute = facts.calls.minute(event.time);
        minute.of_names = self.subject != Subject::Throttled && self.family.counts_names();
        let shape = &mut minute.shape;
        if self.subject == Subject::Throttled || !self.family.counts_names() {
            minute.counted.insert(event.call);
        }
        for name in self.names {
            let hash = stable_hash(name.as_bytes());
            shape.names.insert_with(hash, || ());
            if self.family.counts_names() {
                minute.counted.insert_hash(hash);
            }
        }
        if self.family == Family::Compute {
            let machine = self.names.first().map_or("", |name| &**name);
            for processor in 1..processors(event, machine) {
                minute
                    .counted
                    .insert_hash(stable_hash(&[event.call.0, processor].map(u64::to_le_bytes).concat()));
            }
        }
        shape.calls.insert_with(event.call.0, || {
            let name = self.names.first().map_or("", |name| &**name);
            let other = match self.subject {
                Subject::Actor if self.target == &*event.action.label => strings.share(name),
                Subject::Actor => strings.share(self.target),
                Subject::Target | Subject::Throttled => Arc::clone(&event.actor.id),
            };
            let trigger = match self.family {
                Family::Function => event.parts.request.top_str("sourceArn").unwrap_or_default(),
                _ => Cow::Borrowed(""),
            };
            Call {
                other,
                name: strings.share(name),
                source: strings.share(event.source_ip),
                session: strings.share(event.session.name),
                trigger: strings.share(&trigger),
                region: strings.share(event.region),
            }
        });
        if shape.evidence.wants(event.time) {
            shape.evidence.insert(Evidence::of(event, strings));
        }
        if self.family.grows() && self.subject != Subject::Throttled {
            let day = facts.days.entry(event.time.day()).or_default();
            if self.family.counts_names() {
                for name in self.names {
                    day.counted.insert_with(stable_hash(name.as_bytes()), || ());
                }
            } else {
                day.counted.insert_with(event.call.0, || ());
            }
            if day.first.wants(event.time) {
                day.first.insert(Evidence::of(event, strings));
            }
        }
        if facts.since.touch(event.time) {
            know_account(account, event, ledger);
            introduce(key, (self.family, self.subject), ledger);
        }
    }
}

/// The account is watched at least since the earliest event of each of its keys, so exactly since its own.
fn know_account(account: &str, event: &Event<'_>, ledger: &mut Ledger<Remembered>) {
    let (facts, _) = ledger.grow(KeyRef { class: ACCOUNT, account, entity: "" });
    facts.since.touch(event.time);
    let (everywhere, strings) = ledger.grow(KeyRef { class: ACCOUNT, account: "", entity: "" });
    everywhere.accounts.insert_with(stable_hash(account.as_bytes()), || strings.share(account));
}

/// The thing called, as the record names it; the call itself where it names none.
fn target<'a>(row: &Row, event: &'a Event<'_>) -> Cow<'a, str> {
    let found = row.target.iter().find_map(|place| match *place {
        "arn" => arn(event),
        parameter => event.parts.request.top_str(parameter),
    });
    match found {
        Some(target) if row.family == Family::Function || row.family == Family::Attempts => {
            function(target, event)
        }
        Some(target) if !target.is_empty() => target,
        _ => Cow::Borrowed(&*event.action.label),
    }
}

/// The first ARN of the called service in `resources`.
fn arn<'a>(event: &'a Event<'_>) -> Option<Cow<'a, str>> {
    event
        .parts
        .resources
        .arns()
        .find(|arn| arn.split(':').nth(2) == Some(&*event.action.service))
        .map(Cow::Borrowed)
}

/// A function's ARN without version or alias, from its ARN or from its name.
fn function<'a>(named: Cow<'a, str>, event: &Event<'_>) -> Cow<'a, str> {
    if !named.starts_with("arn:") {
        let name = named.rsplit_once("function:").map_or(&*named, |(_, name)| name);
        let name = name.split(':').next().unwrap_or(name);
        return Cow::Owned(format!("arn:aws:lambda:{}:{}:function:{name}", event.region, event.account));
    }
    match named.match_indices(':').nth(6) {
        Some((end, _)) => match named {
            Cow::Borrowed(arn) => Cow::Borrowed(&arn[..end]),
            Cow::Owned(arn) => Cow::Owned(arn[..end].to_owned()),
        },
        None => named,
    }
}

/// What the record tells apart within the key.
fn names<'a>(row: &Row, event: &'a Event<'_>) -> Vec<Cow<'a, str>> {
    let request = &event.parts.request;
    for place in &row.name {
        let found = match *place {
            "arn" => arn(event),
            "names" => {
                let names = event.parts.request().get("names").map_or(&[][..], json::one_or_many);
                return names.iter().filter_map(Value::as_str).take(MOST_NAMES).map(Cow::Borrowed).collect();
            }
            parameter => request.top_str(parameter),
        };
        match found {
            Some(name) if row.family == Family::Secrets => return vec![secret(name)],
            Some(name) => return vec![name],
            None => {}
        }
    }
    Vec::new()
}

/// A secret's name, from its ARN (which ends in a hyphen and six characters) or from its name.
fn secret(id: Cow<'_, str>) -> Cow<'_, str> {
    let Some((_, name)) = id.split_once(":secret:") else { return id };
    let name = match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 => name,
        _ => name,
    };
    Cow::Owned(name.to_owned())
}

/// How many virtual processors a request started: of as many machines as the response lists, else as were asked for.
fn processors(event: &Event<'_>, machine: &str) -> u64 {
    let (request, response) = (event.parts.request(), event.parts.response());
    let listed = json::at(response, &["instancesSet", "items"])
        .and_then(Value::as_array)
        .map(|items| items.len() as u64);
    let asked = || {
        let items = json::at(request, &["instancesSet", "items"]).map_or(&[][..], json::one_or_many);
        let most = |value: &Value| {
            value.get("maxCount").or_else(|| value.get("instanceCount")).and_then(Value::as_u64)
        };
        items.iter().filter_map(most).reduce(u64::saturating_add).or_else(|| most(request))
    };
    let machines = listed.or_else(asked).unwrap_or(1);
    machines.saturating_mul(processors_of(machine)).clamp(1, MOST_PROCESSORS)
}

/// The virtual processors of an instance type, by its size: `xlarge` has four in nearly all families, `8xlarge` eight
/// times as many. What names no size counts as a small machine.
fn processors_of(machine: &str) -> u64 {
    match machine.rsplit('.').next().unwrap_or_default() {
        "xlarge" => 4,
        size if size.starts_with("metal") => 96,
        size => match size.strip_suffix("xlarge").map(str::parse::<u64>) {
            Some(Ok(times)) => times.saturating_mul(4),
            _ => 2,
        },
    }
}
