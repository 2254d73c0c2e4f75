//! Events for tests: everything ordinary until said otherwise.

use std::sync::Arc;

use crate::action::{Action, stable_hash};
use crate::actor::{Actor, Identity};
use crate::catalogue::sort_findings;
use crate::detector::{Around, Detector};
use crate::environment::{Environment, Learning};
use crate::event::{CallId, Category, Event, Parts, Session, Timeliness};
use crate::finding::Finding;
use crate::json::Raw;
use crate::ledger::Ledger;
use crate::time::{EventTime, TimeRange};

/// A record to be. Parts are JSON texts.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    /// `eventID`; records with the same one are copies.
    pub(crate) id: String,
    pub(crate) time: EventTime,
    pub(crate) late: bool,
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) identity: Identity<'a>,
    pub(crate) session: Session<'a>,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) source_ip: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) error_code: &'a str,
    pub(crate) error_message: &'a str,
    pub(crate) read_only: Option<bool>,
    pub(crate) category: Category,
    pub(crate) request: &'a str,
    pub(crate) response: &'a str,
    pub(crate) additional: &'a str,
    pub(crate) resources: &'a str,
    pub(crate) service_details: &'a str,
    pub(crate) object: &'a str,
    /// Empty for the record's own id.
    pub(crate) request_id: &'a str,
}

/// The account of everything that does not say otherwise.
pub(crate) const ACCOUNT: &str = "111122223333";

/// An IAM user of [`ACCOUNT`], by ARN.
pub(crate) fn user(arn: &str) -> Identity<'_> {
    Identity { kind: "IAMUser", arn, account: ACCOUNT, ..Identity::default() }
}

/// A role's session, by the assumed-role ARN.
pub(crate) fn role(arn: &str) -> Identity<'_> {
    Identity { kind: "AssumedRole", arn, account: crate::actor::account_of_arn(arn), ..Identity::default() }
}

impl<'a> Call<'a> {
    /// A successful call of the user `kim` from the command line.
    pub(crate) fn new(service: &'a str, name: &'a str, time: EventTime) -> Self {
        let identity = user("arn:aws:iam::111122223333:user/kim");
        Self {
            id: format!("{service}:{name} {}", time.0),
            time,
            late: false,
            service,
            name,
            identity,
            session: Session { access_key: "AKIAEXAMPLE000000001", ..Session::default() },
            account: ACCOUNT,
            region: "eu-west-1",
            source_ip: "198.51.100.7",
            user_agent: "aws-cli/2.15.0",
            error_code: "",
            error_message: "",
            read_only: None,
            category: Category::Management,
            request: "null",
            response: "null",
            additional: "null",
            resources: "null",
            service_details: "null",
            object: "s3://logs/a",
            request_id: "",
        }
    }

    /// The event, handed to `see`.
    pub(crate) fn with<T>(&self, see: impl FnOnce(&Event<'_>) -> T) -> T {
        let part = |text| Raw::new(text);
        let parts = Parts::new(
            part(self.request),
            part(self.response),
            part(self.additional),
            part(self.resources),
            part(self.service_details),
        );
        see(&Event {
            call: CallId(stable_hash(self.id.as_bytes())),
            event_id: &self.id,
            time: self.time,
            timeliness: if self.late { Timeliness::Late } else { Timeliness::OnTime },
            action: &Action::new(&format!("{}.amazonaws.com", self.service), self.name),
            actor: &Arc::new(Actor::of(&self.identity)),
            session: Session { name: self.identity.session_name(), ..self.session },
            account: self.account,
            region: self.region,
            source_ip: self.source_ip,
            user_agent: self.user_agent,
            error_code: self.error_code,
            error_message: self.error_message,
            read_only: self.read_only,
            category: self.category,
            event_type: if self.service == "signin" { "AwsConsoleSignIn" } else { "AwsApiCall" },
            request_id: if self.request_id.is_empty() { &self.id } else { self.request_id },
            shared_event_id: "",
            vpc_endpoint: "",
            object: &self.object.into(),
            parts: &parts,
        })
    }
}

/// What a detector remembers of calls.
pub(crate) fn teach<'a, D: Detector>(calls: impl IntoIterator<Item = &'a Call<'a>>) -> Ledger<D::Facts> {
    let mut ledger = Ledger::default();
    for call in calls {
        call.with(|event| {
            let claim = D::claim(event.action);
            if claim != 0 {
                D::observe(std::iter::once((claim, event)), &mut ledger);
            }
        });
    }
    ledger
}

/// What a detector finds in facts at any time, in order.
pub(crate) fn find<D: Detector>(detector: &D, ledger: &Ledger<D::Facts>, learning: Learning) -> Vec<Finding> {
    find_in(detector, ledger, &Environment { learning, ..Environment::default() })
}

/// The same in a world of a certain configuration.
pub(crate) fn find_in<D: Detector>(
    detector: &D,
    ledger: &Ledger<D::Facts>,
    environment: &Environment,
) -> Vec<Finding> {
    let notes = Default::default();
    let around = Around { others: ledger, environment, span: TimeRange::ALL, notes: &notes };
    let mut found = Vec::new();
    for (key, facts) in ledger.sorted() {
        detector.judge(key, facts, &around, &mut found);
    }
    sort_findings(&mut found);
    found
}
