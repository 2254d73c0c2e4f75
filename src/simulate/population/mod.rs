//! Who lives in the organisation: machines, functions, pipelines, people, and a few oddities everybody has.

mod functions;
mod jobs;
mod machines;
mod people;
mod pipelines;
mod unruly;

use super::dice::Dice;
use super::routine::{Activity, Menu, RecordId, Routine, Timing};
use super::world::World;
use super::{Options, Shape};

/// What tells one organisation from another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Character {
    /// People with access.
    people: usize,
    /// CI roles in each account with workloads.
    pipelines: usize,
    /// Runs of each of them on a weekday.
    runs: f64,
    /// Functions of an account in production.
    functions: usize,
    /// Jobs over data at night, in each account in production.
    data_jobs: usize,
    /// By when everybody has appeared, as a share of the simulated time: 0 when they were always there.
    settled: f64,
    /// How busy it is beside an organisation of ten thousand events a day; at most as busy.
    size: f64,
}

impl Character {
    /// The character of the wanted organisation.
    pub(super) fn of(options: &Options) -> Self {
        let size = (options.events_per_day as f64 / 10_000.0).min(1.0);
        let usual =
            Self { people: 9, pipelines: 1, runs: 4.0, functions: 5, data_jobs: 1, settled: 0.0, size };
        match options.shape {
            Shape::Quiet => usual,
            Shape::NoisyCi => Self { pipelines: 4, runs: 18.0, ..usual },
            Shape::DataHeavy => Self { functions: 8, data_jobs: 4, ..usual },
            Shape::NewOrganization => Self { people: 12, functions: 7, settled: 0.6, ..usual },
        }
    }
}

/// Fills the organisation.
pub(super) fn populate(world: &mut World, options: &Options, character: Character) {
    for account in 0..world.accounts.len() {
        machines::settle(world, account, character);
        functions::settle(world, account, character);
        pipelines::settle(world, account, character);
        jobs::settle(world, account, character);
        // Small organisations have fewer of everything, and these things not yet.
        if character.size >= 1.0 {
            unruly::settle(world, account, character);
        }
    }
    people::settle(world, character);
    stagger(world, options, character);
    if character.size < 1.0 {
        let routines = world.actors.iter_mut().flat_map(|actor| &mut actor.routines);
        routines.for_each(|routine| routine.slow_down(character.size));
    }
}

/// Lets part of the population appear over time: in a new organisation nearly all of it, elsewhere a colleague and a
/// function.
fn stagger(world: &mut World, options: &Options, character: Character) {
    let mut dice = Dice::new(options.seed, "arrivals");
    let span = f64::from(options.days) * 86_400.0;
    for actor in &mut world.actors {
        let newcomer = actor.name.contains(NEWCOMER);
        if newcomer || (character.settled > 0.0 && dice.chance(0.7)) {
            let latest = span * if newcomer { 0.9 } else { character.settled };
            let earliest = if newcomer { latest * 0.5 } else { 0.0 };
            let from = dice.within((earliest as i64, latest as i64)).div_euclid(86_400) * 86_400;
            actor.from = options.start.0 + from + 8 * 3_600;
        }
    }
}

/// In the name of actors who join later in any organisation.
const NEWCOMER: &str = "(new)";

/// Single calls from a menu.
fn calls(timing: Timing, menu: impl IntoIterator<Item = (u64, RecordId)>) -> Routine {
    Routine { timing, activity: Activity::Call(Menu::of(menu)) }
}

/// A machine's address in a network that documentation reserves.
fn machine_address(dice: &mut Dice) -> String {
    format!("198.51.100.{}", 1 + dice.below(254))
}
