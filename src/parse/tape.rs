//! The thorough way to read a record: simd-json opens all of it, escapes are decoded, every type is looked at.

use simd_json::Buffers;
use simd_json::prelude::*;
use simd_json::tape::{Tape, Value};
use trailhound_detectors::json::{self, walk};

use super::fields::{Caller, Context, Fields, truth};
use super::{MAX_RECORD_BYTES, SkipReason};

/// Opens records one after another, in memory that is used again.
pub(super) struct TapeReader {
    text: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for TapeReader {
    fn default() -> Self {
        Self { text: Vec::new(), buffers: Buffers::new(0), tape: Tape(Vec::new()) }
    }
}

impl std::fmt::Debug for TapeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapeReader").field("text_capacity", &self.text.capacity()).finish_non_exhaustive()
    }
}

/// What an element of a list of records can be.
#[derive(Debug)]
pub(super) enum Item<'f, 'a> {
    /// A record of its own.
    Record(&'f Fields<'a>),
    /// Holds a record: EventBridge's `detail`, `CloudTrailEvent` of `LookupEvents`, or a string.
    Envelope(String),
    /// A digest.
    Digest,
}

impl TapeReader {
    /// Reads one element, hands what it is to `take`, and returns what that returns; or why it can't be read.
    pub(super) fn read<T>(
        &mut self,
        text: &str,
        take: impl FnOnce(Item<'_, '_>) -> T,
    ) -> Result<T, (SkipReason, String)> {
        if text.len() > MAX_RECORD_BYTES {
            return Err((SkipReason::TooLarge, format!("{} bytes", text.len())));
        }
        if json::depth(text.as_bytes()) > json::MAX_DEPTH {
            return Err((SkipReason::TooDeep, format!("more than {} levels", json::MAX_DEPTH)));
        }
        self.text.clear();
        self.text.extend_from_slice(text.as_bytes());
        json::replace_lone_surrogates(&mut self.text);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let read = match simd_json::fill_tape(&mut self.text, &mut self.buffers, &mut tape) {
            Ok(()) => open(tape.as_value(), text, take).ok_or((SkipReason::NotAnObject, String::new())),
            Err(e) => Err((SkipReason::InvalidJson, e.to_string())),
        };
        self.tape = tape.reset();
        read
    }
}

fn open<'a, T>(value: Value<'_, 'a>, text: &'a str, take: impl FnOnce(Item<'_, 'a>) -> T) -> Option<T> {
    if let Some(inner) = value.into_string() {
        return Some(take(Item::Envelope(inner.to_owned())));
    }
    value.as_object()?;
    let (mut envelope, mut fields) = (Envelope::default(), Fields::default());
    each_member(value, text, |key, value, text| {
        envelope.member(key, value, text);
        fields.member(key, value, text);
    });
    Some(take(match envelope {
        Envelope { quoted: Some(record), .. } | Envelope { detail: Some(record), is_event: true, .. } => {
            Item::Envelope(record.to_owned())
        }
        Envelope { is_digest: true, .. } => Item::Digest,
        _ => Item::Record(&fields),
    }))
}

/// What tells an envelope or a digest from a record.
#[derive(Default)]
struct Envelope<'a> {
    quoted: Option<&'a str>,
    detail: Option<&'a str>,
    is_event: bool,
    is_digest: bool,
}

impl<'a> Envelope<'a> {
    fn member(&mut self, key: &str, value: Value<'_, 'a>, text: &'a str) {
        match key {
            "CloudTrailEvent" => self.quoted = value.into_string(),
            "detail" => self.detail = text.starts_with('{').then_some(text),
            "detail-type" => self.is_event = true,
            "digestS3Object" => self.is_digest = true,
            _ => {}
        }
    }
}

impl<'a> Fields<'a> {
    /// The last of members with the same key counts.
    fn member(&mut self, key: &str, value: Value<'_, 'a>, text: &'a str) {
        let scalar = || scalar(value, text);
        match key {
            "eventTime" => self.time = scalar(),
            "eventSource" => self.source = scalar(),
            "eventName" => self.name = scalar(),
            "eventID" => self.event_id = scalar(),
            "sharedEventID" => self.shared_event_id = scalar(),
            "requestID" => self.request_id = scalar(),
            "eventType" => self.event_type = scalar(),
            "eventCategory" => self.category = scalar(),
            "recipientAccountId" => self.recipient = scalar(),
            "awsRegion" => self.region = scalar(),
            "sourceIPAddress" => self.source_ip = scalar(),
            "userAgent" => self.user_agent = scalar(),
            "errorCode" => self.error_code = scalar(),
            "errorMessage" => self.error_message = scalar(),
            "vpcEndpointId" => self.vpc_endpoint = scalar(),
            "readOnly" => self.read_only = truth(scalar()),
            "managementEvent" => self.management = truth(scalar()),
            "sessionCredentialFromConsole" => self.from_console = truth(scalar()),
            "userIdentity" => self.caller = caller(value, text),
            "requestParameters" => self.request = text,
            "responseElements" => self.response = text,
            "additionalEventData" => self.additional = text,
            "resources" => self.resources = text,
            "serviceEventDetails" => self.service_details = text,
            "insightDetails" => self.insight = true,
            _ => {}
        }
    }
}

fn caller<'a>(value: Value<'_, 'a>, text: &'a str) -> Caller<'a> {
    let mut caller = Caller::default();
    each_member(value, text, |key, value, text| {
        let identity = &mut caller.identity;
        let scalar = || scalar(value, text);
        match key {
            "type" => identity.kind = scalar(),
            "arn" => identity.arn = scalar(),
            "accountId" => identity.account = scalar(),
            "principalId" => identity.principal_id = scalar(),
            "userName" => identity.user_name = scalar(),
            "invokedBy" => identity.invoked_by = scalar(),
            "identityProvider" => identity.provider = scalar(),
            "accessKeyId" => caller.access_key = scalar(),
            "onBehalfOf" => {
                identity.on_behalf_of = "";
                each_member(value, text, |key, value, text| {
                    if key == "userId" {
                        identity.on_behalf_of = self::scalar(value, text);
                    }
                });
            }
            "sessionContext" => caller.context = context(value, text),
            _ => {}
        }
    });
    caller
}

fn context<'a>(value: Value<'_, 'a>, text: &'a str) -> Context<'a> {
    let mut context = Context::default();
    each_member(value, text, |key, value, text| match key {
        "sourceIdentity" => context.source_identity = scalar(value, text),
        "sessionIssuer" => {
            context.issuer_arn = "";
            each_member(value, text, |key, value, text| {
                if key == "arn" {
                    context.issuer_arn = scalar(value, text);
                }
            });
        }
        "attributes" => {
            (context.mfa, context.created) = (None, "");
            each_member(value, text, |key, value, text| match key {
                "mfaAuthenticated" => context.mfa = truth(scalar(value, text)),
                "creationDate" => context.created = scalar(value, text),
                _ => {}
            });
        }
        _ => {}
    });
    context
}

/// The members of an object in their order: key and value as the tape has them, and the value's text in the log.
fn each_member<'a>(
    value: Value<'_, 'a>,
    text: &'a str,
    mut take: impl FnMut(&'a str, Value<'_, 'a>, &'a str),
) {
    let Some(object) = value.as_object() else { return };
    for ((key, value), (_, text)) in object.iter().zip(walk::members(text)) {
        take(key, value, text);
    }
}

/// A string decoded; numbers and truth values as they are written; anything else is empty.
fn scalar<'a>(value: Value<'_, 'a>, text: &'a str) -> &'a str {
    match value.into_string() {
        Some(text) => text,
        None if text.starts_with(['{', '[']) || text == "null" => "",
        None => text,
    }
}
