//! What is planted: attacks that have to be found, and harmless doings that look like them.
//!
//! An incident is a row of [`INCIDENTS`] and a function that acts it out in a [`Scene`]. Every event of a scene is a key
//! event of its label.

mod cost;
mod credentials;
mod data;
mod everyday;
mod look_alikes;
mod policies;
mod scene;

use super::Options;
use super::clock::Hour;
use super::dice::Dice;
use super::labels::{Expectation, Plot};
use super::world::{Purpose, World};
use everyday::EVERYDAY;
use scene::Scene;

const DENIED: &str = "access_denied_spike";
/// The detector that tells of what is new.
pub(super) const FIRST: &str = "first_time_privilege";
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
    /// The detector that has to say so, and others that should; nobody, for harmless things.
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
        found_by: &[FIRST, SURGE],
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

/// No attacks, and an alert is right: somebody should look.
const CONSPICUOUS: &[Incident] = &[
    Incident {
        technique: "none (an outage)",
        description: "a deploy takes a permission away from a function, which is denied for twenty minutes",
        found_by: &[DENIED],
        act: look_alikes::outage,
    },
    Incident {
        technique: "none (a campaign)",
        description: "customers come in numbers for two hours",
        found_by: &[SURGE],
        act: look_alikes::campaign,
    },
];

/// The days that are left undisturbed: what is unusual takes some weeks to know. At most half of the simulated time.
const UNDISTURBED_DAYS: f64 = 15.0;
/// So many incidents a day after that: one of each kind in a month.
const PER_DAY: f64 = 1.05;
/// So many unusual, harmless things a day and account, all the time.
const EVERYDAY_PER_DAY: f64 = 0.3;

/// Plants incidents, and what looks like them, over the time that is not left undisturbed; and everyday life over all of it.
pub(super) fn plant(world: &mut World, options: &Options) {
    let mut dice = Dice::new(options.seed, "incidents");
    let days = f64::from(options.days);
    let from = UNDISTURBED_DAYS.min(days / 2.0);
    let wanted = options.incidents.map_or_else(|| ((days - from) * PER_DAY).round() as usize, |n| n as usize);
    // Of what looks like an attack, one of each kind in a month.
    let months = (options.days as usize).div_ceil(30);
    for (incidents, count, expectation) in [
        (INCIDENTS, wanted, Expectation::Must),
        (LOOK_ALIKES, wanted.min(LOOK_ALIKES.len() * months), Expectation::MustNot),
        (CONSPICUOUS, wanted.min(CONSPICUOUS.len() * months), Expectation::May),
    ] {
        let mut places: Vec<usize> = (0..count).collect();
        dice.shuffle(&mut places);
        for (number, (incident, place)) in incidents.iter().cycle().zip(&places).enumerate() {
            let day = from + (days - from) * *place as f64 / count as f64;
            let mut start = options.start.0 + (day * 86_400.0) as i64 + dice.within((0, 36_000));
            if expectation != Expectation::Must {
                start = at_work(start, &mut dice);
            }
            let label = world.plots.len() as u32;
            world.plots.push(incident.plot(options, expectation));
            let stream = format!("{} {number}", incident.description);
            let turn = number / incidents.len();
            (incident.act)(&mut Scene::new(world, options, (start, &stream, turn), Some(label)));
        }
    }
    everyday_life(world, options, &mut dice);
    // What would begin after the last day does not happen.
    let end = options.start.0 + i64::from(options.days) * 86_400;
    world.scripted.retain(|event| event.time < end);
    world.scripted.sort_by_key(|event| event.time);
}

fn everyday_life(world: &mut World, options: &Options, dice: &mut Dice) {
    // Pipelines keep policies as they are: they were all written once, before anything else happens.
    for account in 0..world.accounts.len() {
        if world.accounts[account].purpose != Purpose::Management {
            let start = options.start.0 + dice.within((60, 1_800));
            let mut scene = Scene::new(world, options, (start, &format!("first run {account}"), 0), None);
            scene.move_to(account);
            look_alikes::policies_again(&mut scene);
        }
    }
    let production = world.accounts.iter().filter(|account| account.purpose == Purpose::Production).count();
    let count = (f64::from(options.days) * EVERYDAY_PER_DAY * production as f64) as usize;
    for (number, (name, act)) in EVERYDAY.iter().cycle().take(count).enumerate() {
        let start = options.start.0 + dice.within((0, i64::from(options.days) * 86_400));
        let start = at_work(start, dice);
        let turn = number / EVERYDAY.len();
        act(&mut Scene::new(world, options, (start, &format!("{name} {number}"), turn), None));
    }
}

/// The same day or the Friday before it, between nine and five.
fn at_work(time: i64, dice: &mut Dice) -> i64 {
    let midnight = time.div_euclid(86_400) * 86_400;
    let weekday = i64::from(Hour::new(midnight, 0, 1.0).weekday);
    midnight - (weekday - 5).max(0) * 86_400 + dice.within((8 * 3_600, 16 * 3_600))
}

impl Incident {
    fn plot(&self, options: &Options, expectation: Expectation) -> Plot {
        let (first, others) = self.found_by.split_first().unwrap_or((&"none", &[]));
        let mut found_by = vec![(*first, expectation)];
        found_by.extend(others.iter().map(|detector| (*detector, Expectation::Should)));
        if expectation != Expectation::MustNot {
            let rest = DETECTORS.into_iter().filter(|detector| !self.found_by.contains(detector));
            found_by.extend(rest.map(|detector| (detector, Expectation::May)));
        }
        Plot::new(options, (self.technique, self.description), found_by)
    }
}
