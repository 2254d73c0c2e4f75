//! One CloudTrail record, as detectors see it.
//!
//! Everything borrows from the buffer the record was parsed in. Fields every record gives are plain strings (empty
//! when the record has none); the large parts stay closed until a detector asks.
//! Field names and meanings: AWS, "CloudTrail record contents for management, data, and network activity events".

use std::cell::OnceCell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::actor::Actor;
use crate::event_id::EventId;
use crate::finding::{Circumstances, Evidence};
use crate::json::{Raw, Value};
use crate::strings::Strings;
use crate::time::EventTime;

/// What facts count an event as: a 64-bit hash of the id of the *call* (`sharedEventID` when the record has one, else
/// `eventID`, else the bytes of the record), so a call that two accounts log, or two files hold, counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// Whether the record reached its file within the lateness horizon. A property of record and file, never of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeliness {
    /// Within the horizon, or in a file whose name gives no delivery time.
    #[default]
    OnTime,
    /// Delivered later than the horizon: teaches, but opens no window.
    Late,
}

/// CloudTrail's `eventCategory`, or what older records imply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Category {
    /// Control-plane calls, and everything that does not say otherwise.
    #[default]
    Management,
    /// Data events.
    Data,
    /// Calls through VPC endpoints (`NetworkActivity`).
    NetworkActivity,
}

/// One record. Empty strings stand for absent or null fields.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// What this event counts as.
    pub call: CallId,
    /// The record's own `eventID`.
    pub event_id: &'a str,
    /// `eventTime`.
    pub time: EventTime,
    /// On time or late.
    pub timeliness: Timeliness,
    /// Service and call, interned, with what is known about them.
    pub action: &'a Action,
    /// Who called, sessions folded away.
    pub actor: &'a Arc<Actor>,
    /// The session the actor called in.
    pub session: Session<'a>,
    /// The account whose trail holds the record: `recipientAccountId`, else the caller's, else the file's.
    pub account: &'a str,
    /// `awsRegion`.
    pub region: &'a str,
    /// `sourceIPAddress`: an address, a service's name, or `AWS Internal`.
    pub source_ip: &'a str,
    /// `userAgent`, without the brackets S3 puts around it.
    pub user_agent: &'a str,
    /// `errorCode`; empty when the call went through (the literal `Success` of some exporters counts as empty).
    pub error_code: &'a str,
    /// `errorMessage`.
    pub error_message: &'a str,
    /// `readOnly`, where the record says (as a boolean or as a string).
    pub read_only: Option<bool>,
    /// `eventCategory`.
    pub category: Category,
    /// `eventType`: `AwsApiCall`, `AwsServiceEvent`, `AwsConsoleSignIn`, `AwsConsoleAction`, `AwsVpceEvent`…
    pub event_type: &'a str,
    /// `requestID`: shared by the `Invoke` and `InvokeExecution` records of one asynchronous call.
    pub request_id: &'a str,
    /// `sharedEventID`: the same in both records of a cross-account call.
    pub shared_event_id: &'a str,
    /// `vpcEndpointId`.
    pub vpc_endpoint: &'a str,
    /// The log object the record stood in: `s3://bucket/key`, or a path.
    pub object: &'a Arc<str>,
    /// The large parts, closed.
    pub parts: &'a Parts<'a>,
}

impl Event<'_> {
    /// The call went through: no error code, and not one of the failures CloudTrail only tells by message.
    pub fn succeeded(&self) -> bool {
        self.error_code.is_empty() && self.error_message.is_empty()
    }

    /// The record as evidence: the same for all detectors, whoever asks first shares what repeats in it through `strings`.
    pub fn evidence(&self, strings: &mut Strings) -> Evidence {
        self.evidence_with(|| strings.circumstances(self, self.error_code))
    }

    /// The same where the circumstances are at hand already.
    pub(crate) fn evidence_with(&self, circumstances: impl FnOnce() -> Arc<Circumstances>) -> Evidence {
        let make = || Evidence {
            time: self.time,
            event_id: EventId::new(self.event_id),
            object: Arc::clone(self.object),
            circumstances: circumstances(),
        };
        let evidence = self.parts.evidence.get_or_init(make);
        debug_assert_eq!(
            (evidence.time, &evidence.object),
            (self.time, self.object),
            "the parts of another event"
        );
        evidence.clone()
    }

    /// What facts of windows may count: records on time.
    pub fn on_time(&self) -> bool {
        self.timeliness == Timeliness::OnTime
    }
}

/// What is known of the session or credential behind a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session<'a> {
    /// The role session name, the part of an assumed-role ARN behind the role's name.
    pub name: &'a str,
    /// `userIdentity.accessKeyId`.
    pub access_key: &'a str,
    /// `userIdentity.principalId`.
    pub principal_id: &'a str,
    /// `sessionContext.sourceIdentity`.
    pub source_identity: &'a str,
    /// `userIdentity.invokedBy`: the AWS service that called on the actor's behalf.
    pub invoked_by: &'a str,
    /// `sessionContext.attributes.mfaAuthenticated`, where stated.
    pub mfa: Option<bool>,
    /// `sessionContext.attributes.creationDate`.
    pub created: Option<EventTime>,
    /// `sessionCredentialFromConsole`.
    pub from_console: bool,
}

/// The parts of a record that only some detectors want, opened at most once. They belong to one event.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// `requestParameters`.
    pub request: Raw<'a>,
    /// `responseElements`.
    pub response: Raw<'a>,
    /// `additionalEventData`.
    pub additional: Raw<'a>,
    /// `resources`.
    pub resources: Raw<'a>,
    /// `serviceEventDetails`.
    pub service_details: Raw<'a>,
    opened: [OnceCell<Value>; 5],
    /// The record as evidence, made when the first detector wants it.
    evidence: OnceCell<Evidence>,
}

impl<'a> Parts<'a> {
    /// Closed parts.
    pub fn new(
        request: Raw<'a>,
        response: Raw<'a>,
        additional: Raw<'a>,
        resources: Raw<'a>,
        service_details: Raw<'a>,
    ) -> Self {
        Self {
            request,
            response,
            additional,
            resources,
            service_details,
            opened: Default::default(),
            evidence: OnceCell::new(),
        }
    }

    /// `requestParameters`, opened; `Null` when absent.
    pub fn request(&self) -> &Value {
        self.opened[0].get_or_init(|| self.request.open())
    }

    /// `responseElements`, opened.
    pub fn response(&self) -> &Value {
        self.opened[1].get_or_init(|| self.response.open())
    }

    /// `additionalEventData`, opened.
    pub fn additional(&self) -> &Value {
        self.opened[2].get_or_init(|| self.additional.open())
    }

    /// `resources`, opened.
    pub fn resources(&self) -> &Value {
        self.opened[3].get_or_init(|| self.resources.open())
    }

    /// `serviceEventDetails`, opened.
    pub fn service_details(&self) -> &Value {
        self.opened[4].get_or_init(|| self.service_details.open())
    }
}
