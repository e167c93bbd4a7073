//! Medians, spreads, and the tables they are shown in.

use std::fmt;

/// What repeated runs gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// None where there is nothing.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Spread {
            median: quantile(&sorted, 0.5)?,
            min: *sorted.first()?,
            max: *sorted.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, min, max } = *self;
        match median {
            100.0.. => write!(f, "{median:.0} ({min:.0}–{max:.0})"),
            10.0.. => write!(f, "{median:.1} ({min:.1}–{max:.1})"),
            _ => write!(f, "{median:.2} ({min:.2}–{max:.2})"),
        }
    }
}

/// The value at a share of sorted ones; between two, in proportion.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    // Two that are infinite have no difference.
    Some(if low == high {
        low
    } else {
        low + (high - low) * place.fract()
    })
}

/// A figure that may be lacking.
pub(crate) fn shown<T: fmt::Display>(figure: Option<T>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| figure.to_string())
}

/// The command that repeats this measurement, as Markdown.
pub(crate) fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("`cargo run --release -p bench -- {}`", arguments.join(" "))
}

/// A Markdown table.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = format!("|---{}|\n", "|---:".repeat(head.len() - 1));
    let mut table = line(&head) + &rule;
    table.extend(rows.iter().map(|row| line(row)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_median_and_the_ends() {
        let spread = Spread::of(&[9.0, 1.0, 2.0]).expect("three values");

        assert_eq!(spread.to_string(), "2.00 (1.00–9.00)");
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[10.0, 30.0]).map(|spread| spread.median), Some(20.0));
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[0.0, 10.0], 0.25), Some(2.5));
        assert_eq!(quantile(&[0.0, 10.0], 1.0), Some(10.0));
        assert_eq!(quantile(&[f64::INFINITY], 0.5), Some(f64::INFINITY));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_table_is_markdown() {
        let table = table(&["who", "µs"], &[vec!["bare".to_owned(), "8.6".to_owned()]]);

        assert_eq!(table, "| who | µs |\n|---|---:|\n| bare | 8.6 |\n");
    }
}
