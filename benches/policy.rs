//! Judging policy documents of 128 KB: ordinary ones, and those written to take long.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use trailhound_detectors::environment::Organization;
use trailhound_detectors::policy_change::{Kind, explain};

const LENGTH: usize = 128 * 1024;

pub(crate) fn bench(c: &mut Criterion) {
    let organization = Organization::default();
    let mut group = c.benchmark_group("policy");
    for (name, kind, text) in documents() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| explain(black_box(&text), Some(kind), "111122223333", &organization));
        });
    }
    group.finish();
}

/// Pieces up to a length, with commas between.
fn pieces(length: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = piece(0);
    for i in 1.. {
        if text.len() >= length {
            break;
        }
        text.push(',');
        text.push_str(&piece(i));
    }
    text
}

fn documents() -> Vec<(&'static str, Kind, String)> {
    let all = |statements: String| format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let (whole, half) = (LENGTH, LENGTH / 2);
    let fence = r#""Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-abc12345"}}"#;
    let denials = |count: usize| {
        let actions = pieces(half / count, |i| format!("\"s3:*{i}*x\""));
        let deny =
            format!(r#"{{"Effect":"Deny","Principal":"*","Action":[{actions}],"Resource":"*",{fence}}}"#);
        vec![deny; count].join(",")
    };
    let allowed = pieces(half, |i| format!("\"s3:{i}Object\""));
    let long = |letters: &str| pieces(half, |i| format!("\"{}{i}\"", letters.repeat(1_000)));
    vec![
        (
            "ordinary identity policy",
            Kind::Identity,
            all(pieces(whole, |i| {
                format!(
                    r#"{{"Sid":"S{i}","Effect":"Allow","Action":["s3:GetObject","s3:Put*","dynamodb:Query"],"Resource":["arn:aws:s3:::bucket-{i}/*","arn:aws:s3:::bucket-{i}"],"Condition":{{"StringEquals":{{"aws:ResourceTag/team":"t{i}"}}}}}}"#
                )
            })),
        ),
        (
            "ordinary bucket policy",
            Kind::Resource,
            all(pieces(whole, |i| {
                format!(
                    r#"{{"Sid":"S{i}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{i:012}:root"}},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::b/{i}/*"]}}"#
                )
            })),
        ),
        (
            "a statement for each of many parties",
            Kind::Resource,
            all(pieces(whole, |i| {
                format!(r#"{{"Effect":"Allow","Principal":{{"AWS":["*","{i:012}"]}},"Action":"a:b"}}"#)
            })),
        ),
        (
            "many principals under many conditions",
            Kind::Trust,
            all(format!(
                r#"{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":[{}]}},"Condition":{{"StringEquals":{{{}}}}}}}"#,
                pieces(half, |i| format!("\"{i:012}\"")),
                pieces(half, |i| format!(r#""k:{i}":"v""#)),
            )),
        ),
        (
            "many patterns",
            Kind::Identity,
            all(format!(
                r#"{{"Effect":"Allow","Action":[{}],"Resource":"*"}}"#,
                pieces(whole, |i| format!("\"*{i}*e*i\""))
            )),
        ),
        (
            "many statements of patterns",
            Kind::Identity,
            all(pieces(whole, |i| {
                format!(r#"{{"Effect":"Allow","Action":["*:*{}*e*","*:*i*a*"],"Resource":"x"}}"#, i % 10)
            })),
        ),
        (
            "many denials of everything",
            Kind::Identity,
            all(format!(
                r#"{{"Effect":"Allow","Action":"iam:*e","Resource":"*"}},{}"#,
                pieces(whole, |_| r#"{"Effect":"Deny","Action":["*:*z*","*:*q*x*"],"Resource":"*"}"#
                    .to_owned())
            )),
        ),
        (
            "many services a role may be passed to",
            Kind::Identity,
            all(format!(
                r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{{"StringLike":{{"iam:PassedToService":[{}]}}}}}},{{"Effect":"Allow","Action":"*:*","Resource":"arn:x"}}"#,
                pieces(whole, |i| format!("\"*{i}*\""))
            )),
        ),
        (
            "a denial of many actions",
            Kind::Resource,
            all(format!(
                r#"{},{{"Effect":"Allow","Principal":"*","Action":[{allowed}],"Resource":"*"}}"#,
                denials(1)
            )),
        ),
        (
            "sixteen denials of many actions",
            Kind::Resource,
            all(format!(
                r#"{},{{"Effect":"Allow","Principal":"*","Action":[{allowed}],"Resource":"*"}}"#,
                denials(16)
            )),
        ),
        (
            "long patterns",
            Kind::Resource,
            all(format!(
                r#"{{"Effect":"Deny","Principal":"*","Action":"*","Resource":[{}],{fence}}},{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":[{}]}}"#,
                long("*a"),
                long("aa")
            )),
        ),
        ("tiny statements", Kind::Identity, all(pieces(whole, |_| r#"{"Effect":"Allow"}"#.to_owned()))),
        (
            "members nobody knows",
            Kind::Resource,
            all(format!(
                r#"{{"Effect":"Allow","Action":"s3:*",{}}}"#,
                pieces(whole, |i| format!(r#""x{i}":1"#))
            )),
        ),
    ]
}
