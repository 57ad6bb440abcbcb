//! The figure: makespan over bound against workers, a panel for each shape.

use std::fmt::Write as _;

use crate::contest::{Cell, Way};
use crate::suites::Shape;
use crate::table::thousands;

/// Where the first panel is, how large panels are, and how far apart.
const LEFT: f64 = 64.0;
const TOP: f64 = 74.0;
const WIDE: f64 = 180.0;
const HIGH: f64 = 150.0;
const ACROSS: f64 = 210.0;
const DOWN: f64 = 222.0;

const TICKS: [f64; 13] = [
    1.0, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0,
];

/// Cells of one size, as an SVG image.
pub fn figure(cells: &[Cell], tests: u32) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 480\" width=\"900\" height=\"480\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n\
         <rect width=\"900\" height=\"480\" fill=\"#fff\"/>\n",
    );
    let title = format!(
        "Makespan over lower bound, {} tests, by the number of workers",
        thousands(tests)
    );
    text(&mut svg, 450.0, 22.0, "middle", &title);
    let rows = [
        ("tests one by one", &Way::SINGLE[..]),
        ("files whole", &Way::WHOLE),
    ];
    for ((name, ways), nth) in rows.into_iter().zip(0u32..) {
        let y = TOP + f64::from(nth) * DOWN;
        legend(&mut svg, y - 34.0, name, ways);
        let ratios = (cells.iter()).flat_map(|cell| ways.iter().filter_map(|&way| cell.ratio(way)));
        let most = ratios.fold(1.0, f64::max);
        let highest = TICKS.into_iter().find(|&tick| tick >= most).unwrap_or(most);
        for (shape, nth) in Shape::ALL.into_iter().zip(0u32..) {
            let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.shape == shape).collect();
            let x = LEFT + f64::from(nth) * ACROSS;
            panel(&mut svg, (x, y), &cells, ways, highest);
        }
    }
    svg + "</svg>\n"
}

fn legend(svg: &mut String, y: f64, name: &str, ways: &[Way]) {
    text(svg, LEFT, y, "start", &format!("{name}:"));
    for (&way, nth) in ways.iter().zip(0u32..) {
        let x = LEFT + 110.0 + 160.0 * f64::from(nth);
        let line = [(x, y - 4.0), (x + 26.0, y - 4.0)];
        curve(svg, way, &line);
        text(svg, x + 32.0, y, "start", way.name());
    }
}

fn panel(svg: &mut String, (left, top): (f64, f64), cells: &[&Cell], ways: &[Way], highest: f64) {
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else {
        return;
    };
    let [least, most] = [first, last].map(|cell| f64::from(cell.workers).ln());
    let across = |workers: u32| {
        left + WIDE * (f64::from(workers).ln() - least) / (most - least).max(f64::MIN_POSITIVE)
    };
    let up = |ratio: f64| top + HIGH * (1.0 - ratio.ln() / highest.ln().max(f64::MIN_POSITIVE));
    let bottom = top + HIGH;
    text(
        svg,
        left + WIDE / 2.0,
        top - 8.0,
        "middle",
        first.shape.name(),
    );
    let mut lower = f64::INFINITY;
    for tick in TICKS.into_iter().filter(|&tick| tick <= highest) {
        let y = up(tick);
        // There is room for a number.
        if lower - y < 14.0 {
            continue;
        }
        lower = y;
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {y:.1}h{WIDE:.1}\" stroke=\"#ddd\"/>"
        );
        text(svg, left - 6.0, y + 4.0, "end", &tick.to_string());
    }
    for cell in cells.iter().step_by(3) {
        let x = across(cell.workers);
        let _ = writeln!(svg, "<path d=\"M{x:.1} {bottom:.1}v4\" stroke=\"#222\"/>");
        text(svg, x, bottom + 16.0, "middle", &thousands(cell.workers));
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{left:.1} {top:.1}v{HIGH:.1}h{WIDE:.1}\" fill=\"none\" stroke=\"#222\"/>"
    );
    // What is drawn last lies on top.
    for &way in ways.iter().rev() {
        let points: Vec<(f64, f64)> = (cells.iter())
            .filter_map(|cell| Some((across(cell.workers), up(cell.ratio(way)?))))
            .collect();
        curve(svg, way, &points);
    }
}

fn curve(svg: &mut String, way: Way, points: &[(f64, f64)]) {
    // Colours that are told apart by the colour-blind (M. Okabe, K. Ito, 2008).
    let (colour, dashes) = match way {
        Way::Second | Way::WholeSecond => ("#0072b2", ""),
        Way::First | Way::WholeFirst => ("#0072b2", " stroke-dasharray=\"5 3\""),
        Way::Load => ("#d55e00", ""),
        Way::WorkSteal => ("#009e73", ""),
        _ => ("#cc79a7", ""),
    };
    let points: Vec<String> = (points.iter())
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>",
        points.join(" ")
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_line_in_every_panel() {
        let ways = [&Way::SINGLE[..], &Way::WHOLE].concat();
        let cells: Vec<Cell> = (Shape::ALL.into_iter())
            .flat_map(|shape| [2, 4].map(|workers| Cell::measure(shape, 50, workers, &ways)))
            .collect();
        let svg = figure(&cells, 50);
        let lines = svg.matches("<polyline").count();
        // A line in the legend, too.
        assert_eq!(lines, (4 + 1) * ways.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
