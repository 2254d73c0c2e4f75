//! Who calls: every form of `userIdentity`, and the sessions callers call in.

use std::rc::Rc;

use super::dice::{access_key, unique_id};

/// What changes from one session of a caller to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The session name, `i-…`, a person, a CI run.
    pub(super) name: String,
    /// The access key id; that of a user for callers without sessions.
    pub(super) key: String,
    /// When it was created.
    pub(super) start: i64,
    /// `sourceIPAddress`: an address, or a service's name.
    pub(super) address: String,
}

impl Session {
    /// A session, shared by the events in it.
    pub(super) fn new(name: &str, key: &str, start: i64, address: &str) -> Rc<Self> {
        Rc::new(Self { name: name.to_owned(), key: key.to_owned(), start, address: address.to_owned() })
    }

    /// A session of temporary credentials, their key fixed by everything else.
    pub(super) fn temporary(name: &str, start: i64, address: &str) -> Rc<Self> {
        Self::new(name, &access_key("ASIA", &format!("{name} {start} {address}")), start, address)
    }

    /// An AWS service calling: no session at all.
    pub(super) fn service(principal: &str) -> Rc<Self> {
        Self::new("", "", 0, principal)
    }
}

/// A caller: the parts of its records that stay the same.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// `userIdentity`, with holes for the session.
    pub(super) identity: String,
    /// The ARN as error messages spell it, with a hole for the session name; empty for AWS services.
    pub(super) arn: String,
    /// The account the records are logged in.
    pub(super) account: String,
    /// `userAgent`.
    pub(super) agent: String,
    /// AWS itself is calling: no TLS details.
    pub(super) is_aws: bool,
}

impl Caller {
    /// An IAM role.
    pub(super) fn role(account: &str, name: &str, agent: &str) -> Self {
        Self::assumed(account, "", name, "").calling_with(agent)
    }

    /// The role of an EC2 instance.
    pub(super) fn instance(account: &str, name: &str, agent: &str) -> Self {
        Self::assumed(account, "", name, r#","ec2RoleDelivery":"2.0""#).calling_with(agent)
    }

    /// A service-linked role: AWS acting in the account.
    pub(super) fn linked(account: &str, service: &str, name: &str) -> Self {
        let path = format!("aws-service-role/{service}/");
        let mut caller = Self::assumed(account, &path, name, "").calling_with(service);
        caller.identity.pop();
        caller.identity.push_str(&format!(r#","invokedBy":"{service}"}}"#));
        caller.is_aws = true;
        caller
    }

    /// An Identity Center user with a permission set in an account.
    pub(super) fn permission_set(account: &str, region: &str, set: &str, agent: &str) -> Self {
        let path = format!("aws-reserved/sso.amazonaws.com/{region}/");
        let suffix = unique_id("", &format!("{account} {set}")).to_lowercase();
        let name = format!("AWSReservedSSO_{set}_{}", &suffix[..16]);
        Self::assumed(account, &path, &name, "").calling_with(agent)
    }

    fn assumed(account: &str, path: &str, name: &str, session: &str) -> Self {
        let id = unique_id("AROA", &format!("{account} {name}"));
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/<session>");
        let identity = format!(
            r#"{{"type":"AssumedRole","principalId":"{id}:<session>","arn":"{arn}","accountId":"{account}","accessKeyId":"<key-id>","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{account}:role/{path}{name}","accountId":"{account}","userName":"{name}"}},"attributes":{{"creationDate":"<session-start>","mfaAuthenticated":"false"}}{session}}}}}"#
        );
        Self { identity, arn, account: account.to_owned(), agent: String::new(), is_aws: false }
    }

    /// An IAM user with a long-lived access key, or signing in.
    pub(super) fn user(account: &str, name: &str, agent: &str) -> Self {
        let id = unique_id("AIDA", &format!("{account} {name}"));
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"{id}","arn":"{arn}","accountId":"{account}","accessKeyId":"<key-id>","userName":"{name}"}}"#
        );
        Self { identity, arn, account: account.to_owned(), agent: agent.to_owned(), is_aws: false }
    }

    /// An IAM user in the console.
    pub(super) fn console_user(account: &str, name: &str, agent: &str) -> Self {
        let mut caller = Self::user(account, name, agent);
        caller.identity.pop();
        caller.identity.push_str(
            r#","sessionContext":{"attributes":{"creationDate":"<session-start>","mfaAuthenticated":"true"}}}"#,
        );
        caller
    }

    /// An IAM user at the sign-in page: no key yet.
    pub(super) fn signing_in(account: &str, name: &str, agent: &str) -> Self {
        let mut caller = Self::user(account, name, agent);
        caller.identity = caller.identity.replace(r#""accessKeyId":"<key-id>","#, "");
        caller
    }

    /// Somebody at the sign-in page whose password is wrong: AWS says neither who nor, for unknown names, which name.
    pub(super) fn failing_sign_in(account: &str, name: &str, agent: &str) -> Self {
        let id = unique_id("AIDA", &format!("{account} {name}"));
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"{id}","accountId":"{account}","accessKeyId":"","userName":"{name}"}}"#
        );
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        Self { identity, arn, account: account.to_owned(), agent: agent.to_owned(), is_aws: false }
    }

    /// An AWS service: no ARN, no account.
    pub(super) fn service(account: &str, principal: &str) -> Self {
        Self {
            identity: format!(r#"{{"type":"AWSService","invokedBy":"{principal}"}}"#),
            arn: String::new(),
            account: account.to_owned(),
            agent: principal.to_owned(),
            is_aws: true,
        }
    }

    /// A token of an OIDC provider, exchanged for a role.
    pub(super) fn web_identity(account: &str, provider: &str, subject: &str) -> Self {
        let identity = format!(
            r#"{{"type":"WebIdentityUser","principalId":"arn:aws:iam::{account}:oidc-provider/{provider}:sts.amazonaws.com:{subject}","userName":"{subject}","identityProvider":"arn:aws:iam::{account}:oidc-provider/{provider}"}}"#
        );
        let arn = String::new();
        Self { identity, arn, account: account.to_owned(), agent: String::new(), is_aws: false }
    }

    /// A principal of another account, as the account it reaches into logs it.
    pub(super) fn other_account(account: &str, other: &str, principal: &str) -> Self {
        let identity =
            format!(r#"{{"type":"AWSAccount","principalId":"{principal}:<session>","accountId":"{other}"}}"#);
        let arn = String::new();
        Self { identity, arn, account: account.to_owned(), agent: String::new(), is_aws: false }
    }

    /// The same caller with another user agent.
    pub(super) fn calling_with(mut self, agent: &str) -> Self {
        self.agent = agent.to_owned();
        self
    }

    /// The caller as labels name it.
    pub(super) fn arn_in(&self, session: &Session) -> String {
        self.arn.replace("<session>", &session.name)
    }
}
