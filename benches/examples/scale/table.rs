//! What was found, as tables of Markdown.

use std::fmt::{Display, Write as _};

use crate::contest::{Cell, Way};
use crate::ours::Speed;

const BEGIN: &str = "<!-- made by benches/examples/scale -->\n";
const END: &str = "<!-- end of what is made -->\n";

/// The text with what stands between the two marks replaced; `None` if the marks are not there.
pub fn replace(text: &str, made: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{made}\n{END}{after}"))
}

/// A table of makespans over bounds. The best of those that do the same is bold.
pub fn ratios(cells: &[Cell], on: &str, classes: &[(&str, &[Way])]) -> String {
    let mut head = row(["durations", "tests", on]);
    let mut rule = "|---|---:|---:|".to_owned();
    for (class, ways) in classes {
        for way in *ways {
            let _ = write!(head, " {class}{} |", way.name());
            rule += "---:|";
        }
    }
    let mut text = format!("{head}\n{rule}\n");
    for cell in cells {
        let (tests, workers) = (thousands(cell.tests), thousands(cell.workers));
        text += &row([cell.shape.name(), &tests, &workers]);
        for (_, ways) in classes {
            let shown = |way: &Way| {
                cell.ratio(*way)
                    .map_or_else(String::new, |it| format!("{it:.3}"))
            };
            let shown: Vec<String> = ways.iter().map(shown).collect();
            let best = shown.iter().min().cloned();
            for it in shown {
                let bold = if Some(&it) == best.as_ref() { "**" } else { "" };
                let _ = write!(text, " {bold}{it}{bold} |");
            }
        }
        text.push('\n');
    }
    text
}

/// A table of what was measured of a processor.
pub fn speeds(speeds: &[Speed]) -> String {
    let mut text = row([
        "tests",
        "workers",
        "plan, files whole",
        "plan, single tests",
        "balanced shards",
        "dispatcher, costs known",
        "unknown",
        "messages to workers, costs known",
        "unknown",
    ]);
    text += "\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for it in speeds {
        let milliseconds = |it: f64| format!("{it:.1} ms");
        let rate = |it: f64| format!("{:.1} million tests/s", it / 1e6);
        text += &row([
            thousands(it.tests),
            thousands(it.workers),
            milliseconds(it.plan[0]),
            milliseconds(it.plan[1]),
            milliseconds(it.shard),
            rate(it.dispatch[0]),
            rate(it.dispatch[1]),
            thousands(it.messages[0]),
            thousands(it.messages[1]),
        ]);
        text.push('\n');
    }
    text
}

fn row<T: Display>(fields: impl IntoIterator<Item = T>) -> String {
    let mut row = "|".to_owned();
    for field in fields {
        let _ = write!(row, " {field} |");
    }
    row
}

/// A number with commas, as in 1,000,000.
pub fn thousands(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("before\n{BEGIN}old\n{END}after\n");
        let once = replace(&text, "new").expect("the marks are there");
        assert_eq!(once, format!("before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(replace(&once, "new"), Some(once));
        assert_eq!(replace("no marks", "new"), None);
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!(
            [7, 1_000, 100_000, 1_234_567].map(thousands).join(" "),
            "7 1,000 100,000 1,234,567"
        );
    }
}
