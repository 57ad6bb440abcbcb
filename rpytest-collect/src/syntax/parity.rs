//! What a parser backend makes of real files: held against the other backend, and against CPython's `ast`.
//!
//! The files are rpytest's own Python side and a sample of the standard library, tests included. With
//! `RPYTEST_SYNTAX_TEST_DIRS`, as a search path, they are all files below its directories instead.

mod cpython;
mod files;

use super::{STACK_BYTES, SyntaxProblem, nesting, source};

/// On a stack as parsers get it. None of a file that no parser is given.
fn on_parser_stack<T: Send + 'static>(
    bytes: Vec<u8>,
    parse: impl FnOnce(&str) -> T + Send + 'static,
) -> Option<T> {
    let parse = move || {
        let source = source::decode(&bytes).ok()?;
        nesting::check(&source).ok()?;
        Some(parse(&source))
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(parse).expect("a thread");
    thread.join().expect("parsers do not panic here")
}

#[cfg(all(feature = "ruff", feature = "rustpython"))]
#[test]
fn both_parsers_make_the_same_of_real_files() {
    use super::{ruff, rustpython};

    let (mut same, mut ruff_only, mut rustpython_only, mut neither) = (0, 0, 0, 0);
    let mut different = Vec::new();
    for (path, bytes) in files::sample() {
        let both = on_parser_stack(bytes, |source| {
            (ruff::parse(source), rustpython::parse(source))
        });
        match both {
            None => {}
            Some((Ok(one), Ok(other))) if one == other => same += 1,
            Some((Ok(one), Ok(other))) => {
                different.push(format!("{}\n{}", path.display(), difference(&one, &other)));
            }
            Some((Ok(_), Err(problem))) => {
                let expected = matches!(problem, SyntaxProblem::Unsupported { .. });
                assert!(expected, "{}: {problem:?}", path.display());
                ruff_only += 1;
            }
            Some((Err(_), Ok(_))) => rustpython_only += 1,
            Some((Err(_), Err(_))) => neither += 1,
        }
    }
    println!(
        "{same} files are the same by both parsers, {} are not; {ruff_only} are parsed by ruff alone, \
         {rustpython_only} by rustpython alone, {neither} by neither",
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
    let parsed = same + ruff_only + rustpython_only;
    assert!(same * 10 > parsed * 9, "{same} of {parsed} were compared");
}

#[cfg(all(feature = "ruff", feature = "rustpython"))]
#[test]
fn both_parsers_make_the_same_of_what_is_unusual() {
    let source = include_str!("parity/unusual.py");
    for line_end in ["\n", "\r\n", "\r"] {
        let bytes = source.replace('\n', line_end).into_bytes();
        let (one, other) = on_parser_stack(bytes, |source| {
            (super::ruff::parse(source), super::rustpython::parse(source))
        })
        .expect("it is given to them");
        let (one, other) = (one.expect("it is Python"), other.expect("it is known"));
        assert!(one == other, "{}", difference(&one, &other));
        let hook = |summary: &super::ModuleSummary| format!("{summary:?}").matches("Guard").count();
        assert_eq!(hook(&one), 2, "the file has what it is there for");
    }
}

/// The first line in which two summaries differ.
#[cfg(all(feature = "ruff", feature = "rustpython"))]
fn difference(one: &super::ModuleSummary, other: &super::ModuleSummary) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let mut before = Vec::new();
    for (one, other) in one.lines().zip(other.lines()) {
        if one != other {
            let context = before[before.len().saturating_sub(12)..].join("\n");
            return format!("{context}\n- {one}\n+ {other}");
        }
        before.push(one);
    }
    "one is longer".to_owned()
}

#[test]
fn what_nests_as_deeply_as_is_let_through_overflows_no_stack() {
    // Each link counts for so many.
    let chain = |weight: usize, before: &str, link: &str, after: &str| {
        let links = 2_900 / weight;
        format!("x = {before}{}{after}\n", link.repeat(links))
    };
    let ladder: String = (0..299)
        .map(|depth| format!("{}if x:\n", "    ".repeat(depth)))
        .collect();
    let sources = [
        chain(1, "a", ".b", ""),
        chain(1, "a", "(1, 2)", ""),
        chain(1, "a", "[1, *b]", ""),
        chain(1, "a", " - b", ""),
        chain(2, "a", " ** b", ""),
        chain(1, "", "-", "1"),
        chain(1, "", "not ", "1"),
        chain(1, "", "a if b else ", "1"),
        chain(2, "", "lambda a, b: ", "1"),
        format!("x = {}1{}\n", "(".repeat(299), ")".repeat(299)),
        format!("x = {}1{}\n", "[f(".repeat(149), ")]".repeat(149)),
        format!("{ladder}{}pass\n", "    ".repeat(299)),
        format!("if x: pass\n{}", "elif x: pass\n".repeat(1_999)),
    ];
    for source in sources {
        let start = source[..40].to_owned();
        let parsed = on_parser_stack(source.into_bytes(), |source| {
            #[cfg(all(feature = "ruff", feature = "rustpython"))]
            assert!(super::rustpython::parse(source).is_ok(), "{source:.40}");
            super::parse(source).is_ok()
        });
        assert_eq!(parsed, Some(true), "{start}");
    }
}

#[test]
fn definitions_are_those_of_the_interpreter() {
    let files = files::sample();
    let paths: Vec<_> = files.iter().map(|(path, _)| path.clone()).collect();
    let expected = cpython::definitions(&paths);
    let (mut same, mut unsupported, mut invalid) = (0, 0, 0);
    let mut different = Vec::new();
    for ((path, bytes), expected) in files.into_iter().zip(expected) {
        let parsed = on_parser_stack(bytes, super::parse);
        match (parsed, expected) {
            (Some(Ok(summary)), Some(expected)) => {
                let found = cpython::definitions_of(&summary);
                if found == expected {
                    same += 1;
                } else {
                    let at = found.iter().zip(&expected).take_while(|(a, b)| a == b);
                    let at = at.count();
                    let pair = (found.get(at), expected.get(at));
                    different.push(format!("{}: {pair:?}", path.display()));
                }
            }
            (Some(Err(SyntaxProblem::Unsupported { .. })) | None, Some(_)) => unsupported += 1,
            (Some(Err(problem)), Some(_)) => {
                different.push(format!("{}: {problem:?}", path.display()));
            }
            (_, None) => invalid += 1,
        }
    }
    println!(
        "{same} files have the definitions that CPython sees, {} have others; {unsupported} are not parsed \
         natively, {invalid} are not Python",
        different.len()
    );
    assert!(different.is_empty(), "{}", different.join("\n"));
    let valid = same + unsupported;
    assert!(same * 10 > valid * 9, "{same} of {valid} were compared");
}
