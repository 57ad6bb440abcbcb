//! The page: one file that needs nothing else, neither a network nor a server.

use std::io;

use super::document::Document;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 4] = [
    include_str!("page/data.js"),
    include_str!("page/lanes.js"),
    include_str!("page/tables.js"),
    include_str!("page/main.js"),
];

/// The text of the page.
pub(super) fn page(document: &Document) -> io::Result<String> {
    let data = serde_json::to_string(document)?;
    Ok(filled(&inert(&data)))
}

/// JSON that no reader of HTML can take for anything else, whatever a test is called: `</script>` and `<!--` end or change the
/// element that it stands in.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            // They are in strings only.
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// Each place is looked for in the frame alone: what is put in may say anything.
fn filled(data: &str) -> String {
    let (before_style, rest) = PAGE.split_once("{{style}}").unwrap_or((PAGE, ""));
    let (before_data, rest) = rest.split_once("{{data}}").unwrap_or((rest, ""));
    let (before_script, rest) = rest.split_once("{{script}}").unwrap_or((rest, ""));
    let script = SCRIPTS.concat();
    [
        before_style,
        STYLE,
        before_data,
        data,
        before_script,
        &script,
        rest,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_has_a_place_for_each_part() {
        let page = filled("DATA");
        assert!(!page.contains("{{"), "a place was not filled");
        for part in [STYLE, "DATA", SCRIPTS[3]] {
            assert!(page.contains(part));
        }
        assert!(page.trim_end().ends_with("</html>"));
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_string() {
        let name = "</script><!-- {{script}} & \u{2028} \"quoted\" \\ud800 ß";
        let json = serde_json::to_string(name).expect("a string");
        let text = inert(&json);
        for dangerous in ['<', '>', '&', '\u{2028}'] {
            assert!(!text.contains(dangerous), "{text}");
        }
        let read: String = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read, name);
    }
}
