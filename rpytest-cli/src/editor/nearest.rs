//! The test that a line belongs to.

use serde_json::{Value, json};

/// Of the tests and classes of a document's tree the one that begins at the line, or last before it. A function with parameters
/// stands for all of its tests.
pub(super) fn nearest(document: &Value, line: u32) -> Option<Value> {
    let mut best: Option<(u64, &Value)> = None;
    look(&document["tree"], u64::from(line), 0, &mut best);
    let (_, node) = best?;
    let tests = tests_below(node);
    Some(json!({
        "kind": node["kind"], "id": node["id"], "name": node["name"], "line": node["line"], "tests": tests,
    }))
}

fn look<'a>(node: &'a Value, line: u64, least: u64, best: &mut Option<(u64, &'a Value)>) {
    let mut least = least;
    // The lines of another file say nothing of this one; what is below may be here all the same.
    let begins = node["line"].as_u64();
    if let Some(begins) = begins.filter(|_| node["elsewhere"] != true) {
        // One that is above its class is inherited, and has its place elsewhere.
        if begins < least {
            return;
        }
        if node["kind"] == "class" {
            least = begins;
        }
        if begins <= line && best.as_ref().is_none_or(|(other, _)| *other < begins) {
            *best = Some((begins, node));
        }
    }
    for child in node["children"].as_array().into_iter().flatten() {
        look(child, line, least, best);
    }
}

fn tests_below(node: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    if node["kind"] == "test" {
        found.push(&node["id"]);
    }
    for child in node["children"].as_array().into_iter().flatten() {
        found.extend(tests_below(child));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_begins_before_a_line_is_nearest() {
        let test = |id: &str, line: u32| json!({"kind": "test", "id": id, "line": line});
        let class = |id: &str, line: u32, children: Value| json!({"kind": "class", "id": id, "line": line, "children": children});
        let function = json!({"kind": "function", "id": "p", "line": 20, "children": [test("p[1]", 20), test("p[2]", 20)]});
        let document = json!({"tree": {"kind": "file", "children": [
            test("a", 3),
            class("A", 6, json!([test("A::b", 7), test("A::c", 10)])),
            class("Heir", 15, json!([test("Heir::b", 7), test("Heir::d", 16)])),
            function,
            class("Late", 30, json!([
                json!({"kind": "test", "id": "Late::far", "line": 32, "elsewhere": true}), test("Late::near", 31),
            ])),
            json!({"kind": "class", "id": "Far", "line": 33, "elsewhere": true, "children": [
                json!({"kind": "test", "id": "Far::far", "line": 34, "elsewhere": true}),
            ]}),
        ]}});
        for (line, id) in [
            (2, None),
            (3, Some("a")),
            (5, Some("a")),
            (6, Some("A")),
            (8, Some("A::b")),
            (12, Some("A::c")),
            (15, Some("Heir")),
            (17, Some("Heir::d")),
            (29, Some("p")),
            (30, Some("Late")),
            (99, Some("Late::near")),
        ] {
            let found = nearest(&document, line);
            assert_eq!(
                found.as_ref().and_then(|found| found["id"].as_str()),
                id,
                "{line}"
            );
        }
        let found = nearest(&document, 21).expect("one");
        assert_eq!(found["tests"], json!(["p[1]", "p[2]"]));
    }
}
