//! Whether an event tells of a refusal, and of which sort.

use std::sync::LazyLock;

use hashbrown::HashMap;
use memchr::memmem::Finder;

use super::message::{Messages, Refusal};
use crate::actor::ActorKind;
use crate::event::Event;
use crate::json::str_at;

/// Who was refused, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// The caller may not make the call.
    Call,
    /// The caller may not take on a role.
    Role,
    /// A role or key that a service uses on the caller's behalf was refused; or AWS itself was.
    Service,
    /// A password, or an app's user, or a signature, was wrong.
    SignIn,
    /// The second factor was wrong.
    SecondFactor,
}

/// What an error code says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Denied,
    Dependency,
    Authentication,
    /// Only the message tells.
    Message,
    /// A business rule.
    Other,
}

static CODES: LazyLock<HashMap<&'static str, Code>> = LazyLock::new(|| {
    include_str!("../../data/denied_codes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let (code, class) = (fields.next()?, fields.next()?);
            Some((code, Code::named(class)?))
        })
        .collect()
});

/// What the codes of refusals speak of, and those of refusals of something in between.
static REFUSALS: LazyLock<[Finder<'static>; 5]> = LazyLock::new(|| {
    ["accessdenied", "permissiondenied", "unauthori", "notauthori", "forbidden"].map(Finder::new)
});
static DEPENDENCIES: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| ["kms", "dependen"].map(Finder::new));

impl Code {
    fn named(class: &str) -> Option<Self> {
        Some(match class {
            "denied" => Self::Denied,
            "dependency" => Self::Dependency,
            "authentication" => Self::Authentication,
            "message" => Self::Message,
            "other" => Self::Other,
            _ => return None,
        })
    }

    /// The class of a code: by the table, else by what it speaks of.
    fn of(code: &str) -> Self {
        if let Some(listed) = CODES.get(code) {
            return *listed;
        }
        // No service's code is longer; what is, was made up.
        if code.len() > 128 {
            return Self::Message;
        }
        let mut letters = [0; 128];
        let mut length = 0;
        for letter in code.bytes().filter(u8::is_ascii_alphabetic) {
            letters[length] = letter.to_ascii_lowercase();
            length += 1;
        }
        let speaks_of =
            |words: &[Finder<'_>]| words.iter().any(|word| word.find(&letters[..length]).is_some());
        match speaks_of(&*REFUSALS) {
            true if speaks_of(&*DEPENDENCIES) => Self::Dependency,
            true => Self::Denied,
            false => Self::Message,
        }
    }
}

/// The sort of refusal an event tells of, with what its message says; nothing for every other event.
pub(crate) fn refusal<'a>(event: &Event<'a>, messages: &mut Messages) -> Option<(Sort, Refusal<'a>)> {
    if &*event.action.service == "signin" {
        return failed_sign_in(event).map(|sort| (sort, Refusal::default()));
    }
    if event.succeeded() {
        return None;
    }
    let code = Code::of(event.error_code);
    if code == Code::Other || (code == Code::Message && !Refusal::may_be_in(event.error_message)) {
        return None;
    }
    let message = messages.read(event.error_message);
    match code {
        Code::Authentication => return Some((Sort::SignIn, message)),
        Code::Message if !message.is_refusal() => return None,
        _ => {}
    }
    // The password or token of an app's user, not a caller of AWS.
    if event.action.service.starts_with("cognito-idp") && is_nobody(event.actor.kind) {
        return Some((Sort::SignIn, message));
    }
    // Buckets that are public, or were: the whole world knocks.
    if event.actor.kind == ActorKind::Anonymous {
        return None;
    }
    let of_another = code == Code::Message && message.is_about_another(&event.actor.name);
    let sort = if code == Code::Dependency || of_another || by_aws(event) {
        Sort::Service
    } else if &*event.action.service == "sts" && event.action.name.starts_with("AssumeRole") {
        Sort::Role
    } else {
        Sort::Call
    };
    Some((sort, message))
}

/// AWS calls: as itself, in a role of its own, or forwarding the rights of whoever set it to work.
fn by_aws(event: &Event<'_>) -> bool {
    event.actor.kind.is_aws() || event.session.invoked_by.ends_with(".amazonaws.com")
}

/// A caller without credentials of AWS.
fn is_nobody(kind: ActorKind) -> bool {
    matches!(kind, ActorKind::Anonymous | ActorKind::Unknown)
}

/// CloudTrail gives failed sign-ins no error code: the message tells, or the outcome under the event's own name, in
/// `responseElements` (console) or `serviceEventDetails` (Identity Center).
fn failed_sign_in(event: &Event<'_>) -> Option<Sort> {
    let name = &*event.action.name;
    let outcome = str_at(event.parts.response(), &[name])
        .or_else(|| str_at(event.parts.service_details(), &[name]))
        .unwrap_or_default();
    if !outcome.eq_ignore_ascii_case("failure") && event.succeeded() {
        return None;
    }
    let detail = |key: &str| str_at(event.parts.additional(), &[key]).unwrap_or_default();
    Some(match name {
        "SwitchRole" => Sort::Role,
        "CheckMfa" => Sort::SecondFactor,
        // The second factor is asked for once the password was right.
        "ConsoleLogin" if detail("MFAUsed").eq_ignore_ascii_case("yes") => Sort::SecondFactor,
        "CredentialVerification" if !matches!(detail("CredentialType"), "" | "PASSWORD" | "EXTERNAL_IDP") => {
            Sort::SecondFactor
        }
        _ => Sort::SignIn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Identity;
    use crate::event::Session;
    use crate::testing::{Call, role};
    use crate::time::EventTime;

    fn sort_of(call: &Call<'_>) -> Option<Sort> {
        call.with(|event| refusal(event, &mut Messages::default()).map(|(sort, _)| sort))
    }

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = include_str!("../../data/denied_codes.tsv").lines().filter(|l| !l.starts_with('#'));
        assert_eq!(CODES.len(), rows.count());
    }

    #[test]
    fn codes_and_messages() {
        use Sort::{Call as Refused, Service, SignIn};
        let theirs = "User: arn:aws:sts::111122223333:assumed-role/other/x is not authorized to perform: kms:Decrypt on resource: k";
        let mine = "User: arn:aws:iam::111122223333:user/kim is not authorized to perform: kms:Decrypt on resource: k";
        let huge = "AccessDenied".repeat(100);
        for (error_code, error_message, sort) in [
            ("AccessDenied", "Access Denied", Some(Refused)),
            ("Client.UnauthorizedOperation", "", Some(Refused)),
            ("AccessDeniedException", "", Some(Refused)),
            ("VpceAccessDenied", "", Some(Refused)),
            ("SomethingNewAccessDeniedException", "", Some(Refused)),
            ("permission_denied", "", Some(Refused)),
            ("RequestUnauthorised", "", Some(Refused)),
            ("UserNotAuthorizedFault", "", Some(Refused)),
            ("KMSAccessDeniedException", "", Some(Service)),
            ("NewKmsAccessDeniedFault", "", Some(Service)),
            ("DependencyAccessDeniedException", "", Some(Service)),
            ("InvalidClientTokenId", "", Some(SignIn)),
            ("ValidationException", mine, Some(Refused)),
            ("InvalidParameterValueException", theirs, Some(Service)),
            ("AccessDenied", theirs, Some(Refused)),
            ("InvalidAccessException", "not subscribed to AWS Security Hub", None),
            ("InvalidAccessException", mine, Some(Refused)),
            ("Client.OperationNotPermitted", "termination protection is on", None),
            ("AccessToClusterDenied", "", None),
            ("ThrottlingException", "Rate exceeded", None),
            ("NoSuchEntityException", "The role cannot be found.", None),
            ("TrailNotFoundException", "", None),
            ("Client.VcpuLimitExceeded", "", None),
            ("", "just a message", None),
            ("", "", None),
            (&huge, "", None),
        ] {
            let call = Call { error_code, error_message, ..Call::new("s3", "GetObject", EventTime(0)) };
            assert_eq!(sort_of(&call), sort, "{error_code}: {error_message}");
        }
    }

    #[test]
    fn callers_of_all_sorts() {
        let refused =
            |service, name| Call { error_code: "AccessDenied", ..Call::new(service, name, EventTime(0)) };
        let invoked_by = "config.amazonaws.com";
        for (call, sort) in [
            (refused("sts", "AssumeRole"), Some(Sort::Role)),
            (refused("sts", "AssumeRoleWithSAML"), Some(Sort::Role)),
            (refused("sts", "GetFederationToken"), Some(Sort::Call)),
            (
                Call {
                    identity: role("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForConfig/x"),
                    ..refused("s3", "ListBuckets")
                },
                Some(Sort::Service),
            ),
            (
                Call {
                    session: Session { invoked_by, ..Session::default() },
                    ..refused("s3", "ListBuckets")
                },
                Some(Sort::Service),
            ),
            (
                Call {
                    identity: Identity {
                        kind: "AWSAccount",
                        account: "ANONYMOUS_PRINCIPAL",
                        ..Identity::default()
                    },
                    ..refused("s3", "GetObject")
                },
                None,
            ),
            (
                Call {
                    error_code: "NotAuthorizedException",
                    error_message: "Incorrect username or password.",
                    identity: Identity { kind: "Unknown", ..Identity::default() },
                    ..refused("cognito-idp", "InitiateAuth")
                },
                Some(Sort::SignIn),
            ),
        ] {
            assert_eq!(sort_of(&call), sort, "{call:?}");
        }
    }

    #[test]
    fn sign_ins_fail_without_an_error_code() {
        use Sort::{Role, SecondFactor, SignIn};
        let outcome = |name: &str, outcome: &str| format!(r#"{{"{name}":"{outcome}"}}"#);
        for (name, error_message, result, additional, sort) in [
            ("ConsoleLogin", "Failed authentication", "Failure", r#"{"MFAUsed":"No"}"#, Some(SignIn)),
            ("ConsoleLogin", "No username found in supplied account", "Failure", "null", Some(SignIn)),
            ("ConsoleLogin", "", "Failure", "null", Some(SignIn)),
            ("ConsoleLogin", "Failed authentication", "Failure", r#"{"MFAUsed":"Yes"}"#, Some(SecondFactor)),
            ("ConsoleLogin", "", "Success", r#"{"MFAUsed":"Yes"}"#, None),
            ("CheckMfa", "", "Failure", "null", Some(SecondFactor)),
            ("CheckMfa", "", "Success", "null", None),
            ("SwitchRole", "", "Failure", "null", Some(Role)),
            ("CredentialVerification", "", "Failure", r#"{"CredentialType":"PASSWORD"}"#, Some(SignIn)),
            ("CredentialVerification", "", "Failure", r#"{"CredentialType":"TOTP"}"#, Some(SecondFactor)),
            ("CredentialVerification", "", "Success", r#"{"CredentialType":"TOTP"}"#, None),
            ("GetSigninToken", "", "", "null", None),
        ] {
            let text = outcome(name, result);
            let (response, service_details) =
                if name == "CredentialVerification" { ("null", &*text) } else { (&*text, "null") };
            let call = Call {
                error_message,
                response,
                service_details,
                additional,
                ..Call::new("signin", name, EventTime(0))
            };
            assert_eq!(sort_of(&call), sort, "{name} {result} {additional}");
        }
    }
}
