//! The fields a record gives, and the event made of them.

use std::sync::Arc;

use trailhound_detectors::action::stable_hash;
use trailhound_detectors::json::Raw;
use trailhound_detectors::time::LoggedMinute;
use trailhound_detectors::{
    Action, Actor, CallId, Category, Event, EventTime, Identity, Parts, Session, Timeliness,
};

use super::block::{Block, Held};
use super::{Parsed, SkipReason, Tables};
use crate::ingest::Origin;

/// What is taken from a record. Empty strings stand for members that are absent, null, or of a type they can't be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) time: &'a str,
    pub(super) source: &'a str,
    pub(super) name: &'a str,
    pub(super) event_id: &'a str,
    pub(super) shared_event_id: &'a str,
    pub(super) request_id: &'a str,
    pub(super) event_type: &'a str,
    pub(super) category: &'a str,
    pub(super) recipient: &'a str,
    pub(super) region: &'a str,
    pub(super) source_ip: &'a str,
    pub(super) user_agent: &'a str,
    pub(super) error_code: &'a str,
    pub(super) error_message: &'a str,
    pub(super) vpc_endpoint: &'a str,
    pub(super) read_only: Option<bool>,
    pub(super) management: Option<bool>,
    pub(super) from_console: Option<bool>,
    pub(super) caller: Caller<'a>,
    pub(super) request: &'a str,
    pub(super) response: &'a str,
    pub(super) additional: &'a str,
    pub(super) resources: &'a str,
    pub(super) service_details: &'a str,
    /// `insightDetails` is there.
    pub(super) insight: bool,
}

/// `userIdentity`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Caller<'a> {
    /// What makes the actor, but for what `sessionContext` says.
    pub(super) identity: Identity<'a>,
    pub(super) access_key: &'a str,
    pub(super) context: Context<'a>,
}

/// `userIdentity.sessionContext`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context<'a> {
    pub(super) issuer_arn: &'a str,
    pub(super) source_identity: &'a str,
    pub(super) mfa: Option<bool>,
    pub(super) created: &'a str,
}

/// A session's name, and when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sitting<'a> {
    pub(super) name: &'a str,
    pub(super) created: Option<EventTime>,
}

/// When the records of one object were.
#[derive(Debug)]
pub(super) struct Times {
    /// Events before this time are late.
    pub(super) on_time_from: Option<EventTime>,
    pub(super) minute: LoggedMinute,
}

/// Where records of one object go: what can be judged becomes an event, the rest is counted.
pub(super) struct Sink<'r, F> {
    pub(super) origin: &'r Origin,
    pub(super) times: Times,
    pub(super) tables: &'r mut Tables,
    pub(super) each: &'r mut F,
    pub(super) parsed: Parsed,
    /// Records that were taken and not yet shown to anybody.
    pub(super) block: Block<'r>,
}

impl<F: FnMut(&[Event<'_>])> Sink<'_, F> {
    /// Takes the record in the block's newest place.
    pub(super) fn take_newest(&mut self) {
        let Self { block, parsed, times, .. } = self;
        if !block.newest().is_some_and(|held| parsed.admits(held, times)) {
            self.block.give_back();
        } else if self.block.is_full() {
            self.flush();
        }
    }

    /// Takes a record that can't wait, as what its fields lie in is needed for the next.
    pub(super) fn take_now(&mut self, fields: &Fields<'_>, text: &str) {
        self.flush();
        let mut held = Held { fields: fields.clone(), text, ..Held::default() };
        if self.parsed.admits(&mut held, &mut self.times) {
            self.block.show_one(held, self.origin, self.tables, self.each);
        }
    }

    /// Shows the records that wait.
    pub(super) fn flush(&mut self) {
        self.block.show(self.origin, self.tables, self.each);
    }
}

impl Parsed {
    /// Counts a record; whether it is to be judged. Sets when it was, and whether it is late.
    fn admits(&mut self, held: &mut Held<'_>, times: &mut Times) -> bool {
        match held.fields.time(&mut times.minute) {
            Ok(time) => {
                held.time = time;
                held.late = times.on_time_from.is_some_and(|from| time < from);
                self.records += 1;
                self.judged += 1;
                self.late += u64::from(held.late);
                true
            }
            Err((reason, detail)) => {
                self.skip(reason, detail);
                false
            }
        }
    }
}

impl Held<'_> {
    /// Made where it is to stand: it is as large as to be copied would tell.
    #[inline(always)]
    pub(super) fn event<'e>(
        &'e self,
        origin: &'e Origin,
        (action, actor): (&'e Action, &'e Arc<Actor>),
        parts: &'e Parts<'e>,
    ) -> Event<'e> {
        let Self { fields, text, time, late, sitting, .. } = self;
        let identity = fields.caller.identity();
        let call = match (fields.shared_event_id, fields.event_id) {
            ("", "") => text,
            ("", id) | (id, _) => id,
        };
        let in_file = origin.account.as_deref().unwrap_or("");
        Event {
            call: CallId(stable_hash(call.as_bytes())),
            event_id: fields.event_id,
            time: *time,
            timeliness: if *late { Timeliness::Late } else { Timeliness::OnTime },
            action,
            actor,
            session: fields.caller.session(*sitting, fields.from_console),
            account: first_of([fields.recipient, identity.account, in_file]),
            region: fields.region,
            source_ip: fields.source_ip,
            user_agent: unbracketed(fields.user_agent),
            error_code: if fields.error_code == "Success" { "" } else { fields.error_code },
            error_message: fields.error_message,
            read_only: fields.read_only,
            category: fields.category(),
            event_type: fields.event_type,
            request_id: fields.request_id,
            shared_event_id: fields.shared_event_id,
            vpc_endpoint: fields.vpc_endpoint,
            object: &origin.name,
            parts,
        }
    }
}

impl<'a> Fields<'a> {
    /// When the event was; or why the record is not to be judged, and what exactly.
    fn time(&self, minute: &mut LoggedMinute) -> Result<EventTime, (SkipReason, &'a str)> {
        if self.insight || self.event_type == "AwsCloudTrailInsight" || self.category == "Insight" {
            return Err((SkipReason::Insight, ""));
        }
        if self.time.is_empty() {
            return Err((SkipReason::NoTime, self.event_id));
        }
        let time = minute.read(self.time).ok_or((SkipReason::BadTime, self.time))?;
        if self.source.is_empty() || self.name.is_empty() {
            return Err((SkipReason::NoAction, self.event_id));
        }
        Ok(time)
    }

    pub(super) fn parts(&self) -> Parts<'a> {
        Parts::new(
            Raw::new(self.request),
            Raw::new(self.response),
            Raw::new(self.additional),
            Raw::new(self.resources),
            Raw::new(self.service_details),
        )
    }

    /// Records before version 1.07 have no category; what they say instead is whether the event is one of management.
    fn category(&self) -> Category {
        match self.category {
            "Data" => Category::Data,
            "NetworkActivity" => Category::NetworkActivity,
            "" if self.event_type == "AwsVpceEvent" => Category::NetworkActivity,
            "" if self.management == Some(false) => Category::Data,
            _ => Category::Management,
        }
    }
}

impl<'a> Caller<'a> {
    pub(super) fn identity(&self) -> Identity<'a> {
        Identity { issuer_arn: self.context.issuer_arn, ..self.identity }
    }

    /// What it takes some looking to find.
    pub(super) fn sitting(&self) -> Sitting<'a> {
        Sitting { name: self.identity.session_name(), created: EventTime::parse(self.context.created) }
    }

    fn session(&self, known: Option<Sitting<'a>>, from_console: Option<bool>) -> Session<'a> {
        let Sitting { name, created } = known.unwrap_or_else(|| self.sitting());
        Session {
            name,
            access_key: self.access_key,
            principal_id: self.identity.principal_id,
            source_identity: self.context.source_identity,
            invoked_by: self.identity.invoked_by,
            mfa: self.context.mfa,
            created,
            from_console: from_console.unwrap_or(false),
        }
    }
}

/// Some exporters write truth values as strings.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// S3 logs agents as `[agent]`.
fn unbracketed(agent: &str) -> &str {
    agent.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(agent)
}

fn first_of<const N: usize>(candidates: [&str; N]) -> &str {
    candidates.into_iter().find(|c| !c.is_empty()).unwrap_or("")
}
