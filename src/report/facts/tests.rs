use serde_json::json;

use super::*;
use crate::engine::worker::{Intake, Worker};
use crate::ingest::Origin;

/// Facts of a user who was refused, an hour long.
fn ledgers() -> Ledgers {
    let record = |minute: u32| {
        json!({
            "eventVersion": "1.11", "eventID": format!("{minute:032x}"), "eventTime": format!("2026-03-01T10:{minute:02}:00Z"),
            "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1",
            "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli", "errorCode": "AccessDenied",
            "errorMessage": "is not authorized to perform this", "recipientAccountId": "111122223333",
            "userIdentity": {"type": "IAMUser", "userName": "kim", "accountId": "111122223333",
                "principalId": "AIDAKIM", "arn": "arn:aws:iam::111122223333:user/staff/kim", "accessKeyId": "AKIAKIM"},
            "eventType": "AwsApiCall", "eventCategory": "Management"
        })
    };
    let records: Vec<Value> = (0..60).map(record).collect();
    let mut worker = Worker::new(Intake { lateness_seconds: 10_800, ..Intake::default() }.into());
    worker.take(&Origin::new("records.json"), json!({ "Records": records }).to_string().as_bytes());
    worker.ledgers
}

#[test]
fn an_actor_is_found_by_arn_by_name_and_by_account() {
    let ledgers = ledgers();
    let arn = "arn:aws:iam::111122223333:user/staff/kim";
    let by_arn = about(&ledgers, arn);
    assert!(by_arn.iter().any(|one| one.detector == "access_denied_spike" && one.entity == arn));
    assert_eq!(about(&ledgers, "kim"), by_arn);
    assert!(about(&ledgers, "111122223333").iter().all(|one| one.entity.is_empty()));
    assert!(about(&ledgers, "nobody").is_empty());
}

#[test]
fn what_is_misspelt_is_suggested() {
    let ledgers = ledgers();
    let arn = "arn:aws:iam::111122223333:user/staff/kim".to_owned();
    for who in ["kin", "KIM", "user/staff", "arn:aws:iam::111122223333:user/kim"] {
        assert!(suggestions(&ledgers, who).contains(&arn), "{who}: {:?}", suggestions(&ledgers, who));
    }
    assert!(suggestions(&ledgers, "zzzzzzzz").is_empty());
}

#[test]
fn people_read_times_and_short_lists() {
    let mut text = Vec::new();
    write(&mut text, &about(&ledgers(), "kim")).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains(
            "arn:aws:iam::111122223333:user/staff/kim in 111122223333: refused calls (access_denied_spike)"
        ),
        "{text}"
    );
    assert!(text.contains("2026-03-01T10:00:00Z"), "{text}");
    assert!(text.contains("more; --format json has all"), "{text}");
    assert!(!text.contains("17723"), "no time is left as a number: {text}");
}

#[test]
fn what_logs_say_does_not_act_on_the_terminal() {
    let hostile = Remembered {
        detector: "policy_change",
        class: 0,
        about: "changes of a resource".into(),
        account: "1\u{1b}[2J".into(),
        entity: "b\r\n".into(),
        facts: json!({ "a\u{1b}": "\u{7}", "n": [1, 1_772_359_200, 18_446_744_073_709_551_615u64] }),
    };
    let mut text = Vec::new();
    write(&mut text, &[Remembered { facts: timed(hostile.facts.clone(), ""), ..hostile }]).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\r'), "{text:?}");
    assert!(text.contains("n: 1, 2026-03-01T10:00:00Z, 18446744073709551615"), "{text}");
}
