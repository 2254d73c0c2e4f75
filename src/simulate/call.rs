//! What an API call looks like in the log: one row a call, in `calls.toml`; the rest follows AWS's conventions.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How one API call is logged. Texts are JSON with `<names>` for a [`Template`](super::template::Template).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Call {
    /// The service, as in `eventSource` and in IAM actions.
    #[serde(skip)]
    pub(super) service: String,
    /// The IAM action's name.
    #[serde(skip)]
    pub(super) name: String,
    /// `eventName`, where it isn't the action's name.
    pub(super) event: Option<String>,
    /// `readOnly`, where the name does not tell.
    pub(super) read_only: Option<bool>,
    /// A data event.
    pub(super) data: bool,
    /// `requestParameters`.
    pub(super) request: Option<String>,
    /// `responseElements`.
    pub(super) response: Option<String>,
    /// `additionalEventData`.
    pub(super) extra: Option<String>,
    /// `resources`.
    pub(super) resources: Option<String>,
}

impl Call {
    /// Whether the call changes nothing: as stated, or by AWS's naming.
    pub(super) fn is_read(&self) -> bool {
        self.read_only.unwrap_or_else(|| {
            ["Describe", "List", "Get", "Head", "Lookup", "Batch", "Search", "Query", "Scan", "AssumeRole"]
                .iter()
                .any(|verb| self.name.starts_with(verb))
        })
    }

    /// `eventName`.
    pub(super) fn event(&self) -> &str {
        self.event.as_deref().unwrap_or(&self.name)
    }

    /// Where the call is logged when it is made in `region`: global services log in one region only.
    pub(super) fn region<'r>(&self, region: &'r str) -> &'r str {
        match &*self.service {
            "iam" | "organizations" | "route53" | "cloudfront" | "support" | "ce" | "account" => {
                GLOBAL_REGION
            }
            _ => region,
        }
    }

    /// The host called, for `tlsDetails`.
    pub(super) fn host(&self) -> &'static str {
        match &*self.service {
            "s3" if self.request.as_deref().is_some_and(|request| request.contains("<bucket>")) => {
                "<bucket>.s3.<region>.amazonaws.com"
            }
            "signin" => "<region>.signin.aws.amazon.com",
            "iam" => "iam.amazonaws.com",
            _ => "<service>.<region>.amazonaws.com",
        }
    }
}

/// Where global services log.
pub(super) const GLOBAL_REGION: &str = "us-east-1";

/// The calls the simulation knows in detail.
#[derive(Debug)]
pub(super) struct Calls(BTreeMap<String, BTreeMap<String, Call>>);

impl Calls {
    /// Reads the embedded table.
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        let mut services: BTreeMap<String, BTreeMap<String, Call>> =
            toml::from_str(include_str!("calls.toml"))?;
        for (service, calls) in &mut services {
            for (name, call) in calls {
                (call.service, call.name) = (service.clone(), name.clone());
            }
        }
        Ok(Self(services))
    }

    /// The call of an action, `iam:CreateUser`. One that isn't in the table has no parameters and no response, as many
    /// reads have in the log.
    pub(super) fn get(&self, action: &str) -> Call {
        let (service, name) = action.split_once(':').unwrap_or(("unknown", action));
        let known = self.0.get(service).and_then(|calls| calls.get(name));
        known.cloned().unwrap_or_else(|| Call {
            service: service.to_owned(),
            name: name.to_owned(),
            ..Call::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::template::Template;

    #[test]
    fn every_part_of_every_call_is_json_once_its_names_are_bound() {
        let calls = Calls::load().unwrap();
        for call in calls.0.values().flat_map(BTreeMap::values) {
            for part in [&call.request, &call.response, &call.extra, &call.resources].into_iter().flatten() {
                let names = [
                    ("document", "{}"),
                    ("quoted-document", r#""{}""#),
                    ("grant", r#""principal":"*""#),
                    ("instances", "1"),
                ];
                let bound = Template::compile(part, &names).example();
                let json: Result<serde_json::Value, _> = serde_json::from_str(&bound);
                assert!(json.is_ok(), "{}:{}: {bound}: {json:?}", call.service, call.name);
            }
        }
    }

    #[test]
    fn calls_outside_the_table_follow_the_conventions() {
        let calls = Calls::load().unwrap();
        assert!(calls.get("ec2:DescribeVpcs").is_read());
        assert!(!calls.get("ec2:CreateVpc").is_read());
        assert_eq!(calls.get("iam:ListUsers").region("eu-west-1"), GLOBAL_REGION);
        assert_eq!(calls.get("lambda:UpdateFunctionCode").event(), "UpdateFunctionCode20150331v2");
    }
}
