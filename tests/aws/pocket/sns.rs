//! One topic: what is published is kept.

use std::fmt::Write as _;

use serde_json::Value;

use super::faults::Fate;
use super::{Answer, Call, Inner, locked};
use crate::http::form;

/// Largest request SNS takes, bytes of messages.
const MAX_BYTES: usize = 256 * 1_024;

pub(super) fn error(status: &'static str, code: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Receiver</Type>\
         <Code>{code}</Code><Message>as asked for</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Answer { headers: vec![("Content-Type", "text/xml".into())], ..Answer::new(status, body) }
}

impl Inner {
    pub(super) fn publish(&self, call: &Call, fate: Fate) -> Answer {
        let form = form(&String::from_utf8_lossy(&call.body));
        assert_eq!(form["Action"], "PublishBatch");
        let mut entries = Vec::new();
        for n in 1.. {
            let field = |name: &str| form.get(&format!("PublishBatchRequestEntries.member.{n}.{name}"));
            let (Some(id), Some(message)) = (field("Id"), field("Message")) else { break };
            assert_eq!(field("MessageStructure").map(String::as_str), Some("json"));
            entries.push((id, message));
        }
        if entries.len() > 10 || entries.iter().map(|(_, message)| message.len()).sum::<usize>() > MAX_BYTES {
            return error("400 Bad Request", "BatchRequestTooLong");
        }
        let done = if fate == Fate::Partial { entries.len() / 2 } else { entries.len() };
        let (mut successful, mut failed) = (String::new(), String::new());
        for (n, (id, message)) in entries.into_iter().enumerate() {
            if n >= done {
                let _ = write!(
                    failed,
                    "<member><Id>{id}</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>"
                );
                continue;
            }
            let message: Value =
                serde_json::from_str(message).expect("a message for each kind of subscriber");
            let alert = serde_json::from_str(message["default"].as_str().expect("a message for machines"));
            locked(&self.published).push(alert.expect("an alert"));
            let _ = write!(successful, "<member><Id>{id}</Id><MessageId>m</MessageId></member>");
        }
        let body = format!(
            "<PublishBatchResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishBatchResult>\
             <Successful>{successful}</Successful><Failed>{failed}</Failed></PublishBatchResult>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
        );
        Answer { headers: vec![("Content-Type", "text/xml".into())], ..Answer::new("200 OK", body) }
    }
}
