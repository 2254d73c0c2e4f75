use serde_json::json;

use super::*;

const KEY: &str = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/01/123456789012_CloudTrail_eu-west-1_20260301T1000Z_a.json.gz";

fn object(key: &str, size: Option<u64>) -> Notice {
    Notice::Object(ObjectRef { bucket: "trail".into(), key: key.into(), size })
}

/// As the S3 user guide shows it, version 2.1.
fn s3(key: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T10:05:00.000Z", "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AROAEXAMPLE:cloudtrail"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "trail",
            "bucket": {"name": "trail", "ownerIdentity": {"principalId": "A3"}, "arn": "arn:aws:s3:::trail"},
            "object": {"key": key, "size": 1024, "eTag": "d41d8cd9", "sequencer": "0055AED6DCD90281E5"}
        }
    }]})
}

fn sns(message: &str) -> Value {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": message})
}

fn event_bridge(detail_type: &str) -> Value {
    json!({
        "version": "0", "source": "aws.s3", "detail-type": detail_type, "account": "123456789012",
        "detail": {"bucket": {"name": "trail"}, "object": {"key": "a+b%20c.json.gz", "size": 7}, "reason": "PutObject"}
    })
}

#[test]
fn every_wrapping_gives_the_same_object() {
    let bodies = [
        s3(KEY),
        sns(&s3(KEY).to_string()),
        sns(&sns(&s3(KEY).to_string()).to_string()),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": s3(KEY).to_string()}}]}),
        // Stand-ins leave out everything but this, and encode the slashes.
        json!({"Records": [{"s3": {"bucket": {"name": "trail"}, "object": {"key": KEY.replace('/', "%2F"), "size": 1024}}}]}),
    ];
    for body in bodies {
        assert_eq!(read(&body.to_string()), [object(KEY, Some(1024))], "{body}");
    }
    let own = json!({"s3Bucket": "trail", "s3ObjectKey": [KEY, "a+b"]});
    for body in [own.clone(), sns(&own.to_string())] {
        assert_eq!(read(&body.to_string()), [object(KEY, None), object("a+b", None)], "{body}");
    }
}

#[test]
fn keys_are_decoded_where_they_are_encoded_and_only_there() {
    let decoded = |key: &str| read(&s3(key).to_string()).remove(0);
    assert_eq!(decoded("a+b%2Bc%C3%A9%2f.json.gz"), object("a b+cé/.json.gz", Some(1024)));
    assert_eq!(decoded("100%"), object("100%", Some(1024)));
    assert_eq!(decoded("%zz%4"), object("%zz%4", Some(1024)));
    assert_eq!(decoded("%FF"), Notice::Broken("a key that can't be decoded"));
    assert_eq!(read(&event_bridge("Object Created").to_string()), [object("a+b%20c.json.gz", Some(7))]);
}

#[test]
fn several_records_in_a_message_are_several_objects_and_a_bad_one_spoils_no_other() {
    let mut body = s3("one");
    let records = body["Records"].as_array_mut().unwrap();
    records.push(json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {}}));
    records.push(s3("two")["Records"][0].clone());
    records.push(json!({"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete", "s3": {}}));
    assert_eq!(
        read(&body.to_string()),
        [
            object("one", Some(1024)),
            Notice::Broken("no bucket or key"),
            object("two", Some(1024)),
            Notice::Ignored("other_event"),
        ]
    );
}

#[test]
fn tests_and_other_events_are_acknowledged() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail", "RequestId": "r"});
    assert_eq!(read(&test.to_string()), [Notice::Ignored("test")]);
    assert_eq!(read(&sns(&test.to_string()).to_string()), [Notice::Ignored("test")]);
    assert_eq!(read(&sns(VALIDATION).to_string()), [Notice::Ignored("test")]);
    assert_eq!(read(&event_bridge("Object Deleted").to_string()), [Notice::Ignored("other_event")]);
}

#[test]
fn what_is_not_understood_is_never_acknowledged() {
    let mut nested = s3(KEY).to_string();
    for _ in 0..9 {
        nested = sns(&nested).to_string();
    }
    let cases = [
        (String::new(), "not JSON"),
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "no form of notification that is known"),
        (json!({"hello": 1}).to_string(), "no form of notification that is known"),
        (json!({"s3ObjectKey": ["k"]}).to_string(), "no bucket"),
        (json!({"s3Bucket": "b", "s3ObjectKey": [1]}).to_string(), "no key"),
        (nested, "wrapped too often"),
    ];
    for (body, why) in cases {
        assert_eq!(read(&body), [Notice::Broken(why)], "{body}");
    }
}

#[test]
fn an_invocation_is_told_by_what_it_holds() {
    let queue = json!({"Records": [
        {"messageId": "1", "body": s3(KEY).to_string(), "eventSource": "aws:sqs"},
        {"messageId": "2", "body": "?", "eventSource": "aws:sqs"},
        {"messageId": "3", "eventSource": "aws:sqs"},
    ]});
    let Ok(Invocation::Queue(messages)) = invocation(&queue) else { panic!("a queue") };
    assert_eq!(messages.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(messages[0].notices, [object(KEY, Some(1024))]);
    assert_eq!(messages[1].notices, [Notice::Broken("not JSON")]);
    assert_eq!(messages[2].notices, [Notice::Broken("no body")]);

    assert_eq!(invocation(&s3(KEY)), Ok(Invocation::Direct(vec![object(KEY, Some(1024))])));
    let time = "2026-03-01T10:00:00Z";
    for schedule in [
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": time, "resources": ["r"], "detail": {}}),
        json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": time, "detail": "{}"}),
        json!({"schedule": "coverage", "time": time}),
    ] {
        assert_eq!(invocation(&schedule), Ok(Invocation::Schedule(EventTime::parse(time).unwrap())));
    }
    for timeless in
        [json!({"schedule": "coverage"}), json!({"schedule": 1, "time": "<aws.scheduler.scheduled-time>"})]
    {
        assert_eq!(invocation(&timeless), Err(UnknownInvocation("a schedule without its `time`")));
    }
    assert!(
        invocation(&json!({"source": "aws.events", "detail-type": "AWS API Call via CloudTrail"})).is_err()
    );
    for unknown in [json!(null), json!({}), json!({"Records": [{"eventSource": "aws:sqs"}]})] {
        assert!(invocation(&unknown).is_err(), "{unknown}");
    }
}
