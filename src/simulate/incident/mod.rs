//! What is planted: attacks that have to be found, and harmless doings that look like them.
//!
//! An incident is a row of [`INCIDENTS`] and a function that acts it out in a [`Scene`]. Every event of a scene is a key
//! event of its label.

mod cost;
mod credentials;
mod data;
mod look_alikes;
mod policies;
mod scene;

use super::Options;
use super::dice::Dice;
use super::labels::{Expectation, Plot};
use super::world::World;
use scene::Scene;

const DENIED: &str = "access_denied_spike";
const FIRST: &str = "first_time_privilege";
const POLICY: &str = "policy_change";
const SURGE: &str = "invocation_surge";
/// All of them: an attack may well be seen by more than the one that has to see it.
const DETECTORS: [&str; 4] = [POLICY, DENIED, FIRST, SURGE];

/// One kind of thing to plant.
struct Incident {
    /// MITRE ATT&CK techniques, or `none`.
    technique: &'static str,
    /// What happens.
    description: &'static str,
    /// Who has to say so; nobody, for harmless things.
    found_by: &'static [&'static str],
    /// Acts it out.
    act: fn(&mut Scene<'_>),
}

const INCIDENTS: &[Incident] = &[
    Incident {
        technique: "T1078.004/T1530",
        description: "a function's credentials, taken out of it, read out its DynamoDB table from outside",
        found_by: &[SURGE],
        act: data::table_read_out,
    },
    Incident {
        technique: "T1526/T1580",
        description: "a stolen access key tries out what it may do: dozens of different calls, nearly all denied",
        found_by: &[DENIED],
        act: credentials::stolen_key,
    },
    Incident {
        technique: "T1098.003/T1136.003",
        description: "an instance's role makes itself an administrator: a user, a key, AdministratorAccess",
        found_by: &[FIRST, POLICY],
        act: credentials::new_administrator,
    },
    Incident {
        technique: "T1530/T1537",
        description: "a bucket is opened to everybody",
        found_by: &[POLICY],
        act: policies::public_bucket,
    },
    Incident {
        technique: "T1496/T1499",
        description: "a public endpoint is flooded: a function is invoked far more often than ever",
        found_by: &[SURGE],
        act: cost::invocation_flood,
    },
    Incident {
        technique: "T1110.003",
        description: "one password tried on many users of the console from one address",
        found_by: &[DENIED],
        act: credentials::password_spraying,
    },
    Incident {
        technique: "T1098.003",
        description: "a role is opened to a foreign account",
        found_by: &[POLICY],
        act: policies::foreign_trust,
    },
    Incident {
        technique: "T1555.006",
        description: "a hijacked session reads all secrets in a minute",
        found_by: &[SURGE],
        act: data::secrets_read_out,
    },
    Incident {
        technique: "T1580/T1087.004",
        description: "code running in a function probes what the function's role may do",
        found_by: &[DENIED],
        act: credentials::function_probing,
    },
    Incident {
        technique: "T1496/T1535",
        description: "large instances are started in a region nobody uses",
        found_by: &[FIRST],
        act: cost::mining,
    },
    Incident {
        technique: "T1546/T1648",
        description: "a function is opened to be invoked by everybody",
        found_by: &[POLICY],
        act: policies::public_function,
    },
    Incident {
        technique: "T1562.008",
        description: "the trail is told to stop logging",
        found_by: &[POLICY],
        act: policies::silenced_trail,
    },
    Incident {
        technique: "T1496.004",
        description: "a stolen access key runs large language models",
        found_by: &[SURGE, FIRST],
        act: cost::model_abuse,
    },
    Incident {
        technique: "T1537",
        description: "a snapshot is shared with a foreign account",
        found_by: &[POLICY],
        act: policies::shared_snapshot,
    },
    Incident {
        technique: "T1530",
        description: "a stolen access key downloads a bucket",
        found_by: &[SURGE],
        act: data::bucket_download,
    },
    Incident {
        technique: "T1531/T1562",
        description: "a hijacked session tries to leave the organisation, and fails",
        found_by: &[FIRST],
        act: credentials::leaving_organization,
    },
];

/// Harmless; an alert on one of these is a false one.
const LOOK_ALIKES: &[Incident] = &[
    Incident {
        technique: "none (the same policies again)",
        description: "CI writes every role and bucket policy again, each the same as before",
        found_by: &[],
        act: look_alikes::policies_again,
    },
    Incident {
        technique: "none (IAM eventual consistency)",
        description: "a role is assumed before IAM knows it everywhere: three denials in five seconds, then success",
        found_by: &[],
        act: look_alikes::eventual_consistency,
    },
    Incident {
        technique: "none (throttled Terraform)",
        description: "Terraform writes many parameters at once and is throttled",
        found_by: &[],
        act: look_alikes::throttled_run,
    },
    Incident {
        technique: "none (clean-up)",
        description: "what was opened is closed again: a trust policy and a bucket policy narrowed, a public grant removed",
        found_by: &[],
        act: look_alikes::clean_up,
    },
];

/// The share of the simulated time that is left undisturbed, for detectors to learn from.
const UNDISTURBED: f64 = 0.4;
/// So many incidents a day after that.
const PER_DAY: f64 = 0.9;

/// Plants incidents and look-alikes over the time that is not left undisturbed.
pub(super) fn plant(world: &mut World, options: &Options) {
    let mut dice = Dice::new(options.seed, "incidents");
    let disturbed = f64::from(options.days) * (1.0 - UNDISTURBED);
    let wanted = (disturbed * PER_DAY).round() as usize;
    let incidents = INCIDENTS.iter().cycle().take(wanted.max(1));
    // As many look-alikes as incidents, up to one of each kind in a month.
    let rounds = (options.days as usize).div_ceil(30);
    let look_alikes = LOOK_ALIKES.iter().cycle().take((LOOK_ALIKES.len() * rounds).min(wanted));
    for (incidents, expectation) in [
        (incidents.collect::<Vec<_>>(), Expectation::Must),
        (look_alikes.collect::<Vec<_>>(), Expectation::MustNot),
    ] {
        let mut places: Vec<usize> = (0..incidents.len()).collect();
        dice.shuffle(&mut places);
        for (number, (incident, place)) in incidents.iter().zip(&places).enumerate() {
            let day =
                f64::from(options.days) - disturbed + disturbed * *place as f64 / incidents.len() as f64;
            let time = options.start.0 + (day * 86_400.0) as i64 + dice.within((0, 36_000));
            let stream = format!("{} {number}", incident.description);
            let label = world.plots.len() as u32;
            world.plots.push(incident.plot(options, expectation));
            let mut scene = Scene::new(world, options, time, &stream, label);
            (incident.act)(&mut scene);
        }
    }
    world.scripted.sort_by_key(|event| event.time);
}

impl Incident {
    fn plot(&self, options: &Options, expectation: Expectation) -> Plot {
        let mut found_by: Vec<_> = self.found_by.iter().map(|detector| (*detector, expectation)).collect();
        match expectation {
            Expectation::Must => {
                let others = DETECTORS.into_iter().filter(|detector| !self.found_by.contains(detector));
                found_by.extend(others.map(|detector| (detector, Expectation::May)));
            }
            _ => found_by.push(("none", expectation)),
        }
        Plot::new(options, (self.technique, self.description), found_by)
    }
}
