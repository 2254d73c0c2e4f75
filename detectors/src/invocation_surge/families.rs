//! What is counted: families of calls, and the table that puts a call into one.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionId};
use crate::json::Member;
use crate::ledger::Class;

/// Calls that are counted alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Lambda functions called, each call once however often Lambda tries.
    Function,
    /// Lambda's attempts at asynchronous calls.
    Attempts,
    /// Bedrock models invoked.
    Model,
    /// Bedrock agents, flows, knowledge bases and agent runtimes.
    Agent,
    /// Step Functions executions started.
    Workflow,
    /// SageMaker endpoints invoked.
    Endpoint,
    /// Messages, mails and stream records sent.
    Message,
    /// S3 objects read.
    Objects,
    /// S3 objects written, copied over or deleted.
    ObjectWrites,
    /// DynamoDB reads by key and queries.
    Items,
    /// DynamoDB items written.
    ItemWrites,
    /// DynamoDB scans: each reads up to a megabyte of a table.
    Scans,
    /// Different secrets read.
    Secrets,
    /// Different parameters read.
    Parameters,
    /// KMS decryptions asked for directly.
    Decrypts,
    /// Virtual processors of machines started.
    Compute,
    /// Tasks, jobs, builds and queries started.
    Jobs,
    /// Any other call that changes something, by region and call.
    Api,
}

/// What a key of a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The thing called: function, bucket, table, call.
    Target,
    /// Who called.
    Actor,
    /// The thing called, counting only calls that were throttled.
    Throttled,
}

/// What sets a family apart.
#[derive(Debug)]
pub(super) struct Traits {
    /// The name in the table, the configuration and finding kinds.
    pub(super) name: &'static str,
    /// What is counted, as alerts say it.
    pub(super) unit: &'static str,
    /// The sort of thing the target is.
    pub(super) target: &'static str,
    /// What a key may be.
    pub(super) subjects: &'static [Subject],
    /// The default floor: fewer in a window are no surge.
    pub(super) floor: u64,
    /// Windows with fewer are not remembered, so no configured floor may be lower.
    pub(super) least: u64,
    /// Kinds of findings: by target, by actor, throttled, growth.
    pub(super) kinds: [&'static str; 4],
}

impl Family {
    /// All, in the order of their classes: facts at rest depend on it.
    pub(super) const ALL: [Self; 18] = [
        Self::Function,
        Self::Attempts,
        Self::Model,
        Self::Agent,
        Self::Workflow,
        Self::Endpoint,
        Self::Message,
        Self::Objects,
        Self::ObjectWrites,
        Self::Items,
        Self::ItemWrites,
        Self::Scans,
        Self::Secrets,
        Self::Parameters,
        Self::Decrypts,
        Self::Compute,
        Self::Jobs,
        Self::Api,
    ];

    /// What sets it apart.
    pub(super) fn traits(self) -> &'static Traits {
        use Subject::{Actor, Target, Throttled};
        macro_rules! traits {
            ($name:literal, $unit:literal, $target:literal, $subjects:expr, $floor:literal, least $least:literal) => {
                &Traits {
                    name: $name,
                    unit: concat!($unit, " in 5 minutes"),
                    target: $target,
                    subjects: $subjects,
                    floor: $floor,
                    least: $least,
                    kinds: [
                        concat!($name, "_surge"),
                        concat!($name, "_read_out"),
                        concat!($name, "_throttled"),
                        concat!($name, "_growth"),
                    ],
                }
            };
        }
        match self {
            Self::Function => {
                traits!("function", "invocations", "function", &[Target, Throttled], 300, least 50)
            }
            Self::Attempts => traits!("attempts", "attempts", "function", &[Target], 60, least 20),
            Self::Model => {
                traits!("model", "invocations", "model", &[Actor, Target, Throttled], 50, least 10)
            }
            Self::Agent => traits!("agent", "invocations", "agent", &[Target, Throttled], 50, least 10),
            Self::Workflow => {
                traits!("workflow", "executions", "state_machine", &[Target, Throttled], 100, least 20)
            }
            Self::Endpoint => {
                traits!("endpoint", "invocations", "endpoint", &[Target, Throttled], 300, least 50)
            }
            Self::Message => traits!("message", "messages", "destination", &[Target], 300, least 50),
            Self::Objects => traits!("objects", "objects read", "bucket", &[Actor, Target], 500, least 100),
            Self::ObjectWrites => {
                traits!("object_writes", "objects changed", "bucket", &[Target], 1000, least 100)
            }
            Self::Items => traits!("items", "reads", "table", &[Actor, Target], 500, least 100),
            Self::ItemWrites => traits!("item_writes", "writes", "table", &[Target], 1000, least 100),
            Self::Scans => traits!("scans", "scans", "table", &[Actor, Target], 30, least 5),
            Self::Secrets => traits!("secrets", "different secrets", "secret", &[Actor], 15, least 3),
            Self::Parameters => {
                traits!("parameters", "different parameters", "parameter", &[Actor], 30, least 5)
            }
            Self::Decrypts => traits!("decrypts", "decryptions", "key", &[Actor], 200, least 50),
            Self::Compute => traits!("compute", "vCPUs", "api", &[Target], 64, least 8),
            Self::Jobs => traits!("jobs", "jobs", "api", &[Target], 60, least 10),
            Self::Api => traits!("api", "calls", "api", &[Target], 200, least 50),
        }
    }

    /// The class of its keys with this subject.
    pub(super) fn class(self, subject: Subject) -> Class {
        Class(self as u8 * 4 + subject as u8)
    }

    /// Which keys a class stands for.
    pub(super) fn of(class: Class) -> Option<(Self, Subject)> {
        let family = *Self::ALL.get(usize::from(class.0 / 4))?;
        let subject = *[Subject::Target, Subject::Actor, Subject::Throttled].get(usize::from(class.0 % 4))?;
        Some((family, subject))
    }

    /// The thing called is a Lambda function.
    pub(super) fn is_of_functions(self) -> bool {
        matches!(self, Self::Function | Self::Attempts)
    }

    /// Different things are counted, not calls.
    pub(super) fn counts_names(self) -> bool {
        matches!(self, Self::Secrets | Self::Parameters)
    }

    /// Cheap and called by an application's every request, so that a number says little before the usual one is known.
    pub(super) fn is_volume(self) -> bool {
        !matches!(self, Self::Secrets | Self::Parameters | Self::Compute | Self::Model | Self::Agent)
    }

    /// Whether growth over days is watched.
    pub(super) fn grows(self) -> bool {
        !matches!(self, Self::Api | Self::Attempts | Self::Compute)
    }
}

/// A row of the table: how one call is counted.
#[derive(Debug)]
pub(super) struct Row {
    /// The family.
    pub(super) family: Family,
    /// Where the thing called is named, in order.
    pub(super) target: Box<[Member]>,
    /// Where what is told apart within a key is named.
    pub(super) name: Box<[Member]>,
}

static TABLE: LazyLock<Vec<(ActionId, Row)>> =
    LazyLock::new(|| rows(include_str!("../../data/invocations.tsv")).collect());

fn rows(table: &'static str) -> impl Iterator<Item = (ActionId, Row)> {
    table.lines().filter(|line| !line.starts_with('#')).flat_map(|line| {
        let fields: Vec<&'static str> = line.split('\t').collect();
        let &[service, calls, family, _logged, target, name] = fields.as_slice() else { return Vec::new() };
        let Some(family) = Family::ALL.into_iter().find(|f| f.traits().name == family) else {
            return Vec::new();
        };
        let places =
            |field: &'static str| field.split(' ').filter(|place| *place != "-").map(Member::new).collect();
        let row = |call| {
            let row = Row { family, target: places(target), name: places(name) };
            (Action::new(service, call).id, row)
        };
        calls.split(' ').map(row).collect()
    })
}

/// Where in the table a call stands, if it does. Looked for from row to row: for once an action.
pub(super) fn place(action: &Action) -> Option<usize> {
    TABLE.iter().position(|(id, _)| *id == action.id)
}

/// How the call at a place of the table is counted.
pub(super) fn row(place: usize) -> Option<&'static Row> {
    TABLE.get(place).map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::detector::Claim;

    #[test]
    fn every_row_of_the_table_is_read() {
        let table = include_str!("../../data/invocations.tsv");
        let calls: Vec<(&str, &str)> = table
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                assert_eq!(fields.len(), 6, "{line}");
                assert!(matches!(fields[3], "data" | "management"), "{line}");
                fields[1].split(' ').map(|call| (fields[0], call)).collect::<Vec<_>>()
            })
            .collect();
        for (service, call) in &calls {
            assert!(place(&Action::new(service, call)).is_some(), "{service}:{call}");
        }
        let places: HashSet<_> =
            calls.iter().map(|(service, call)| place(&Action::new(service, call))).collect();
        assert_eq!([TABLE.len(), places.len()], [calls.len(); 2], "a call stands in the table once");
        assert!(TABLE.len() < usize::from(Claim::MAX), "places fit into claims");
    }

    #[test]
    fn classes_and_families_correspond() {
        for family in Family::ALL {
            let traits = family.traits();
            assert!(traits.least < traits.floor, "{}", traits.name);
            assert_eq!(serde_json::to_value(family).unwrap(), traits.name);
            for subject in traits.subjects {
                assert_eq!(Family::of(family.class(*subject)), Some((family, *subject)));
            }
        }
        // Facts at rest depend on these.
        assert_eq!(Family::Function.class(Subject::Target), Class(0));
        assert_eq!(Family::Api.class(Subject::Target), Class(68));
        assert_eq!(Family::of(Class(255)), None);
    }
}
