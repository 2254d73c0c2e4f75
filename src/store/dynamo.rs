//! A table in DynamoDB: partition key `k` (string), version `v` (number), time to live `x` (number), body `b` (binary).

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use trailhound_detectors::EventTime;

use super::table::{Condition, Page, PutError, Row, Table, TableError};

const NAME: &str = "k";
const VERSION: &str = "v";
const EXPIRES: &str = "x";
const BODY: &str = "b";
/// How often rows that a read left out are asked for again.
const ROUNDS: u32 = 8;
/// The pause before the second round; it doubles from there.
const PAUSE: Duration = Duration::from_millis(25);

/// A table in DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: Client,
    table: String,
}

type Item = std::collections::hash_map::IntoIter<String, AttributeValue>;

impl DynamoTable {
    /// The table of this name.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl Table for DynamoTable {
    async fn get(&self, names: &[String]) -> Result<Vec<Option<Row>>, TableError> {
        let failed = failed("read rows");
        let mut unique: Vec<&String> = names.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let mut wanted = KeysAndAttributes::builder().consistent_read(true);
        for name in unique {
            wanted = wanted.keys([(NAME.to_owned(), AttributeValue::S(name.clone()))].into());
        }
        let mut wanted = Some(wanted.build().map_err(|e| failed(e.into()))?);
        let mut found = BTreeMap::new();
        for round in 0..ROUNDS {
            let Some(keys) = wanted.take() else { break };
            if round > 0 {
                tokio::time::sleep(PAUSE * 2u32.pow(round - 1)).await;
            }
            let read = self.client.batch_get_item().request_items(&self.table, keys);
            let mut read = read.send().await.map_err(|e| failed(e.into()))?;
            for items in read.responses.take().into_iter().flat_map(|mut r| r.remove(&self.table)) {
                for item in items {
                    let (name, row) =
                        row(item.into_iter()).ok_or_else(|| failed("a row without its attributes".into()))?;
                    found.insert(name, row);
                }
            }
            wanted = read.unprocessed_keys.take().and_then(|mut left| left.remove(&self.table));
        }
        if wanted.is_some() {
            return Err(failed("the table is throttled: it keeps leaving rows out".into()));
        }
        Ok(names.iter().map(|name| found.get(name).cloned()).collect())
    }

    async fn put(&self, name: &str, row: Row, condition: Condition) -> Result<(), PutError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item(NAME, AttributeValue::S(name.to_owned()))
            .item(VERSION, AttributeValue::N(row.version.to_string()))
            .item(EXPIRES, AttributeValue::N(row.expires.0.to_string()))
            .item(BODY, AttributeValue::B(Blob::new(row.body)));
        let put = match condition {
            Condition::Always => put,
            Condition::Absent => put.condition_expression("attribute_not_exists(k)"),
            Condition::Version(version) => put
                .condition_expression("v = :v")
                .expression_attribute_values(":v", AttributeValue::N(version.to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(()),
            Err(e) if e.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(PutError::Conflict)
            }
            Err(e) => Err(failed("write a row")(e.into()).into()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), TableError> {
        let key = AttributeValue::S(name.to_owned());
        let delete = self.client.delete_item().table_name(&self.table).key(NAME, key);
        delete.send().await.map_err(|e| failed("delete a row")(e.into()))?;
        Ok(())
    }

    async fn scan(&self, from: Option<String>) -> Result<Page, TableError> {
        let failed = failed("scan the table");
        let from = from.map(|name| [(NAME.to_owned(), AttributeValue::S(name))].into());
        let scan = self.client.scan().table_name(&self.table).set_exclusive_start_key(from);
        let scanned = scan.send().await.map_err(|e| failed(e.into()))?;
        let rows = scanned.items.unwrap_or_default().into_iter().map(|item| row(item.into_iter()));
        let rows =
            rows.collect::<Option<_>>().ok_or_else(|| failed("a row without its attributes".into()))?;
        let next = scanned.last_evaluated_key.and_then(|key| match key.get(NAME) {
            Some(AttributeValue::S(name)) => Some(name.clone()),
            _ => None,
        });
        Ok(Page { rows, next })
    }
}

fn failed(what: &'static str) -> impl Fn(Box<dyn Error + Send + Sync>) -> TableError {
    move |source| TableError { what, source }
}

/// The row in an item; nothing if an attribute is missing or of another type.
fn row(item: Item) -> Option<(String, Row)> {
    let (mut name, mut version, mut expires, mut body) = (None, None, None, None);
    for (attribute, value) in item {
        match (attribute.as_str(), value) {
            (NAME, AttributeValue::S(text)) => name = Some(text),
            (VERSION, AttributeValue::N(number)) => version = number.parse().ok(),
            (EXPIRES, AttributeValue::N(number)) => expires = number.parse().ok().map(EventTime),
            (BODY, AttributeValue::B(blob)) => body = Some(blob.into_inner()),
            _ => {}
        }
    }
    Some((name?, Row { version: version?, expires: expires?, body: body? }))
}
