//! Lays out a record: every field AWS writes, in AWS's order.

use std::rc::Rc;

use super::agents::CONSOLE;
use super::call::Call;
use super::caller::Caller;
use super::template::{Bindings, Template};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<'o> {
    /// It went through.
    Done,
    /// Nobody allowed it, or (with a reason) something forbade it: what follows *because* in the message.
    Denied(&'o str),
    /// Another error: code and message.
    Failed(&'o str, &'o str),
}

/// No identity-based policy allows it: the usual denial.
pub(super) const NOT_ALLOWED: Outcome<'static> =
    Outcome::Denied("no identity-based policy allows the <action> action");
/// Too many calls.
pub(super) const THROTTLED: Outcome<'static> = Outcome::Failed("ThrottlingException", "Rate exceeded");

/// Bound in both records of a call that two accounts log.
pub(super) const PAIR: &str = "pair";

/// A record about to be compiled.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    /// Who calls.
    pub(super) caller: &'r Caller,
    /// What.
    pub(super) call: &'r Call,
    /// Where.
    pub(super) region: &'r str,
    /// How it ended.
    pub(super) outcome: Outcome<'r>,
    /// Names in the call's texts.
    pub(super) names: Bindings<'r>,
}

/// An account and a region, shared by all records of the place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) Rc<str>, pub(super) Rc<str>);

/// A compiled record, and what the delivery and the labels need to know of it.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The text.
    pub(super) template: Template,
    /// `recipientAccountId` and `awsRegion`: the folder its files are in.
    pub(super) place: Place,
    /// A management event.
    pub(super) management: bool,
    /// `eventName`.
    pub(super) event: String,
    /// `errorCode`.
    pub(super) error: Option<String>,
}

impl Record<'_> {
    /// Compiles the record.
    pub(super) fn compile(&self) -> Compiled {
        let Self { caller, call, outcome, .. } = *self;
        let region = call.region(self.region);
        let action = format!("{}:{}", call.service, call.name);
        let error = self.error(&action);
        let mut names = self.names.to_vec();
        names.extend([
            ("account", &*caller.account),
            ("region", region),
            ("service", &*call.service),
            ("action", &*action),
            ("caller", &*caller.arn),
        ]);
        let is_sign_in = call.service == "signin";
        Compiled {
            template: Template::compile(&self.text(error.as_ref(), is_sign_in), &names),
            place: Place((&*caller.account).into(), region.into()),
            management: !call.data,
            event: call.event().to_owned(),
            error: match outcome {
                Outcome::Done => None,
                // A failed sign-in has a message and no code.
                _ if is_sign_in => None,
                _ => error.map(|(code, _)| code),
            },
        }
    }

    fn error(&self, action: &str) -> Option<(String, String)> {
        match self.outcome {
            Outcome::Done => None,
            Outcome::Failed(code, message) => Some((code.to_owned(), message.to_owned())),
            Outcome::Denied(because) => Some(match &*self.call.service {
                "ec2" => (
                    "Client.UnauthorizedOperation".to_owned(),
                    format!(
                        "You are not authorized to perform this operation. User: <caller> is not authorized to perform: {action} because {because}. Encoded authorization failure message: <base64:300>"
                    ),
                ),
                "s3" if self.call.data => ("AccessDenied".to_owned(), "Access Denied".to_owned()),
                service => (
                    if matches!(service, "bedrock" | "ssm" | "lambda") {
                        "AccessDeniedException"
                    } else {
                        "AccessDenied"
                    }
                    .to_owned(),
                    format!(
                        "User: <caller> is not authorized to perform: {action} on resource: * because {because}"
                    ),
                ),
            }),
        }
    }

    fn text(&self, error: Option<&(String, String)>, is_sign_in: bool) -> String {
        let Self { caller, call, outcome, .. } = *self;
        let part = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(r#","{name}":{value}"#))
        };
        let agent = if call.service == "s3" && !caller.is_aws {
            format!("[{}]", caller.agent)
        } else {
            caller.agent.clone()
        };
        let error = error.map_or_else(String::new, |(code, message)| {
            let code = if is_sign_in { String::new() } else { format!(r#","errorCode":"{code}""#) };
            format!(r#"{code},"errorMessage":"{message}""#)
        });
        // IAM, STS and Organizations do not log the parameters of calls they deny.
        let hides_request = matches!(outcome, Outcome::Denied(_))
            && matches!(&*call.service, "iam" | "sts" | "organizations" | "kms" | "dynamodb");
        let request = call.request.as_deref().filter(|_| !hides_request).unwrap_or("null");
        let response = match outcome {
            Outcome::Done => call.response.as_deref().unwrap_or("null"),
            _ if is_sign_in => r#"{"ConsoleLogin":"Failure"}"#,
            _ => "null",
        };
        let request_id = match &*call.service {
            "signin" => String::new(),
            "s3" => r#","requestID":"<upper:16>""#.to_owned(),
            "dynamodb" => r#","requestID":"<upper:52>""#.to_owned(),
            _ => r#","requestID":"<uuid>""#.to_owned(),
        };
        let shared = if self.names.iter().any(|(name, _)| *name == PAIR) {
            r#","sharedEventID":"<shared-id>""#
        } else if caller.arn.is_empty() && caller.is_aws {
            r#","sharedEventID":"<uuid>""#
        } else {
            ""
        };
        let tls = if caller.is_aws {
            String::new()
        } else {
            format!(
                r#","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{}"}}"#,
                call.host()
            )
        };
        let from_console = if caller.agent == CONSOLE && !is_sign_in {
            r#","sessionCredentialFromConsole":"true""#
        } else {
            ""
        };
        format!(
            r#"{{"eventVersion":"{version}","userIdentity":{identity},"eventTime":"<time>","eventSource":"<service>.amazonaws.com","eventName":"{event}","awsRegion":"<region>","sourceIPAddress":"<address>","userAgent":"{agent}"{error},"requestParameters":{request},"responseElements":{response}{extra}{request_id},"eventID":"<event-id>","readOnly":{read_only}{resources},"eventType":"{kind}","managementEvent":{management},"recipientAccountId":"<account>"{shared},"eventCategory":"{category}"{tls}{from_console}}}"#,
            version = if is_sign_in { "1.08" } else { "1.11" },
            identity = caller.identity,
            event = call.event(),
            extra = part("additionalEventData", &call.extra),
            read_only = call.is_read(),
            resources = part("resources", &call.resources),
            kind = if is_sign_in { "AwsConsoleSignIn" } else { "AwsApiCall" },
            management = !call.data,
            category = if call.data { "Data" } else { "Management" },
        )
    }
}
