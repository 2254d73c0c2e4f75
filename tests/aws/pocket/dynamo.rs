//! One table, whatever it is called: rows by `k`.

use serde_json::{Value, json};

use super::faults::Fate;
use super::{Answer, Call, Inner, locked};

/// Few, so that scans have pages.
const PAGE: usize = 50;
/// DynamoDB's own limits.
const MAX_READ: usize = 100;
const MAX_ITEM: usize = 400 * 1_024;

pub(super) fn error(status: &'static str, kind: &str) -> Answer {
    let body =
        json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "as asked for" });
    answer(status, &body)
}

fn answer(status: &'static str, body: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/x-amz-json-1.0".to_owned())];
    Answer { headers, ..Answer::new(status, body.to_string()) }
}

/// Whether the row is about an alert that was sent.
pub(super) fn is_record(body: &[u8]) -> bool {
    body.windows(5).any(|part| part == b"sent#")
}

fn name(key: &Value) -> String {
    key["k"]["S"].as_str().expect("a key").to_owned()
}

fn said(call: &Call) -> Value {
    serde_json::from_slice(&call.body).expect("JSON")
}

impl Inner {
    pub(super) fn read(&self, call: &Call, fate: Fate) -> Answer {
        let said = said(call);
        let (table, asked) = said["RequestItems"].as_object().and_then(|t| t.iter().next()).expect("a table");
        assert_eq!(asked["ConsistentRead"], true, "other reads may be of yesterday");
        let keys = asked["Keys"].as_array().expect("keys");
        if keys.len() > MAX_READ {
            return error("400 Bad Request", "ValidationException");
        }
        let (now, later) = keys.split_at(if fate == Fate::Partial { keys.len() / 2 } else { keys.len() });
        let rows = locked(&self.rows);
        let found: Vec<_> = now.iter().filter_map(|key| rows.get(&name(key)).cloned()).collect();
        let mut unprocessed = json!({});
        if !later.is_empty() {
            unprocessed[table] = json!({ "Keys": later, "ConsistentRead": true });
        }
        answer("200 OK", &json!({ "Responses": { table: found }, "UnprocessedKeys": unprocessed }))
    }

    pub(super) fn put(&self, call: &Call) -> Answer {
        let said = said(call);
        if call.body.len() > MAX_ITEM * 4 / 3 {
            return error("400 Bad Request", "ValidationException");
        }
        let item = said["Item"].as_object().expect("an item").clone();
        let name = name(&said["Item"]);
        let mut rows = locked(&self.rows);
        let there = rows.get(&name);
        let holds = match said["ConditionExpression"].as_str() {
            None => true,
            Some("attribute_not_exists(k)") => there.is_none(),
            Some("v = :v") => there.is_some_and(|row| row["v"] == said["ExpressionAttributeValues"][":v"]),
            Some(other) => panic!("nobody knows the condition {other}"),
        };
        if !holds {
            return error("400 Bad Request", "ConditionalCheckFailedException");
        }
        rows.insert(name, item);
        answer("200 OK", &json!({}))
    }

    pub(super) fn delete(&self, call: &Call) -> Answer {
        locked(&self.rows).remove(&name(&said(call)["Key"]));
        answer("200 OK", &json!({}))
    }

    pub(super) fn scan(&self, call: &Call) -> Answer {
        let said = said(call);
        let after = said["ExclusiveStartKey"]["k"]["S"].as_str().unwrap_or_default();
        let rows = locked(&self.rows);
        let page: Vec<_> = rows.iter().filter(|(name, _)| name.as_str() > after).take(PAGE).collect();
        let mut body =
            json!({ "Items": page.iter().map(|(_, row)| row).collect::<Vec<_>>(), "Count": page.len() });
        if let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) {
            body["LastEvaluatedKey"] = json!({ "k": { "S": last } });
        }
        answer("200 OK", &body)
    }
}
