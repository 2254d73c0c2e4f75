//! What CloudTrail data looks like in the wild, record by record. Each is read compact and spread over lines, so that
//! both ways of reading it are held to the same.

use serde_json::{Value, json};
use trailhound_detectors::{ActorKind, Category, Timeliness};

use super::*;

/// A plain record with some members changed; `null` takes one away.
fn record(changes: Value) -> Value {
    let mut record: Value = serde_json::from_str(RECORD).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            record.as_object_mut().unwrap().remove(key);
        } else {
            record[key] = value.clone();
        }
    }
    record
}

/// Reads one record both ways; `check` sees the event.
fn judged(text: &str, check: impl Fn(&Event<'_>)) {
    let origin = Origin::new("999999999999_CloudTrail_eu-west-1_20230710T1200Z_x.json.gz");
    let spread = serde_json::to_string_pretty(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
    for text in [text, &spread] {
        let mut tables = Tables { actions: ActionTable::new(|_| 0), actors: ActorTable::default() };
        let list = format!("[{text}]");
        let parsed = Parser::new().records(list.as_bytes(), &origin, 3_600, &mut tables, &mut |events| {
            events.iter().for_each(&check);
        });
        assert_eq!((parsed.records, parsed.judged), (1, 1), "{text}: {:?}", parsed.skips);
    }
}

fn skipped(text: &str) -> SkipReason {
    let (parsed, _) = parse(format!("[{text}]").as_bytes());
    assert_eq!((parsed.records, parsed.judged), (1, 0), "{text}");
    assert_eq!(parsed.skipped, BTreeMap::from([(parsed.skips[0].reason, 1)]));
    parsed.skips[0].reason
}

#[test]
fn callers_of_every_sort() {
    for (identity, id, kind) in [
        (
            json!({"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}),
            "lambda.amazonaws.com",
            ActorKind::Service,
        ),
        (
            json!({"accountId": "1", "invokedBy": "secretsmanager.amazonaws.com"}),
            "secretsmanager.amazonaws.com",
            ActorKind::Service,
        ),
        (Value::Null, "unknown", ActorKind::Unknown),
        (json!({}), "unknown", ActorKind::Unknown),
        (json!("root"), "unknown", ActorKind::Unknown),
        (
            json!({"type": "IAMUser", "accountId": "123456789012", "userName": "bob", "accessKeyId": ""}),
            "arn:aws:iam::123456789012:user/bob",
            ActorKind::User,
        ),
        (
            json!({"type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/Deploy/run-1"}),
            "arn:aws:iam::123456789012:role/Deploy",
            ActorKind::Role,
        ),
        (
            json!({"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/zo\u{eb}"}),
            "arn:aws:iam::123456789012:user/zo\u{eb}",
            ActorKind::User,
        ),
    ] {
        judged(&record(json!({"userIdentity": identity})).to_string(), |event| {
            assert_eq!((&*event.actor.id, event.actor.kind), (id, kind), "{identity}");
        });
    }
}

#[test]
fn sessions_are_told() {
    let identity = json!({
        "type": "AssumedRole", "principalId": "AROA:run-1", "accessKeyId": "ASIA1",
        "arn": "arn:aws:sts::123456789012:assumed-role/Deploy/run-1", "invokedBy": "cloudformation.amazonaws.com",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::123456789012:role/ci/Deploy"},
            "attributes": {"creationDate": "2023-07-10T11:00:00Z", "mfaAuthenticated": "false"},
            "sourceIdentity": "ann",
        },
    });
    let changes = json!({"userIdentity": identity, "sessionCredentialFromConsole": "true"});
    judged(&record(changes).to_string(), |event| {
        let session = event.session;
        assert_eq!(&*event.actor.id, "arn:aws:iam::123456789012:role/ci/Deploy");
        assert_eq!(
            (session.name, session.access_key, session.principal_id),
            ("run-1", "ASIA1", "AROA:run-1")
        );
        assert_eq!((session.source_identity, session.invoked_by), ("ann", "cloudformation.amazonaws.com"));
        assert_eq!((session.mfa, session.from_console), (Some(false), true));
        assert_eq!(session.created.unwrap().to_string(), "2023-07-10T11:00:00Z");
    });
}

#[test]
fn scalars_of_odd_types_and_forms() {
    judged(
        &record(json!({"readOnly": "false", "recipientAccountId": 12, "awsRegion": "..."})).to_string(),
        |event| {
            assert_eq!((event.read_only, event.account, event.region), (Some(false), "12", "..."));
        },
    );
    judged(
        &record(json!({"userAgent": "[S3Console/0.4]", "sourceIPAddress": "075.050.255.67"})).to_string(),
        |event| {
            assert_eq!((event.user_agent, event.source_ip), ("S3Console/0.4", "075.050.255.67"));
        },
    );
    judged(
        &record(json!({"userAgent": null, "sourceIPAddress": null, "readOnly": null})).to_string(),
        |event| {
            assert_eq!((event.user_agent, event.source_ip, event.read_only), ("", "", None));
        },
    );
    judged(&record(json!({"errorCode": "Success", "errorMessage": ""})).to_string(), |event| {
        assert!(event.succeeded());
    });
    judged(&record(json!({"errorMessage": "Failed authentication"})).to_string(), |event| {
        assert!(!event.succeeded() && event.error_code.is_empty());
    });
    let unknown =
        json!({"p_any_ip": ["192.0.2.1"], "http": {"useragent": {}}, "@version": 1, "acsRegion": "cn"});
    judged(&record(unknown).to_string(), |event| assert_eq!(event.region, "us-east-1"));
}

#[test]
fn times_with_a_fraction_or_an_offset_are_read_and_nonsense_is_skipped() {
    for time in ["2023-07-10T11:54:47.123Z", "2023-07-10T13:54:47+02:00", "2023-07-10T11:54:47Z"] {
        judged(&record(json!({"eventTime": time})).to_string(), |event| {
            assert_eq!(event.time.to_string(), "2023-07-10T11:54:47Z");
        });
    }
    for (time, reason) in [
        (Value::Null, SkipReason::NoTime),
        (json!(""), SkipReason::NoTime),
        (json!("foo"), SkipReason::BadTime),
        (json!(1_688_990_087), SkipReason::BadTime),
        (json!("2023-02-30T00:00:00Z"), SkipReason::BadTime),
    ] {
        assert_eq!(skipped(&record(json!({"eventTime": time})).to_string()), reason);
    }
}

#[test]
fn what_makes_a_record_late() {
    for (time, timeliness) in [
        ("2023-07-10T11:00:00Z", Timeliness::OnTime),
        ("2023-07-10T10:59:59Z", Timeliness::Late),
        ("2023-07-10T13:00:00Z", Timeliness::OnTime),
    ] {
        judged(&record(json!({"eventTime": time})).to_string(), |event| {
            assert_eq!(event.timeliness, timeliness, "{time}");
        });
    }
    let mut tables = Tables { actions: ActionTable::new(|_| 0), actors: ActorTable::default() };
    let origin = Origin::new("123456789012_CloudTrail_eu-west-1_20230711T1200Z_x.json.gz");
    let late = Parser::new().records(RECORD.as_bytes(), &origin, 3_600, &mut tables, &mut |_| {}).late;
    assert_eq!(late, 1);
}

#[test]
fn accounts_come_from_the_record_the_caller_or_the_name() {
    let nobody = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    for (changes, account) in [
        (json!({"recipientAccountId": "111122223333"}), "111122223333"),
        (json!({"recipientAccountId": null}), "123456789012"),
        (json!({"recipientAccountId": null, "userIdentity": nobody}), "999999999999"),
    ] {
        judged(&record(changes).to_string(), |event| assert_eq!(event.account, account));
    }
}

#[test]
fn categories_of_records_that_name_none() {
    for (changes, category) in [
        (json!({"eventCategory": "Data"}), Category::Data),
        (json!({"eventCategory": "NetworkActivity"}), Category::NetworkActivity),
        (json!({"eventCategory": "Management"}), Category::Management),
        (json!({"eventType": "AwsVpceEvent"}), Category::NetworkActivity),
        (json!({"managementEvent": false}), Category::Data),
        (json!({"managementEvent": "false"}), Category::Data),
        (json!({}), Category::Management),
    ] {
        judged(&record(changes.clone()).to_string(), |event| {
            assert_eq!(event.category, category, "{changes}")
        });
    }
}

#[test]
fn calls_are_told_apart_by_shared_id_then_id_then_bytes() {
    let call = |changes: Value| {
        let call = std::cell::Cell::new(None);
        let text = record(changes).to_string();
        parse_each(text.as_bytes(), |event| call.set(Some(event.call)));
        call.get().unwrap()
    };
    let shared = json!({"eventID": "a", "sharedEventID": "s"});
    assert_eq!(call(shared), call(json!({"eventID": "b", "sharedEventID": "s"})));
    assert_ne!(call(json!({"eventID": "a"})), call(json!({"eventID": "b"})));
    assert_eq!(
        call(json!({"eventID": "a", "awsRegion": "x"})),
        call(json!({"eventID": "a", "awsRegion": "y"}))
    );
    assert_eq!(call(json!({"eventID": null})), call(json!({"eventID": null})));
    assert_ne!(
        call(json!({"eventID": null, "awsRegion": "x"})),
        call(json!({"eventID": null, "awsRegion": "y"}))
    );
}

#[test]
fn parts_are_opened_whatever_they_hold() {
    for (request, opened) in [
        (r#""{\"policy\":\"{}\"}""#, json!({"policy": "{}"})),
        ("null", Value::Null),
        (r#"{"bytes":0.0,"big":9007199254740993}"#, json!({"bytes": 0.0, "big": 9_007_199_254_740_993_u64})),
        (r#"{"huge":123456789012345678901234567890}"#, json!({"huge": 1.234_567_890_123_456_8e29})),
        (r#"{"k":1,"k":2}"#, json!({"k": 2})),
        (r#"{"name":"\ud800x","Zoë":"日本"}"#, json!({"name": "\u{fffd}x", "Zoë": "日本"})),
        (r#"{"nul":"a\u0000b"}"#, json!({"nul": "a\0b"})),
    ] {
        let text = RECORD.replace(r#"{"a":[1,"}"]}"#, request);
        assert!(text.contains(request));
        let parsed =
            parse_each(text.as_bytes(), |event| assert_eq!(*event.parts.request(), opened, "{request}"));
        assert_eq!(parsed.judged, 1, "{request}");
    }
}

#[test]
fn lone_surrogates_and_wrong_bytes_hide_no_record() {
    let text = RECORD.replace("[aws-cli]", r"a\udfffb");
    let parsed = parse_each(text.as_bytes(), |event| assert_eq!(event.user_agent, "a\u{fffd}b"));
    assert_eq!((parsed.judged, parsed.lossy), (1, false));
    let bytes: Vec<u8> =
        RECORD.replace("[aws-cli]", "?").bytes().map(|b| if b == b'?' { 0xff } else { b }).collect();
    let parsed = parse_each(&bytes, |event| assert_eq!(event.user_agent, "\u{fffd}"));
    assert_eq!((parsed.records, parsed.lossy), (1, true));
}

#[test]
fn what_is_no_call_is_counted_and_named() {
    for (text, reason) in [
        (record(json!({"eventName": null})).to_string(), SkipReason::NoAction),
        (record(json!({"eventSource": ""})).to_string(), SkipReason::NoAction),
        (record(json!({"eventType": "AwsCloudTrailInsight"})).to_string(), SkipReason::Insight),
        (record(json!({"eventCategory": "Insight"})).to_string(), SkipReason::Insight),
        (record(json!({"insightDetails": {}})).to_string(), SkipReason::Insight),
        ("{}".to_owned(), SkipReason::NoTime),
        ("7".to_owned(), SkipReason::NotAnObject),
        ("null".to_owned(), SkipReason::NotAnObject),
        ("[[]]".to_owned(), SkipReason::NotAnObject),
        (r#"{"a":tru}"#.to_owned(), SkipReason::InvalidJson),
        (r#"{"a":1,}"#.to_owned(), SkipReason::InvalidJson),
        ("{\"a\":\"\0\"}".to_owned(), SkipReason::InvalidJson),
        (format!(r#"{{"a":{}1{}}}"#, "[".repeat(64), "]".repeat(64)), SkipReason::TooDeep),
        (format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_RECORD_BYTES)), SkipReason::TooLarge),
    ] {
        assert_eq!(skipped(&text), reason, "{:.80}", text);
    }
    let deepest = RECORD.replace(r#"[1,"}"]"#, &format!("{}{}", "[".repeat(62), "]".repeat(62)));
    assert_eq!(parse(deepest.as_bytes()).0.judged, 1);
}

#[test]
fn digests_and_insights_are_recognised() {
    let digest = r#"{"awsAccountId":"1","digestStartTime":"2023","digestS3Object":"x","logFiles":[]}"#;
    assert_eq!(parse(digest.as_bytes()).0, Parsed { content: Content::Digest, ..Parsed::default() });
    let insight = r#"{"Records":[{"eventTime":"2023-07-10T11:54:47Z","eventType":"AwsCloudTrailInsight"}]}"#;
    assert_eq!(parse(insight.as_bytes()).0.content, Content::Insight);
}
