//! Alerts to a topic of SNS.

use std::collections::BTreeMap;

use aws_sdk_sns::Client;
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::message::{MAX_BYTES, Message};
use super::publish::{Publish, PublishError};
use crate::alert::Alert;

/// Most messages of one request.
const BATCH: usize = 10;

/// A topic, standard or FIFO.
#[derive(Clone, Debug)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic of this ARN; that of a FIFO topic ends in `.fifo`.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into() }
    }

    fn entry(&self, place: usize, message: &Message) -> Result<PublishBatchRequestEntry, PublishError> {
        let mut entry = PublishBatchRequestEntry::builder()
            .id(place.to_string())
            .message(&message.body)
            .message_structure("json")
            .subject(&message.subject);
        for (name, value) in &message.attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            entry = entry.message_attributes(*name, value.map_err(failed)?);
        }
        if self.arn.ends_with(".fifo") {
            entry = entry.message_group_id(&message.group).message_deduplication_id(&message.deduplication);
        }
        entry.build().map_err(failed)
    }

    async fn publish_batch(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let entries: Result<Vec<_>, _> =
            messages.iter().enumerate().map(|(place, message)| self.entry(place, message)).collect();
        let published = match entries {
            Ok(entries) => {
                let publish = self.client.publish_batch().topic_arn(&self.arn);
                publish.set_publish_batch_request_entries(Some(entries)).send().await.map_err(failed)
            }
            Err(e) => Err(e),
        };
        match published {
            Ok(answer) => {
                let done: BTreeMap<&str, ()> =
                    answer.successful().iter().filter_map(|e| Some((e.id()?, ()))).collect();
                let refused: BTreeMap<&str, &str> =
                    answer.failed().iter().map(|e| (e.id(), e.code())).collect();
                (0..messages.len())
                    .map(|place| {
                        let place = place.to_string();
                        if done.contains_key(place.as_str()) {
                            return Ok(());
                        }
                        let code = refused.get(place.as_str()).copied().unwrap_or("no answer");
                        Err(failed(format!("the topic refused it: {code}")))
                    })
                    .collect()
            }
            Err(PublishError { source }) => {
                let why = aws_sdk_sns::error::DisplayErrorContext(&*source).to_string();
                messages.iter().map(|_| Err(failed(why.clone()))).collect()
            }
        }
    }
}

impl Publish for Topic {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Result<(), PublishError>> {
        let messages: Vec<Message> = alerts.iter().map(Message::of).collect();
        let mut answers = Vec::with_capacity(messages.len());
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(together(rest));
            answers.extend(self.publish_batch(now).await);
            rest = later;
        }
        answers
    }
}

/// How many of the messages fit into one request: the limit of a message is also that of a request.
fn together(messages: &[Message]) -> usize {
    let mut bytes = 0;
    let fitting = messages.iter().take(BATCH).take_while(|message| {
        bytes += message.bytes();
        bytes <= MAX_BYTES
    });
    fitting.count().max(1)
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PublishError {
    PublishError { source: source.into() }
}
