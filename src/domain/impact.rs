//! How bad things are: the impact of an incident, and the one line at the top of a page.

use super::code::coded_enum;
use super::component::ComponentStatus;

coded_enum! {
    /// How much an incident hurts, from least to most: a later value is worse. A page's indicator has the same values
    /// (DOMAIN.md, 2).
    pub enum Impact {
        None = "none",
        Maintenance = "maintenance",
        Minor = "minor",
        Major = "major",
        Critical = "critical",
    }
}

coded_enum! {
    /// What the statuses of some components come to when taken together, from best to worst.
    ///
    /// Finer than [`Impact`], because a page says three different things at indicator `minor`.
    pub enum Condition {
        AllOperational = "all_operational",
        UnderMaintenance = "under_maintenance",
        PartiallyDegraded = "partially_degraded",
        Degraded = "degraded",
        MinorOutage = "minor_outage",
        PartialOutage = "partial_outage",
        MajorOutage = "major_outage",
    }
}

impl Condition {
    /// The sentence a page shows, to the letter (DOMAIN.md, 5): clients of the compatible format compare it.
    pub const fn words(self) -> &'static str {
        match self {
            Condition::AllOperational => "All Systems Operational",
            Condition::UnderMaintenance => "Service Under Maintenance",
            Condition::PartiallyDegraded => "Partially Degraded Service",
            Condition::Degraded => "Degraded System Service",
            Condition::MinorOutage => "Minor Service Outage",
            Condition::PartialOutage => "Partial System Outage",
            Condition::MajorOutage => "Major System Outage",
        }
    }

    /// The indicator that stands beside the sentence (DOMAIN.md, 5).
    pub const fn indicator(self) -> Impact {
        match self {
            Condition::AllOperational => Impact::None,
            Condition::UnderMaintenance => Impact::Maintenance,
            Condition::PartiallyDegraded | Condition::Degraded | Condition::MinorOutage => Impact::Minor,
            Condition::PartialOutage => Impact::Major,
            Condition::MajorOutage => Impact::Critical,
        }
    }
}

/// What these components come to together (DOMAIN.md, 5). Over all components of a page it is what the page says.
///
/// Two facts decide: the worst status, and whether every component shares it.
pub fn condition(statuses: &[ComponentStatus]) -> Condition {
    let worst = statuses.iter().copied().max().unwrap_or(ComponentStatus::Operational);
    let shared = statuses.iter().all(|&status| status == worst);

    match (worst, shared) {
        (ComponentStatus::MajorOutage, true) => Condition::MajorOutage,
        (ComponentStatus::MajorOutage, false) | (ComponentStatus::PartialOutage, true) => Condition::PartialOutage,
        (ComponentStatus::PartialOutage, false) => Condition::MinorOutage,
        (ComponentStatus::DegradedPerformance, true) => Condition::Degraded,
        (ComponentStatus::DegradedPerformance, false) => Condition::PartiallyDegraded,
        (ComponentStatus::UnderMaintenance, _) => Condition::UnderMaintenance,
        (ComponentStatus::Operational, _) => Condition::AllOperational,
    }
}

/// The impact these components come to. An incident's impact is the peak of this over its affected components, which
/// explains 28 of 30 real incidents where "the worst component" explains 24 (DOMAIN.md, 5).
pub fn blend(statuses: &[ComponentStatus]) -> Impact {
    condition(statuses).indicator()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ComponentStatus::{DegradedPerformance, MajorOutage, Operational, PartialOutage, UnderMaintenance};

    /// How many components stand in each status, best first.
    type Counts = [usize; 5];

    /// A row of DOMAIN.md 5: whether it holds of the counts, the sentence, the indicator.
    type Row = (fn(Counts) -> bool, &'static str, Impact);

    /// The rows from top to bottom, by counting: the first that holds is the answer.
    const TABLE: [Row; 8] = [
        (
            |c| c.iter().sum::<usize>() == 0,
            "All Systems Operational",
            Impact::None,
        ),
        (
            |[o, u, d, p, m]| m > 0 && o + u + d + p == 0,
            "Major System Outage",
            Impact::Critical,
        ),
        (
            |[o, u, d, p, m]| m > 0 || (p > 0 && o + u + d == 0),
            "Partial System Outage",
            Impact::Major,
        ),
        (|[_, _, _, p, _]| p > 0, "Minor Service Outage", Impact::Minor),
        (
            |[o, u, d, _, _]| d > 0 && o + u == 0,
            "Degraded System Service",
            Impact::Minor,
        ),
        (|[_, _, d, _, _]| d > 0, "Partially Degraded Service", Impact::Minor),
        (
            |[_, u, _, _, _]| u > 0,
            "Service Under Maintenance",
            Impact::Maintenance,
        ),
        (|_| true, "All Systems Operational", Impact::None),
    ];

    /// Every list of up to `length` statuses.
    fn lists(length: usize) -> Vec<Vec<ComponentStatus>> {
        let mut all = vec![vec![]];
        let mut from = 0;
        for _ in 0..length {
            let until = all.len();
            for at in from..until {
                for &status in ComponentStatus::ALL {
                    let mut longer = all[at].clone();
                    longer.push(status);
                    all.push(longer);
                }
            }
            from = until;
        }
        all
    }

    #[test]
    fn every_list_of_statuses_gets_its_row_of_the_table() {
        let lists = lists(4);
        assert_eq!(lists.len(), 1 + 5 + 25 + 125 + 625);

        for list in lists {
            let count = |status| list.iter().filter(|&&other| other == status).count();
            let counts = [
                Operational,
                UnderMaintenance,
                DegradedPerformance,
                PartialOutage,
                MajorOutage,
            ]
            .map(count);
            let (_, words, indicator) = TABLE
                .iter()
                .find(|(holds, _, _)| holds(counts))
                .expect("the last row always holds");

            assert_eq!(condition(&list).words(), *words, "{list:?}");
            assert_eq!(blend(&list), *indicator, "{list:?}");
        }
    }

    #[test]
    fn a_page_says_what_is_expected_of_it() {
        for (statuses, words, indicator) in [
            (vec![], "All Systems Operational", "none"),
            (vec![Operational; 3], "All Systems Operational", "none"),
            (
                vec![Operational, UnderMaintenance],
                "Service Under Maintenance",
                "maintenance",
            ),
            (
                vec![UnderMaintenance, DegradedPerformance],
                "Partially Degraded Service",
                "minor",
            ),
            (vec![DegradedPerformance; 2], "Degraded System Service", "minor"),
            (vec![Operational, PartialOutage], "Minor Service Outage", "minor"),
            (vec![PartialOutage; 2], "Partial System Outage", "major"),
            (vec![Operational, MajorOutage], "Partial System Outage", "major"),
            (vec![MajorOutage], "Major System Outage", "critical"),
        ] {
            let found = condition(&statuses);
            assert_eq!((found.words(), found.indicator().as_str()), (words, indicator));
        }
    }

    #[test]
    fn a_worse_condition_never_has_a_lower_indicator() {
        assert!(Condition::ALL.is_sorted_by_key(|condition| condition.indicator()));
        assert!(Impact::ALL.is_sorted());
    }
}
