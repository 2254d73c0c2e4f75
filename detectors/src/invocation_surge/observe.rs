//! From an event to the keys it counts under.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::{Arc, LazyLock};

use super::config::LEAST_THROTTLED;
use super::facts::{Call, Measure, Minute, Remembered, Sighting};
use super::families::{self, Family, Row, Subject};
use super::kin::introduce;
use super::told::{Place, Story, Telling, Told, unversioned};
use crate::action::{Action, stable_hash};
use crate::actor::account_of_arn;
use crate::detector::Claim;
use crate::event::{Category, Event};
use crate::finding::Evidence;
use crate::json::{self, Member, Value};
use crate::ledger::{Class, KeyRef, Ledger};
use crate::strings::{Extent, Strings};

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

/// A call that stands nowhere in the table, and changes something. Role sessions and sign-ins are not changes.
const CHANGE: Claim = Claim::MAX;

/// One that stands in the table has its place there, counted from 1.
pub(super) fn claim(action: &Action) -> Claim {
    if let Some(place) = families::place(action) {
        return Claim::try_from(place + 1).ok().filter(|claim| *claim < CHANGE).unwrap_or_default();
    }
    let is_session = matches!(&*action.service, "sts" | "signin" | "sso" | "sso-oauth" | "signin-oauth");
    if action.level.only_reads() || is_session { 0 } else { CHANGE }
}

/// Grows the facts of the keys an event counts under.
pub(super) fn observe(event: &Event<'_>, claim: Claim, ledger: &mut Ledger<Remembered>) {
    // Calls through VPC endpoints are logged a second time, under ids of their own.
    if !event.on_time() || event.category == Category::NetworkActivity {
        return;
    }
    let Some(outcome) = Outcome::of(event) else { return };
    if claim == CHANGE {
        change(event, ledger);
    } else if let Some(row) = families::row(usize::from(claim).wrapping_sub(1)) {
        invocation(event, row, outcome, ledger);
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
    let names = names(row, event, ledger.memo());
    if row.family == Family::Parameters
        && names.as_slice().iter().any(|name| name.starts_with(PUBLIC_PARAMETERS))
    {
        return;
    }
    let target = Target::of(row, event, ledger.memo());
    let owner = target.owner(event);
    let trigger = match row.family {
        Family::Function => trigger(event, ledger.memo()),
        _ => Cow::Borrowed(""),
    };
    let counted = Counted {
        measure: Measure::of(event, row.family, names.as_slice()).map(Arc::new),
        event,
        family: row.family,
        target: &target.name,
        names: names.as_slice(),
        target_hash: target.hash,
        trigger,
        place: OnceCell::new(),
    };
    for subject in row.family.traits().subjects {
        let key = |account, entity| KeyRef { class: row.family.class(*subject), account, entity };
        let (key, hash) = match subject {
            Subject::Throttled if outcome != Outcome::Throttled => continue,
            Subject::Target | Subject::Throttled => (key(owner, &target.name), target.hash),
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
    // `region/service:Call`. This runs on every change: the text is written where the one before stood.
    let mut entity = std::mem::take(&mut ledger.memo().api);
    entity.clear();
    [event.region, "/", &*event.action.label].iter().for_each(|part| entity.push_str(part));
    let key = KeyRef { class: Family::Api.class(Subject::Target), account: event.account, entity: &entity };
    let counted = Counted {
        event,
        family: Family::Api,
        target: &event.action.label,
        names: &[],
        target_hash: event.action.id.0,
        measure: Measure::of(event, Family::Api, &[]).map(Arc::new),
        trigger: Cow::Borrowed(""),
        place: OnceCell::new(),
    };
    counted.count(Subject::Target, (key, stable_hash(entity.as_bytes())), ledger);
    ledger.memo().api = entity;
}

fn via_aws(event: &Event<'_>) -> bool {
    event.actor.kind.is_aws() || !event.session.invoked_by.is_empty()
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
    /// Where what is told of it stands, once it is wanted.
    place: OnceCell<Place>,
}

impl<'a> Counted<'a> {
    fn count(&self, subject: Subject, (key, hash): (KeyRef<'_>, u64), ledger: &mut Ledger<Remembered>) {
        let event = self.event;
        let (facts, strings, told) = ledger.grow_hashed(key, hash);
        facts.least = match subject {
            Subject::Throttled => LEAST_THROTTLED,
            Subject::Target | Subject::Actor => self.family.traits().least,
        };
        let minute = if self.family.grows() && subject != Subject::Throttled {
            facts.minute_of_counted_day(event.time)
        } else {
            facts.calls.minute(event.time)
        };
        match minute {
            // What adding a sighting would do, without making one that leaves nothing behind.
            Minute::Many(calls) => {
                calls.count(event.call.0, self.measure.as_deref(), self.name());
                calls.shape.calls.insert_with(event.call.0, || self.told(subject, (told, strings)));
                if calls.shape.evidence.wants(event.time) {
                    calls.shape.evidence.insert(self.evidence((told, strings)));
                }
            }
            few => {
                let call = self.told(subject, (told, strings));
                let (evidence, measure) = (self.evidence((told, strings)), self.measure.clone());
                few.insert(event.call.0, Sighting { evidence, call, measure });
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

    fn evidence(&self, (told, strings): (&mut Told, &mut Strings)) -> Evidence {
        self.event.evidence_with(|| self.story(told, strings).circumstances())
    }

    /// What is told of the call under a key.
    fn told(&self, subject: Subject, (told, strings): (&mut Told, &mut Strings)) -> Arc<Call> {
        self.story(told, strings).call(subject)
    }

    fn story<'t>(&self, told: &'t mut Told, strings: &mut Strings) -> &'t mut Story {
        let Self { event, target, target_hash, trigger, .. } = self;
        let place = self.place.get_or_init(|| {
            told.place(
                &Telling { event, target, target_hash: *target_hash, name: self.name(), trigger },
                strings,
            )
        });
        told.at(*place)
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

/// The thing called.
struct Target<'a> {
    /// As the record names it; the call itself where it names none.
    name: Cow<'a, str>,
    /// The account in the name.
    account: Extent,
    /// A hash of the name.
    hash: u64,
}

impl<'a> Target<'a> {
    fn of(row: &Row, event: &'a Event<'_>, told: &mut Told) -> Self {
        for place in &row.target {
            let found = if place.name() == "arn" {
                match told.resource(row.family, event) {
                    Some((name, resource)) if !row.family.is_of_functions() || name.starts_with("arn:") => {
                        return Self { name: name.into(), account: resource.account, hash: resource.hash };
                    }
                    found => found.map(|(name, _)| Cow::Borrowed(name)),
                }
            } else {
                event.parts.request.top_str_of(place)
            };
            if let Some(found) = found {
                return Self::named(
                    if row.family.is_of_functions() { function(found, event) } else { found },
                    event,
                );
            }
        }
        Self::named(Cow::Borrowed(""), event)
    }

    fn named(name: Cow<'a, str>, event: &'a Event<'_>) -> Self {
        let name = if name.is_empty() { Cow::Borrowed(&*event.action.label) } else { name };
        Self { account: Extent::of(account_of_arn(&name), &name), hash: stable_hash(name.as_bytes()), name }
    }

    /// The account it belongs to: the record's where its name has none.
    fn owner(&'a self, event: &'a Event<'_>) -> &'a str {
        match self.account.in_text(&self.name) {
            "" => event.account,
            owner => owner,
        }
    }
}

/// What made a service call a function.
fn trigger<'a>(event: &'a Event<'_>, told: &mut Told) -> Cow<'a, str> {
    let request = &event.parts.request;
    // None is an empty one that stands nowhere, and an owned one would be looked for each time.
    let find = || request.top_str_of(&SOURCE_ARN).unwrap_or(Cow::Borrowed(""));
    told.trigger(event.action, request.text(), find).map_or_else(find, Cow::Borrowed)
}

/// A function's ARN without version or alias, from its ARN or from its name.
fn function<'a>(named: Cow<'a, str>, event: &Event<'_>) -> Cow<'a, str> {
    if !named.starts_with("arn:") {
        let name = named.rsplit_once("function:").map_or(&*named, |(_, name)| name);
        let name = name.split(':').next().unwrap_or(name);
        return Cow::Owned(format!("arn:aws:lambda:{}:{}:function:{name}", event.region, event.account));
    }
    match named {
        Cow::Borrowed(arn) => Cow::Borrowed(unversioned(arn)),
        Cow::Owned(arn) => Cow::Owned(unversioned(&arn).to_owned()),
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
fn names<'a>(row: &Row, event: &'a Event<'_>, told: &mut Told) -> Names<'a> {
    if row.family == Family::Attempts {
        return Names::Few(Some(Cow::Borrowed(event.request_id)));
    }
    let request = &event.parts.request;
    for place in &row.name {
        let found = match place.name() {
            "arn" => told.resource(row.family, event).map(|(arn, _)| Cow::Borrowed(arn)),
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
