//! Files that nobody would write, and some that somebody has: each costs itself an answer at most. Nothing
//! panics, overflows a stack or runs on, and the neighbours are collected.
#![cfg(feature = "ruff")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rpytest_collect::{CollectError, Collection, Collector, Completeness};

mod python;

fn write(dir: &Path, name: &str, source: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    fs::write(path, source).expect("a file");
}

/// A project with a neighbour on either side of what is to be tested.
fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "pytest.ini", "[pytest]\n");
    for name in ["a/test_before.py", "z/test_after.py"] {
        write(dir.path(), name, "def test_n(): pass\n");
    }
    dir
}

/// Collects, and makes the graph too. The neighbours are there.
#[track_caller]
fn collect(dir: &Path) -> Collection {
    let collector = Collector::new(dir);
    let collection = collector
        .collect()
        .expect("no file keeps it from an answer");
    for id in ["a/test_before.py::test_n", "z/test_after.py::test_n"] {
        let mut items = collection.exact_items();
        assert!(items.any(|item| item.id.as_str() == id), "{collection:?}");
    }
    collector.import_graph().expect("a graph");
    collection
}

/// The code of the first reason of a file, or how many items it has.
fn answer(collection: &Collection, name: &str) -> String {
    let file = collection.files.iter().find(|file| file.path == name);
    match file.map(|file| &file.completeness) {
        None => "none".to_owned(),
        Some(Completeness::Exact) => file.map_or(0, |file| file.items.len()).to_string(),
        Some(Completeness::Partial(reasons)) => reasons[0].code().to_owned(),
    }
}

#[track_caller]
fn check_bytes(source: impl AsRef<[u8]>, expected: &str) {
    let dir = project();
    write(dir.path(), "test_bad.py", source);
    assert_eq!(answer(&collect(dir.path()), "test_bad.py"), expected);
}

/// A project of several files, and what is to be said of `test_bad.py`.
#[track_caller]
fn check_files(files: &[(&str, &str)], expected: &str) {
    let dir = project();
    for (name, source) in files {
        write(dir.path(), name, source);
    }
    assert_eq!(answer(&collect(dir.path()), "test_bad.py"), expected);
}

/// Statements, and the values of a `parametrize` after them.
#[track_caller]
fn check_values(before: &str, values: &str, expected: &str) {
    let source = format!(
        "import pytest\n{before}\n@pytest.mark.parametrize('v', {values})\ndef test_v(v): pass\n"
    );
    check_files(&[("test_bad.py", &source)], expected);
}

#[test]
fn no_python() {
    check_bytes("def test_x(:\n", "syntax-error");
    check_bytes("def test_x(): pass\n\0", "syntax-error");
    check_bytes("", "0");
    check_bytes("\u{feff}", "0");
    check_bytes("# coding: no-such\ndef test_x(): pass\n", "encoding");
    check_bytes("# coding: ascii\n'é'\ndef test_x(): pass\n", "encoding");
    check_bytes(b"# coding: utf-8\n'\xff'\n", "syntax-error");
    check_bytes(b"\xef\xbb\xbf# coding: latin-1\n", "encoding");
    check_bytes(b"\xff\xfed\0e\0f\0", "syntax-error");
    check_bytes(b"\xfe\xff\0d\0e\0f", "syntax-error");
    check_bytes([0xff; 4096], "syntax-error");
}

#[test]
fn a_line_of_a_hundred_megabytes() {
    let dir = project();
    let file = fs::File::create(dir.path().join("test_bad.py")).expect("a file");
    file.set_len(100 << 20).expect("a sparse file");
    assert_eq!(answer(&collect(dir.path()), "test_bad.py"), "too-large");
}

#[test]
fn deep_expressions() {
    let n = 10_000;
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{1:", "}"),
        ("f(", ")"),
        ("x[", "]"),
    ] {
        let source = format!("x = {}1{}\n", open.repeat(n), close.repeat(n));
        check_bytes(source, "too-deep");
    }
    let chains = [
        format!("x{}", ".a".repeat(200_000)),
        format!("x{}", "()".repeat(100_000)),
        format!("x{}", "[0]".repeat(100_000)),
        format!("1{}", " + 1".repeat(100_000)),
        format!("1{}", "**1".repeat(100_000)),
        format!("{}1", "-".repeat(100_000)),
        format!("{}1", "~".repeat(100_000)),
        format!("{}1", "not ".repeat(100_000)),
        format!("{}1", "lambda: ".repeat(100_000)),
        format!("1{}", " if 1 else 1".repeat(100_000)),
        format!("1{}", " < 1".repeat(100_000)),
    ];
    for chain in chains {
        check_bytes(format!("x = {chain}\n"), "too-deep");
    }
    check_bytes(format!("x{}\n", " = x".repeat(100_000)), "too-deep");
    // Not deep: neither is a node within the other.
    check_bytes(format!("x = 1{}\n", " and 1".repeat(100_000)), "0");
    check_bytes(format!("x = 'a'{}\n", " 'a'".repeat(100_000)), "0");
    check_bytes(format!("x = [{}]\n", "1, ".repeat(100_000)), "0");
    // Each closes nothing, and opens one within the one before.
    check_bytes(format!("x = {}1", "f'{".repeat(100_000)), "too-deep");
    let quotes = format!("x = {}1{}\n", "f'{".repeat(50), "}'".repeat(50));
    let dir = project();
    write(dir.path(), "test_bad.py", quotes);
    collect(dir.path());
}

#[test]
fn deep_statements() {
    let ladder = |line: &str, depth: usize| -> String {
        let mut out: String = (0..depth)
            .map(|level| format!("{}{line}:\n", " ".repeat(level)))
            .collect();
        let _ = writeln!(out, "{}pass", " ".repeat(depth));
        out
    };
    for line in [
        "class A",
        "def f()",
        "if x",
        "for x in y",
        "with x",
        "while x",
        "match x",
    ] {
        let dir = project();
        write(dir.path(), "test_bad.py", ladder(line, 99));
        write(dir.path(), "test_worse.py", ladder(line, 3_000));
        let collection = collect(dir.path());
        assert_eq!(answer(&collection, "test_worse.py"), "too-deep");
    }
    let many = |head: &str, line: &str| format!("{head}{}", line.repeat(20_000));
    check_bytes(many("if x: pass\n", "elif x: pass\n"), "0");
    check_bytes(many("try: pass\n", "except A: pass\n"), "0");
    check_bytes(many("", "def test_x(): pass\n"), "1");
    check_bytes(
        many("", "@a\n") + "def test_x(): pass\n",
        "unknown-decorator",
    );
    check_bytes("if x:\n".repeat(100_000), "syntax-error");
}

#[cfg(unix)]
#[test]
fn files_that_are_none() {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    let dir = project();
    let at = dir.path();
    symlink(at, at.join("loop")).expect("a symlink");
    symlink("test_missing.py", at.join("test_broken.py")).expect("a symlink");
    symlink("test_self.py", at.join("test_self.py")).expect("a symlink");
    fs::create_dir(at.join("test_directory.py")).expect("a directory");
    write(at, "test_directory.py/test_in.py", "def test_i(): pass\n");
    let fifo = Command::new("mkfifo").arg(at.join("test_fifo.py")).status();
    assert!(fifo.expect("it starts").success());
    let name = std::ffi::OsStr::from_bytes(b"test_\xff.py");
    // Not every file system has such names.
    let has_bytes = fs::write(at.join(name), "def test_b(): pass\n").is_ok();
    write(at, "test_shut.py", "def test_s(): pass\n");
    write(at, "shut/test_shut.py", "def test_s(): pass\n");
    for name in ["test_shut.py", "shut"] {
        let mode = fs::Permissions::from_mode(0o0);
        fs::set_permissions(at.join(name), mode).expect("permissions");
    }
    let is_root = fs::read(at.join("test_shut.py")).is_ok();
    let collection = collect(at);
    fs::set_permissions(at.join("shut"), fs::Permissions::from_mode(0o700)).expect("permissions");

    assert_eq!(answer(&collection, "test_directory.py/test_in.py"), "1");
    for name in [
        "test_broken.py",
        "test_self.py",
        "test_fifo.py",
        "test_directory.py",
    ] {
        assert_eq!(answer(&collection, name), "none", "{name}");
    }
    if has_bytes {
        let file = collection
            .files
            .iter()
            .find(|file| file.path.contains('\u{fffd}'));
        assert_eq!(
            file.expect("the file").completeness.reasons()[0].code(),
            "unreadable"
        );
    }
    let about = |name: &str| collection.diagnostics.iter().any(|one| one.path == name);
    assert!(about("loop"), "{:?}", collection.diagnostics);
    if !is_root {
        assert_eq!(answer(&collection, "test_shut.py"), "unreadable");
        assert!(about("test_shut.py") && about("shut"));
    }
}

#[cfg(unix)]
#[test]
fn a_fifo_is_no_conftest_module_or_ini() {
    let dir = project();
    let at = dir.path();
    for name in ["conftest.py", "helper.py", "tox.ini"] {
        let made = std::process::Command::new("mkfifo")
            .arg(at.join(name))
            .status();
        assert!(made.expect("it starts").success());
    }
    write(
        at,
        "test_bad.py",
        "import helper\n@helper.mark\ndef test_x(): pass\n",
    );
    assert_eq!(answer(&collect(at), "test_bad.py"), "unknown-decorator");
}

#[test]
fn a_configuration_that_is_none() {
    for (name, text) in [
        ("pytest.ini", "[pytest\naddopts = -q\n"),
        ("pytest.ini", "no section\n"),
        ("pyproject.toml", "[tool.pytest.ini_options\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = \n"),
        ("pytest.toml", "[pytest]\nx = [[[\n"),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(dir.path(), name, text);
        write(dir.path(), "test_x.py", "def test_x(): pass\n");
        let error = Collector::new(dir.path()).collect().expect_err(name);
        assert!(!matches!(error, CollectError::NotFound { .. }), "{error}");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let deep = format!("[tool.pytest.ini_options]\nx = {}\n", "[".repeat(100_000));
    write(dir.path(), "pyproject.toml", deep);
    Collector::new(dir.path())
        .collect()
        .expect_err("it is no TOML");
}

#[test]
fn names_in_a_circle() {
    let test =
        "import pytest\nfrom m0 import X\n@pytest.mark.parametrize('v', X)\ndef test_v(v): pass\n";
    let ring = |count: usize, line: &dyn Fn(usize) -> String| -> Vec<(String, String)> {
        let mut files: Vec<(String, String)> = (0..count)
            .map(|at| (format!("m{at}.py"), line(at)))
            .collect();
        files.push(("test_bad.py".to_owned(), test.to_owned()));
        files
    };
    let check = |files: Vec<(String, String)>| {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        check_files(&files, "dynamic-parametrize");
    };
    check(ring(1, &|_| "from m0 import *\n".to_owned()));
    check(ring(1, &|_| "from m0 import X\n".to_owned()));
    check(ring(3, &|at| format!("from m{} import X\n", (at + 1) % 3)));
    check(ring(3, &|at| format!("from m{} import *\n", (at + 1) % 3)));
    // Every module has a star of every other: as many ways as there are words of their names.
    check(ring(12, &|_| {
        (0..12)
            .map(|other| format!("from m{other} import *\n"))
            .collect()
    }));
    // Each name is bound a hundred times, each time to the next one.
    check(ring(12, &|at| {
        let line = match at {
            11 => "import os.path as X\n".to_owned(),
            _ => format!("from m{} import X\n", at + 1),
        };
        line.repeat(100)
    }));
    check_values("X = X", "X", "dynamic-parametrize");
    check_values("A = B\nB = A", "A", "dynamic-parametrize");
    check_values("X = [X]", "X", "1");
    check_values("class A(A): pass", "[A()]", "dynamic-parametrize");
    check_values(
        "class A(B): pass\nclass B(A): pass",
        "[A(), B()]",
        "dynamic-parametrize",
    );
    check_files(
        &[(
            "test_bad.py",
            "class TestA(TestA):\n    def test_x(self): pass\n",
        )],
        "unresolved-base",
    );
    check_files(
        &[(
            "test_bad.py",
            "class TestA(TestB):\n    def test_x(self): pass\nclass TestB(TestA): pass\n",
        )],
        "unresolved-base",
    );
}

#[test]
fn expressions_that_grow() {
    check_values("def f(x): return f(x)", "f(1)", "dynamic-parametrize");
    check_values(
        "def f(x): return f(x) + f(x)",
        "f(1)",
        "dynamic-parametrize",
    );
    check_values("f = lambda x: f(x)", "[f(1)]", "dynamic-parametrize");
    check_values("", "[0] * 10**9", "dynamic-parametrize");
    check_values("", "[0] * 10**40", "dynamic-parametrize");
    check_values("", "range(10**18)", "dynamic-parametrize");
    check_values(
        "",
        "[x for x in range(10**6) for y in range(10**6)]",
        "dynamic-parametrize",
    );
    let product = "[1 for a in R for b in R if b < 0]";
    check_values("R = range(100_000)", product, "dynamic-parametrize");
    check_values(
        "R = range(100_000)",
        "[len(R) for a in R][:1]",
        "dynamic-parametrize",
    );
    check_values(
        "R = range(100_000)",
        "[sorted(R) for a in R][:1]",
        "dynamic-parametrize",
    );
    check_values(
        "R = list(range(100_000))",
        "[R[1:] for a in R][:1]",
        "dynamic-parametrize",
    );
    check_values(
        "R = range(100_000)",
        "[-1 in R for a in R][:1]",
        "dynamic-parametrize",
    );
    check_values(
        "S = 'a' * 100_000",
        "[S.upper() for a in S][:1]",
        "dynamic-parametrize",
    );
    for value in [
        "10 ** 10 ** 10",
        "1 << 10**9",
        "-(-170141183460469231731687303715884105727 - 1)",
        "'a' * 10**9",
        "'%1000000000d' % 1",
        "'%.1000000000f' % 1",
        "f'{1:1000000000}'",
        "'{:1000000000}'.format(1)",
        "('a' * 100_000).replace('a', 'a' * 100_000)",
        "('a' * 100_000).join(['b'] * 100_000)",
        "('a' * 100_000).split('a')",
    ] {
        check_values("", &format!("[len({value})]"), "dynamic-parametrize");
    }
    let keys: String = (0..50_000).map(|key| format!("{key}: 0, ")).collect();
    check_values("", &format!("{{{keys}}}"), "dynamic-parametrize");
    // Doubled at each step.
    for (first, step) in [
        ("'a'", "X + X"),
        ("[1]", "X + X"),
        ("(1,)", "X + X"),
        ("'a'", "f'{X}{X}'"),
        ("'a'", "'%s%s' % (X, X)"),
        ("'a'", "'{0}{0}'.format(X)"),
        ("'a'", "''.join([X, X])"),
        ("'a'", "X.replace('a', 'aa')"),
        ("[1]", "[*X, *X]"),
        ("[1]", "[X, X]"),
    ] {
        let mut text = format!("X0 = {first}\n");
        for at in 0..39 {
            let step = step.replace('X', &format!("X{at}"));
            let _ = writeln!(text, "X{} = {step}", at + 1);
        }
        let dir = project();
        let source = format!(
            "import pytest\n{text}@pytest.mark.parametrize('v', [str(X39), X39 == X39, *X39])\ndef test_v(v): pass\n"
        );
        write(dir.path(), "test_bad.py", source);
        assert_eq!(
            answer(&collect(dir.path()), "test_bad.py"),
            "dynamic-parametrize"
        );
    }
}

/// Each name adds the depth of its expression to that of the one before.
#[test]
fn depth_across_names() {
    for (open, close) in [
        ("", " + 1".repeat(2_900)),
        ("-", String::new()),
        ("not ", String::new()),
    ] {
        let open = open.repeat(2_900);
        let mut text = String::from("X0 = 1\n");
        for at in 0..39 {
            let _ = writeln!(text, "X{} = {open}X{at}{close}", at + 1);
        }
        let dir = project();
        let source = format!(
            "import pytest\n{text}@pytest.mark.parametrize('v', [X39])\ndef test_v(v): pass\n"
        );
        write(dir.path(), "test_bad.py", source);
        collect(dir.path());
    }
}

#[test]
fn conftests_and_fixtures() {
    let dir = project();
    let mut path = String::from("d");
    for level in 0..200 {
        let source = format!(
            "import pytest\n@pytest.fixture\ndef f(f): return f\n@pytest.fixture\ndef f{level}(f): pass\n"
        );
        write(dir.path(), &format!("{path}/conftest.py"), source);
        path += "/d";
    }
    write(
        dir.path(),
        &format!("{path}/test_deep.py"),
        "def test_d(f, f0, f199): pass\n",
    );
    let collection = collect(dir.path());
    assert_eq!(collection.conftests.len(), 200);
    assert_eq!(answer(&collection, &format!("{path}/test_deep.py")), "1");

    let fixtures = |lines: &str| format!("import pytest\n{lines}\n");
    check_files(
        &[(
            "test_bad.py",
            &fixtures("@pytest.fixture\ndef f(f): pass\ndef test_x(f): pass"),
        )],
        "1",
    );
    check_files(
        &[(
            "test_bad.py",
            &fixtures(
                "@pytest.fixture\ndef f(g): pass\n@pytest.fixture\ndef g(f): pass\ndef test_x(f): pass",
            ),
        )],
        "1",
    );
    // Every fixture asks for all of them.
    let names: Vec<String> = (0..300).map(|at| format!("f{at}")).collect();
    let all: String = names
        .iter()
        .map(|name| format!("@pytest.fixture\ndef {name}({}): pass\n", names.join(", ")))
        .collect();
    check_files(
        &[(
            "test_bad.py",
            &fixtures(&format!("{all}def test_x(f0): pass")),
        )],
        "1",
    );
}

/// The sources of the standard library, each with a few bytes changed: a file that parses after all goes
/// through every rule.
#[test]
fn mutated_sources() {
    let found = std::process::Command::new(python::test_python())
        .args([
            "-c",
            "import os; print(os.path.dirname(os.__file__), end='')",
        ])
        .output()
        .expect("it starts");
    let library = std::env::var_os("RPYTEST_MUTATE")
        .unwrap_or_else(|| String::from_utf8(found.stdout).expect("a path").into());
    let seconds = std::env::var("RPYTEST_MUTATE_SECONDS")
        .map_or(15, |text| text.parse::<u64>().expect("a number of seconds"));
    let mut files = Vec::new();
    let mut dirs = vec![std::path::PathBuf::from(library)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let kind = entry.file_type().expect("a type");
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if entry.path().extension().is_some_and(|end| end == "py") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    assert!(files.len() > 100, "{}", files.len());
    let start = std::time::Instant::now();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut collected = 0;
    let mut items = 0;
    while start.elapsed().as_secs() < seconds {
        let dir = project();
        let mut batch = 0;
        let mut conftest = Vec::new();
        for at in 0..50 {
            let path = &files[random.below(files.len())];
            let mut bytes = fs::read(path).expect("a source");
            if bytes.is_empty() || bytes.len() > 1 << 20 {
                continue;
            }
            random.mutate(&mut bytes);
            write(dir.path(), &format!("m/test_{at}.py"), &bytes);
            batch += 1;
            conftest = bytes;
        }
        let collection = collect(dir.path());
        assert_eq!(collection.files.len(), batch + 2);
        write(dir.path(), "m/conftest.py", conftest);
        let others = Collector::new(dir.path()).collect().expect("an answer");
        assert!(!others.files.is_empty());
        for file in &collection.files {
            assert!(
                !file
                    .completeness
                    .reasons()
                    .iter()
                    .any(|one| one.code() == "parser-failed")
            );
            items += file.items.len();
        }
        collected += batch;
    }
    println!("{collected} files, {items} items");
    assert!(collected > 0);
}

/// Xorshift: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below the bound")
    }

    /// Changes, doubles or takes out a few bytes or lines.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const TOKENS: &[&[u8]] = &[
            b"(",
            b")",
            b"[",
            b"'",
            b"\"\"\"",
            b"\n",
            b"    ",
            b"*",
            b"=",
            b"@",
            b":",
            b"lambda: ",
            b"not ",
            b"f'{",
            b"test_",
            b"Test",
            b"import *",
            b"\\",
            b"\xff",
            b"\r",
            b"0",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(20)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                2 => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(at..at, token.iter().copied());
                }
                _ => bytes[at] = u8::try_from(self.below(256)).expect("a byte"),
            }
            if bytes.is_empty() {
                return;
            }
        }
    }
}
