//! From an event to the keys it counts under.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::{Arc, LazyLock};

use super::config::LEAST_THROTTLED;
use super::facts::{Call, Measure, Minute, Remembered, Sighting};
use super::families::{self, Family, Row, Subject};
use super::kin::introduce;
use crate::action::{Action, stable_hash};
use crate::actor::{account_of_arn, arn_part, colon};
use crate::event::{Category, Event};
use crate::finding::{Circumstances, Evidence};
use crate::json::{self, Member, Value};
use crate::ledger::{Class, KeyRef, Ledger};
use crate::strings::{Recent, Strings, mixed};

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

/// What made a service call a function.
static SOURCE_ARN: LazyLock<Member> = LazyLock::new(|| Member::new("sourceArn"));

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
    let names = names(row, event);
    if row.family == Family::Parameters
        && names.as_slice().iter().any(|name| name.starts_with(PUBLIC_PARAMETERS))
    {
        return;
    }
    let target = target(row, event);
    let owner = match account_of_arn(&target) {
        "" => event.account,
        owner => owner,
    };
    let counted = Counted::of(event, row.family, &target, names.as_slice());
    for subject in row.family.traits().subjects {
        let key = |account, entity| KeyRef { class: row.family.class(*subject), account, entity };
        let (key, hash) = match subject {
            Subject::Throttled if outcome != Outcome::Throttled => continue,
            Subject::Target | Subject::Throttled => (key(owner, &target), counted.target_hash),
            Subject::Actor if !event.session.invoked_by.is_empty() => {
                let service = event.session.invoked_by;
                (key(event.account, service), stable_hash(service.as_bytes()))
            }
            Subject::Actor => (key(event.account, &event.actor.id), event.actor.hash),
        };
        counted.count(*subject, (key, hash), ledger);
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
    let counted = Counted::of(event, Family::Api, &event.action.label, &[]);
    counted.count(Subject::Target, (key, stable_hash(entity.as_bytes())), ledger);
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

/// One event, as it counts under its keys.
struct Counted<'a> {
    event: &'a Event<'a>,
    family: Family,
    target: &'a str,
    names: &'a [Cow<'a, str>],
    target_hash: u64,
    measure: Option<Arc<Measure>>,
    /// What made a service call a function.
    trigger: Cow<'a, str>,
    /// The same under every key, made when the first wants it.
    evidence: OnceCell<Evidence>,
}

impl<'a> Counted<'a> {
    fn of(event: &'a Event<'a>, family: Family, target: &'a str, names: &'a [Cow<'a, str>]) -> Self {
        let trigger = match family {
            Family::Function => event.parts.request.top_str_of(&SOURCE_ARN).unwrap_or_default(),
            _ => Cow::Borrowed(""),
        };
        Self {
            event,
            family,
            target,
            names,
            target_hash: if family == Family::Api {
                event.action.id.0
            } else {
                stable_hash(target.as_bytes())
            },
            measure: Measure::of(event, family, names).map(Arc::new),
            trigger,
            evidence: OnceCell::new(),
        }
    }

    fn count(&self, subject: Subject, (key, hash): (KeyRef<'_>, u64), ledger: &mut Ledger<Remembered>) {
        let event = self.event;
        let (facts, strings, told) = ledger.grow_hashed(key, hash);
        facts.least = match subject {
            Subject::Throttled => LEAST_THROTTLED,
            Subject::Target | Subject::Actor => self.family.traits().least,
        };
        match facts.calls.minute(event.time) {
            // What adding a sighting would do, without making one that leaves nothing behind.
            Minute::Many(calls) => {
                calls.count(event.call.0, self.measure.as_deref(), self.name());
                calls.shape.calls.insert_with(event.call.0, || self.told(subject, (told, strings)));
                if calls.shape.evidence.wants(event.time) {
                    calls.shape.evidence.insert(self.evidence(strings).clone());
                }
            }
            few => {
                let call = self.told(subject, (told, strings));
                let (evidence, measure) = (self.evidence(strings).clone(), self.measure.clone());
                few.insert(event.call.0, Sighting { evidence, call, measure });
            }
        }
        if self.family.grows() && subject != Subject::Throttled {
            let day = facts.days.entry(event.time.day()).or_default();
            match self.measure.as_deref() {
                Some(measure) if measure.counts_names => {
                    measure.names.iter().for_each(|name| day.counted.insert_with(*name, || ()));
                }
                _ => day.counted.insert_with(event.call.0, || ()),
            }
            if day.first.wants(event.time) {
                day.first.insert(self.evidence(strings).clone());
            }
        }
        if facts.since.touch(event.time) {
            know_account(key.account, event, ledger);
            introduce(key, (self.family, subject), ledger);
        }
    }

    fn name(&self) -> &'a str {
        self.names.first().map_or("", |name| &**name)
    }

    fn evidence(&self, strings: &mut Strings) -> &Evidence {
        self.evidence.get_or_init(|| Evidence::of(self.event, strings))
    }

    /// What is told of the call under a key, shared with earlier equal calls.
    fn told(&self, subject: Subject, (told, strings): (&mut Told, &mut Strings)) -> Arc<Call> {
        let Event { action, actor, region, .. } = self.event;
        let name = self.name();
        let (other, hash) = match subject {
            Subject::Actor if self.target == &*action.label => (name, self.target_hash),
            Subject::Actor => (self.target, self.target_hash),
            Subject::Target | Subject::Throttled => (&*actor.id, actor.hash),
        };
        let circumstances = &self.evidence(strings).circumstances;
        told.recall(circumstances, (hash, [other, name, &self.trigger, region]), strings)
    }
}

/// Calls told of lately, each with the circumstances it was made in. Neighbouring events have most of it in common.
#[derive(Debug, Default)]
pub struct Told(Recent<Call>);

impl Told {
    /// `texts` are the other party, with a hash of it, the name, the trigger and the region.
    fn recall(
        &mut self,
        circumstances: &Arc<Circumstances>,
        (other, texts): (u64, [&str; 4]),
        strings: &mut Strings,
    ) -> Arc<Call> {
        let hash = mixed(Arc::as_ptr(circumstances).addr() as u64 ^ other, [texts[1], texts[2], texts[3]]);
        let is_same = |call: &Call| {
            [&*call.other, &*call.name, &*call.trigger, &*call.region] == texts
                && call.source == circumstances.source_ip
                && call.session == circumstances.session
        };
        if let Some(known) = self.0.get(hash, is_same) {
            return known;
        }
        let [other, name, trigger, region] = texts.map(|text| strings.share(text));
        let (source, session) = (Arc::clone(&circumstances.source_ip), Arc::clone(&circumstances.session));
        self.0.keep(hash, Call { other, name, source, session, trigger, region })
    }
}

impl Measure {
    /// How a call counts; nothing when it simply counts once, and has no name or one.
    fn of(event: &Event<'_>, family: Family, names: &[Cow<'_, str>]) -> Option<Self> {
        let counts_names = family.counts_names();
        let name = names.first().map_or("", |name| &**name);
        let processors = if family == Family::Compute { processors(event, name) } else { 1 };
        // The call told of has the first name alone, and none where that is empty.
        let is_plain = !counts_names && processors == 1 && names.len() == usize::from(!name.is_empty());
        (!is_plain).then(|| Self {
            counts_names,
            processors,
            names: names.iter().map(|name| stable_hash(name.as_bytes())).collect(),
        })
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
    let found = row.target.iter().find_map(|place| match place.name() {
        "arn" => arn(event),
        _ => event.parts.request.top_str_of(place),
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
    event.parts.resources.arns().find(|arn| arn_part(arn, 2) == &*event.action.service).map(Cow::Borrowed)
}

/// A function's ARN without version or alias, from its ARN or from its name.
fn function<'a>(named: Cow<'a, str>, event: &Event<'_>) -> Cow<'a, str> {
    if !named.starts_with("arn:") {
        let name = named.rsplit_once("function:").map_or(&*named, |(_, name)| name);
        let name = name.split(':').next().unwrap_or(name);
        return Cow::Owned(format!("arn:aws:lambda:{}:{}:function:{name}", event.region, event.account));
    }
    match colon(&named, 7) {
        Some(end) => match named {
            Cow::Borrowed(arn) => Cow::Borrowed(&arn[..end]),
            Cow::Owned(arn) => Cow::Owned(arn[..end].to_owned()),
        },
        None => named,
    }
}

/// Names in a record: none or one as a rule.
enum Names<'a> {
    Few(Option<Cow<'a, str>>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Names<'a> {
    fn as_slice(&self) -> &[Cow<'a, str>] {
        match self {
            Self::Few(names) => names.as_slice(),
            Self::Many(names) => names,
        }
    }
}

/// What the record tells apart within the key.
fn names<'a>(row: &Row, event: &'a Event<'_>) -> Names<'a> {
    if row.family == Family::Attempts {
        return Names::Few(Some(Cow::Borrowed(event.request_id)));
    }
    let request = &event.parts.request;
    for place in &row.name {
        let found = match place.name() {
            "arn" => arn(event),
            "names" => {
                let names = event.parts.request().get("names").map_or(&[][..], json::one_or_many);
                let names = names.iter().filter_map(Value::as_str).take(MOST_NAMES);
                return Names::Many(names.map(Cow::Borrowed).collect());
            }
            _ => request.top_str_of(place),
        };
        match found {
            Some(name) if row.family == Family::Secrets => return Names::Few(Some(secret(name))),
            Some(name) => return Names::Few(Some(name)),
            None => {}
        }
    }
    Names::Few(None)
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
