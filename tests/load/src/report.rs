//! Prints the medians of all rounds, ours beside Redis', with the range of each.

use std::collections::BTreeSet;

use crate::figure::{Better, Figure, Figures};
use crate::recorded::{SOURCE, recorded};
use crate::samples::median;

/// The whole report.
pub fn report(ours: &Figures, redis: &Figures) -> String {
    let mut lines = Vec::new();
    let mut scenario = "";
    let mut with_recorded = false;
    let figures: BTreeSet<Figure> = ours.figures().chain(redis.figures()).collect();
    for figure in figures {
        let (of, ..) = figure.about();
        if of != scenario {
            scenario = of;
            lines.push(format!("\n{of}"));
        }
        lines.push(line(figure, ours.of(figure), redis.of(figure)));
        let others = recorded(figure);
        if !others.is_empty() {
            with_recorded = true;
            let others: Vec<String> = others
                .iter()
                .map(|(server, value)| format!("{server} {}", number(*value)))
                .collect();
            lines.push(format!("      recorded elsewhere: {}", others.join(", ")));
        }
    }
    if with_recorded {
        lines.push(format!("\n{SOURCE}"));
    }
    lines.join("\n")
}

fn line(figure: Figure, ours: &[f64], redis: &[f64]) -> String {
    let (_, name, unit, better) = figure.about();
    let ratio = if ours.is_empty() || redis.is_empty() {
        String::new()
    } else {
        format!("ours/Redis {:.2}", median(ours) / median(redis))
    };
    let better = match better {
        Better::Higher => "higher is better",
        Better::Lower => "lower is better",
        Better::Neither => "",
    };
    let line = format!(
        "  {name:<28} {unit:<20} ours {:<32} Redis {:<32} {ratio:<18} {better}",
        spread(ours),
        spread(redis),
    );
    line.trim_end().to_owned()
}

/// Median, and the range if there was more than one round.
fn spread(figures: &[f64]) -> String {
    let lowest = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match figures {
        [] => "-".to_owned(),
        [only] => number(*only),
        several => format!(
            "{} ({} to {})",
            number(median(several)),
            number(lowest),
            number(highest)
        ),
    }
}

/// Few digits, but as many as tell something; thousands set apart.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude < 0.1 {
        return format!("{value:.5}");
    }
    if magnitude < 1.0 {
        return format!("{value:.3}");
    }
    if magnitude < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{magnitude:.0}");
    let mut grouped = String::from(if value < 0.0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(number(0.1234), "0.123");
        assert_eq!(number(0.000_42), "0.00042");
        assert_eq!(number(7.0), "7.00");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(-1_234_567.0), "-1,234,567");
    }

    #[test]
    fn medians_ranges_and_ratios() {
        let mut ours = Figures::new(vec![(Figure::StoreRate, 100.0)]);
        ours.merge(Figures::new(vec![(Figure::StoreRate, 300.0)]));
        ours.merge(Figures::new(vec![(Figure::StoreRate, 200.0)]));
        let redis = Figures::new(vec![(Figure::StoreRate, 400.0)]);
        let text = report(&ours, &redis);
        assert!(text.contains("200 (100 to 300)"), "{text}");
        assert!(text.contains("ours/Redis 0.50"), "{text}");
        assert!(text.contains("NATS 4,700"), "{text}");
        let alone = report(&ours, &Figures::default());
        assert!(!alone.contains("ours/Redis"), "{alone}");
    }
}
