//! The stand-in for AWS: its process, and what the tests set up and read in it.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use trailhound::alert::Alert;

use crate::runtime::read_message;

pub(crate) const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

/// The stand-in, until it is dropped.
pub(crate) struct Cloud {
    child: Child,
    port: u16,
}

impl Cloud {
    /// Starts it; nothing where Python or moto is missing. `TRAILHOUND_PYTHON` names the Python that has it.
    pub(crate) fn start() -> Option<Self> {
        let python = std::env::var_os("TRAILHOUND_PYTHON").unwrap_or_else(|| "python3".into());
        let has_moto = Command::new(&python)
            .args(["-c", "import moto.server, boto3, flask"])
            .stderr(Stdio::null())
            .status();
        if !has_moto.is_ok_and(|status| status.success()) {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/stand_in.py");
        let child = Command::new(&python)
            .arg(script)
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let cloud = Self { child, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(cloud);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the stand-in does not listen");
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One HTTP request, as `service` of AWS would get it; the body of the answer.
    fn call(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the stand-in listens");
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).expect("a request is sent");
        let answer = read_message(&mut BufReader::new(stream)).expect("an answer");
        assert!(
            answer.line.contains(" 20"),
            "{method} {path}: {} {}",
            answer.line,
            String::from_utf8_lossy(&answer.body)
        );
        answer.body
    }

    fn signed(service: &str) -> (&'static str, String) {
        (
            "Authorization",
            format!("AWS4-HMAC-SHA256 Credential=test/20260301/{REGION}/{service}/aws4_request"),
        )
    }

    /// A call of a service with a JSON protocol.
    fn json_call(&self, service: &str, target: &str, body: &Value) -> Value {
        let headers = [
            Self::signed(service),
            ("X-Amz-Target", target.to_owned()),
            ("Content-Type", "application/x-amz-json-1.0".to_owned()),
        ];
        let answer = self.call("POST", "/", &headers, body.to_string().as_bytes());
        serde_json::from_slice(&answer).unwrap_or(Value::Null)
    }

    fn form_call(&self, service: &str, form: &str) {
        let headers =
            [Self::signed(service), ("Content-Type", "application/x-www-form-urlencoded".to_owned())];
        self.call("POST", "/", &headers, form.as_bytes());
    }

    /// A bucket, a table, a topic, and a queue that subscribes to it.
    pub(crate) fn set_up(&self) {
        self.call("PUT", "/trail", &[Self::signed("s3")], b"");
        self.json_call(
            "dynamodb",
            "DynamoDB_20120810.CreateTable",
            &json!({
                "TableName": "facts", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}]
            }),
        );
        for queue in ["alerts", "objects"] {
            self.json_call("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": queue }));
        }
        self.form_call("sns", "Action=CreateTopic&Name=alerts&Version=2010-03-31");
        self.form_call(
            "sns",
            &format!(
                "Action=Subscribe&Version=2010-03-31&Protocol=sqs&TopicArn={}&Endpoint=arn:aws:sqs:{REGION}:{ACCOUNT}:alerts",
                Self::topic()
            ),
        );
        let notify = format!(
            "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:{REGION}:{ACCOUNT}:objects</Queue>\
             <Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
        );
        self.call("PUT", "/trail?notification", &[Self::signed("s3")], notify.as_bytes());
    }

    /// Writes a parameter of Systems Manager.
    pub(crate) fn parameter(&self, name: &str, value: &str) {
        let parameter = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": true });
        self.json_call("ssm", "AmazonSSM.PutParameter", &parameter);
    }

    /// Drops the row that says when a backlog was last worked on.
    pub(crate) fn forget_activity(&self) {
        let row = json!({ "TableName": "facts", "Key": { "k": { "S": "held#activity" } } });
        self.json_call("dynamodb", "DynamoDB_20120810.DeleteItem", &row);
    }

    pub(crate) fn topic() -> String {
        format!("arn:aws:sns:{REGION}:{ACCOUNT}:alerts")
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.call("PUT", &format!("/trail/{key}"), &[Self::signed("s3")], bytes);
    }

    /// Takes everything out of a queue: bodies by message id.
    pub(crate) fn drain(&self, queue: &str) -> BTreeMap<String, String> {
        let url = format!("{}/{ACCOUNT}/{queue}", self.endpoint());
        let mut all = BTreeMap::new();
        loop {
            let received = self.json_call(
                "sqs",
                "AmazonSQS.ReceiveMessage",
                &json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3_600 }),
            );
            let Some(messages) = received["Messages"].as_array().filter(|m| !m.is_empty()) else {
                return all;
            };
            for message in messages {
                let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
                all.insert(text("MessageId"), text("Body"));
            }
        }
    }

    /// The alerts that the topic handed on.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let bodies = self.drain("alerts").into_values();
        bodies
            .map(|body| {
                let notification: Value = serde_json::from_str(&body).expect("a notification");
                serde_json::from_str(notification["Message"].as_str().expect("a message")).expect("an alert")
            })
            .collect()
    }

    /// What the function must find in its environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "trailhound".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("TRAILHOUND_TABLE", "facts".to_owned()),
            ("TRAILHOUND_TOPIC", Self::topic()),
            ("TRAILHOUND_BUCKETS", "trail".to_owned()),
        ]
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
