//! How word of new log objects arrives: every wrapping S3, SNS, SQS, EventBridge and CloudTrail put around a bucket and a key.
//!
//! | form | where the object stands | key encoded |
//! |---|---|---|
//! | S3 notification, alone or in an SQS body | `Records[].s3.{bucket.name,object.key}` | yes, `+` and `%XX` |
//! | any of these behind SNS | in the string `Message`, or `Records[].Sns.Message` when SNS invokes directly | as inside |
//! | EventBridge "Object Created" | `detail.{bucket.name,object.key}` | no |
//! | CloudTrail's own notification | `s3Bucket`, `s3ObjectKey[]` | no |
//!
//! Reading is lenient: only the fields in the table are looked at, so stand-ins and later versions that leave out or add
//! others are read alike. (AWS, "Event message structure" of S3, "Amazon S3 event message structure" for EventBridge, and
//! "Configuring Amazon SNS notifications for CloudTrail".)

use std::sync::Arc;

use serde_json::Value;
use trailhound_detectors::EventTime;

/// Wrappings within wrappings beyond this are nobody's: SNS in SQS is two.
const MAX_DEPTH: u32 = 4;
/// What CloudTrail publishes when a topic is given to a trail.
const VALIDATION: &str = "CloudTrail validation message.";

/// What the function was invoked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Messages of a queue: each is answered for by itself.
    Queue(Vec<Message>),
    /// Straight from S3, SNS or EventBridge: answered for as a whole.
    Direct(Vec<Notice>),
    /// A schedule: look whether anything had fallen silent by this time.
    Schedule(EventTime),
}

/// One message of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `messageId`: names the message in the answer.
    pub id: String,
    /// What its body says.
    pub notices: Vec<Notice>,
}

/// One thing a body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An object was created.
    Object(ObjectRef),
    /// Something that is no concern of ours: acknowledged, and counted by this name.
    Ignored(&'static str),
    /// Not understood, and why: the message must not be acknowledged.
    Broken(&'static str),
}

/// An object in S3, before it is opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: Arc<str>,
    /// The key, decoded.
    pub key: Arc<str>,
    /// Its size in bytes, where the notification says.
    pub size: Option<u64>,
}

impl ObjectRef {
    /// `s3://bucket/key`.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// A payload that is no invocation at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an invocation that is none of SQS, S3, SNS, EventBridge and schedule: {0}")]
pub struct UnknownInvocation(pub &'static str);

/// Reads what the function was invoked with.
pub fn invocation(payload: &Value) -> Result<Invocation, UnknownInvocation> {
    if is_schedule(payload) {
        let time = text(payload, "/time").and_then(EventTime::parse);
        return time.map(Invocation::Schedule).ok_or(UnknownInvocation("a schedule without its `time`"));
    }
    let records = payload.get("Records").and_then(Value::as_array);
    match records.and_then(|r| r.first()) {
        Some(first) if text(first, "/eventSource") == Some("aws:sqs") => {
            let messages: Option<Vec<_>> = records.into_iter().flatten().map(message).collect();
            messages.map(Invocation::Queue).ok_or(UnknownInvocation("an SQS record without `messageId`"))
        }
        _ => match notices(payload, 0).as_slice() {
            [Notice::Broken(why)] => Err(UnknownInvocation(why)),
            notices => Ok(Invocation::Direct(notices.to_vec())),
        },
    }
}

/// A rule of EventBridge on a schedule, EventBridge Scheduler's own event, or an input that says `schedule` itself. (AWS,
/// "Schedule events" of EventBridge and "Managing targets" of EventBridge Scheduler, whose `<aws.scheduler.scheduled-time>`
/// stands for the time.)
fn is_schedule(payload: &Value) -> bool {
    let is_scheduled = text(payload, "/detail-type") == Some("Scheduled Event")
        && matches!(text(payload, "/source"), Some("aws.events" | "aws.scheduler"));
    is_scheduled || payload.get("schedule").is_some()
}

fn message(record: &Value) -> Option<Message> {
    let id = text(record, "/messageId")?.to_owned();
    Some(Message { id, notices: text(record, "/body").map_or(vec![Notice::Broken("no body")], read) })
}

/// Reads the body of a message.
pub fn read(body: &str) -> Vec<Notice> {
    read_nested(body, 0)
}

fn read_nested(body: &str, depth: u32) -> Vec<Notice> {
    if body.trim() == VALIDATION {
        return vec![Notice::Ignored("test")];
    }
    match serde_json::from_str(body) {
        _ if depth > MAX_DEPTH => vec![Notice::Broken("wrapped too often")],
        Ok(value) => notices(&value, depth),
        Err(_) => vec![Notice::Broken("not JSON")],
    }
}

fn notices(body: &Value, depth: u32) -> Vec<Notice> {
    if text(body, "/Event") == Some("s3:TestEvent") {
        return vec![Notice::Ignored("test")];
    }
    if let Some(inner) = text(body, "/Message") {
        return read_nested(inner, depth + 1);
    }
    if let Some(records) = body.get("Records").and_then(Value::as_array) {
        return records.iter().flat_map(|record| in_record(record, depth)).collect();
    }
    if let Some(keys) = body.get("s3ObjectKey") {
        return from_cloudtrail(body, keys);
    }
    if text(body, "/source") == Some("aws.s3") {
        return vec![match text(body, "/detail-type") {
            Some("Object Created") => {
                object(body, ["/detail/bucket/name", "/detail/object/key", "/detail/object/size"], |key| {
                    Some(key.to_owned())
                })
            }
            _ => Notice::Ignored("other_event"),
        }];
    }
    vec![Notice::Broken("no form of notification that is known")]
}

fn in_record(record: &Value, depth: u32) -> Vec<Notice> {
    if let Some(inner) = text(record, "/Sns/Message") {
        return read_nested(inner, depth + 1);
    }
    vec![match text(record, "/eventName") {
        Some(name) if !name.starts_with("ObjectCreated") => Notice::Ignored("other_event"),
        _ => object(record, ["/s3/bucket/name", "/s3/object/key", "/s3/object/size"], decoded),
    }]
}

/// `s3ObjectKey` is a list; a lone string is taken for a list of one.
fn from_cloudtrail(body: &Value, keys: &Value) -> Vec<Notice> {
    let Some(bucket) = text(body, "/s3Bucket").map(Arc::from) else {
        return vec![Notice::Broken("no bucket")];
    };
    let keys = keys.as_array().map_or(std::slice::from_ref(keys), Vec::as_slice);
    keys.iter()
        .map(|key| match key.as_str() {
            Some(key) => {
                Notice::Object(ObjectRef { bucket: Arc::clone(&bucket), key: key.into(), size: None })
            }
            None => Notice::Broken("no key"),
        })
        .collect()
}

fn object(body: &Value, [bucket, key, size]: [&str; 3], decode: fn(&str) -> Option<String>) -> Notice {
    let (Some(bucket), Some(key)) = (text(body, bucket), text(body, key)) else {
        return Notice::Broken("no bucket or key");
    };
    match decode(key) {
        Some(key) => Notice::Object(ObjectRef {
            bucket: bucket.into(),
            key: key.into(),
            size: body.pointer(size).and_then(Value::as_u64),
        }),
        None => Notice::Broken("a key that can't be decoded"),
    }
}

/// Form encoding: `+` is a space, `%XX` a byte; the whole must be UTF-8. A `%` that starts no byte stands for itself.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|d| d as u8)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

#[cfg(test)]
mod tests;
