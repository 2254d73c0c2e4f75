//! Hours of the simulated time, and the rhythms life follows in them.

use super::template::date_of;

/// One simulated hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    /// Its first second.
    pub(super) start: i64,
    /// The hour of the day, UTC.
    pub(super) of_day: u8,
    /// 1 is Monday.
    pub(super) weekday: i8,
    /// The day of the month.
    pub(super) day_of_month: i8,
    /// The world's seed.
    pub(super) seed: u64,
    /// By what to multiply the rates that scale.
    pub(super) volume: f64,
}

impl Hour {
    /// The hour that starts at `start`.
    pub(super) fn new(start: i64, seed: u64, volume: f64) -> Self {
        let date = date_of(start);
        Self {
            start,
            of_day: (start.rem_euclid(86_400) / 3_600) as u8,
            weekday: date.weekday().to_monday_one_offset(),
            day_of_month: date.day(),
            seed,
            volume,
        }
    }

    fn is_weekend(&self) -> bool {
        self.weekday > 5
    }
}

/// Which days something happens on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Days {
    /// Every day.
    All,
    /// One day of the week; 1 is Monday.
    Weekly(i8),
    /// One day of the month.
    Monthly(i8),
}

impl Days {
    /// Whether an hour lies on such a day.
    pub(super) fn contains(self, hour: &Hour) -> bool {
        match self {
            Self::All => true,
            Self::Weekly(day) => hour.weekday == day,
            Self::Monthly(day) => hour.day_of_month == day,
        }
    }

    /// How many such days a day has, on average.
    pub(super) fn per_day(self) -> f64 {
        match self {
            Self::All => 1.0,
            Self::Weekly(_) => 1.0 / 7.0,
            Self::Monthly(_) => 1.0 / 30.0,
        }
    }
}

/// How busy the hours of a day are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rhythm {
    /// All hours alike.
    Flat,
    /// People at work, in the middle of Europe.
    Office,
    /// People on the sofa.
    Customers,
}

impl Rhythm {
    /// How busy an hour is; 1 is the average of a weekday.
    pub(super) fn weight(self, hour: &Hour) -> f64 {
        const OFFICE: [u32; 24] =
            [0, 0, 0, 0, 0, 0, 1, 6, 10, 11, 10, 7, 9, 11, 10, 8, 4, 1, 1, 1, 0, 0, 0, 0];
        const CUSTOMERS: [u32; 24] =
            [3, 2, 2, 2, 2, 3, 5, 7, 8, 9, 9, 10, 10, 9, 9, 9, 10, 11, 13, 14, 13, 10, 7, 4];
        let share = |hours: &[u32; 24]| {
            f64::from(hours[usize::from(hour.of_day)]) * 24.0 / f64::from(hours.iter().sum::<u32>())
        };
        match self {
            Self::Flat => 1.0,
            Self::Office => share(&OFFICE) * if hour.is_weekend() { Self::OFFICE_ON_WEEKENDS } else { 1.0 },
            Self::Customers => {
                share(&CUSTOMERS) * if hour.is_weekend() { Self::CUSTOMERS_ON_WEEKENDS } else { 1.0 }
            }
        }
    }

    const OFFICE_ON_WEEKENDS: f64 = 0.03;
    const CUSTOMERS_ON_WEEKENDS: f64 = 0.85;

    /// The average day of a week, as a share of a weekday.
    pub(super) fn share_of_week(self) -> f64 {
        let weekend = match self {
            Self::Flat => 1.0,
            Self::Office => Self::OFFICE_ON_WEEKENDS,
            Self::Customers => Self::CUSTOMERS_ON_WEEKENDS,
        };
        (5.0 + 2.0 * weekend) / 7.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rhythm_averages_one_on_a_weekday() {
        let monday = 1_772_409_600;
        assert_eq!(Hour::new(monday, 0, 1.0).weekday, 1);
        for rhythm in [Rhythm::Flat, Rhythm::Office, Rhythm::Customers] {
            let hours = (0..24).map(|h| Hour::new(monday + h * 3_600, 0, 1.0));
            let sum: f64 = hours.map(|hour| rhythm.weight(&hour)).sum();
            assert!((sum - 24.0).abs() < 1e-9, "{rhythm:?}: {sum}");
        }
    }

    #[test]
    fn offices_are_empty_on_sundays() {
        let sunday_noon = Hour::new(1_772_409_600 - 43_200, 0, 1.0);
        assert_eq!(sunday_noon.weekday, 7);
        assert!(Rhythm::Office.weight(&sunday_noon) < 0.1);
        assert!(Days::Weekly(7).contains(&sunday_noon));
    }
}
