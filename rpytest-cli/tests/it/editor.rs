//! `--editor-server`, driven over pipes as an editor drives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::python::main_venv;
use crate::support::run::{LIMIT, eventually, processes_of};
use crate::support::{Command, Project};

const SUITE: &str = r#"
--- pytest.ini
[pytest]
testpaths = tests
--- tests/test_a.py
import pytest

def test_passes():
    pass

def test_fails():
    shelf = ["emma"]
    assert shelf == ["dune"], "no such book"

class TestShelf:
    @pytest.mark.parametrize("book", ["emma", "x::y"])
    def test_book(self, book):
        pass

    @pytest.mark.skip(reason="not today")
    def test_later(self):
        pass
--- tests/test_waits.py
import os
import time

def test_waits():
    open("waits", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.02)
"#;

/// What its file defines itself stands above line 20; what it has from another file has lines between that and 20 there.
const HEIRS: &str = r#"
--- sub/pytest.ini
[pytest]
--- sub/base.py
# A few lines,
# so that
# what
# follows
# has
# later
# ones.
class Far:
    def test_far(self):
        pass

class TestFar:
    def test_imported(self):
        pass
--- sub/test_m.py
from base import Far, TestFar

class TestNear(Far):
    def test_near(self):
        pass
--- sub/test_made.py
import os
import pytest
from base import Far, TestFar

class TestNear(Far):
    @pytest.mark.parametrize("name", sorted(os.environ.get("NAMES", "q,r").split(",")))
    def test_near(self, name):
        pass
"#;

/// An editor, and its server.
struct Editor {
    server: Child,
    says: Option<ChildStdin>,
    hears: Receiver<Value>,
    /// What came while something else was waited for.
    heard: Vec<Value>,
    next: u64,
}

impl Editor {
    fn new(project: &Project) -> Self {
        let mut server = Command::rpytest(main_venv(), project)
            .args(["--editor-server"])
            .piped();
        let says = server.stdin.take();
        let out = server.stdout.take().expect("a pipe");
        let (tell, hears) = channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut header = String::new();
                if out.read_line(&mut header).unwrap_or(0) == 0 {
                    return;
                }
                let length = header.trim_end().strip_prefix("Content-Length: ");
                let length: usize = length
                    .and_then(|length| length.parse().ok())
                    .expect("a length");
                let mut body = vec![0; length + 2];
                out.read_exact(&mut body).expect("a body");
                let message = serde_json::from_slice(&body[2..]).expect("JSON");
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            server,
            says,
            hears,
            heard: Vec::new(),
            next: 1,
        }
    }

    fn initialized(project: &Project) -> Self {
        let mut editor = Self::new(project);
        let result = editor.ask("initialize", json!({})).expect("it is");
        assert_eq!(result["protocol"], 1);
        editor
    }

    fn write(&mut self, bytes: &[u8]) {
        let says = self.says.as_mut().expect("it is open");
        says.write_all(bytes).expect("the server reads");
        says.flush().expect("the server reads");
    }

    fn say(&mut self, message: &Value) {
        let body = message.to_string();
        self.write(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Sends a request, and returns its id.
    fn send(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next;
        self.next += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.say(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Waits for a message.
    fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.heard.iter().position(&fits) {
            return self.heard.remove(at);
        }
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.hears.recv_timeout(left);
            let message = message.unwrap_or_else(|_| panic!("{what}: never; {:#?}", self.heard));
            if fits(&message) {
                return message;
            }
            self.heard.push(message);
        }
    }

    /// The result, or the code of the error.
    fn answer(&mut self, id: u64) -> Result<Value, i64> {
        let answer = self.until("an answer", |message| message["id"] == id);
        match answer.get("error") {
            Some(error) => Err(error["code"].as_i64().expect("a code")),
            None => Ok(answer["result"].clone()),
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, i64> {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Its exit code, when it has ended.
    fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT / 4;
        loop {
            if let Some(status) = self.server.try_wait().expect("it is ours") {
                return status.code().expect("it exits");
            }
            assert!(Instant::now() < deadline, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Node ids below a node.
fn tests(node: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if node["kind"] == "test" {
        found.extend(node["id"].as_str().map(str::to_owned));
    }
    for child in node["children"].as_array().into_iter().flatten() {
        found.extend(tests(child));
    }
    found
}

#[test]
fn it_lists_the_tests_of_a_file_and_finds_the_nearest() {
    let project = Project::new(SUITE);
    let mut editor = Editor::initialized(&project);
    let file = project.root().join("tests/test_a.py");
    for file in [
        "tests/test_a.py".to_owned(),
        format!("file://{}", file.display()),
    ] {
        let listed = editor
            .ask("listTestsInFile", json!({"file": file}))
            .expect("a list");
        let expected = [
            "tests/test_a.py::test_passes",
            "tests/test_a.py::test_fails",
            "tests/test_a.py::TestShelf::test_book[emma]",
            "tests/test_a.py::TestShelf::test_book[x::y]",
            "tests/test_a.py::TestShelf::test_later",
        ];
        assert_eq!(tests(&listed["tree"]), expected);
    }
    for (line, id, count) in [
        (4, "tests/test_a.py::test_passes", 1),
        (10, "tests/test_a.py::TestShelf", 3),
        (13, "tests/test_a.py::TestShelf::test_book", 2),
    ] {
        let params = json!({"file": "tests/test_a.py", "line": line});
        let found = editor.ask("getNearestTest", params).expect("an answer");
        assert_eq!(found["test"]["id"], id);
        assert_eq!(found["test"]["tests"].as_array().map(Vec::len), Some(count));
    }
    let params = json!({"file": "tests/test_a.py", "line": 1});
    let found = editor.ask("getNearestTest", params).expect("an answer");
    assert_eq!(found["test"], Value::Null);

    // Text that was not saved, right and wrong.
    let text = "def test_typed():\n    pass\n";
    let params = json!({"file": "tests/test_a.py", "text": text, "line": 2});
    let found = editor
        .ask("getNearestTest", params.clone())
        .expect("an answer");
    assert_eq!(found["test"]["id"], "tests/test_a.py::test_typed");
    let listed = editor.ask("listTestsInFile", params).expect("a list");
    assert_eq!(tests(&listed["tree"]), ["tests/test_a.py::test_typed"]);
    let params = json!({"file": "tests/test_a.py", "text": "x = 1\ndef test_typed(:\n"});
    let listed = editor.ask("listTestsInFile", params).expect("a list");
    assert_eq!(listed["errors"][0]["line"], 2, "{listed}");
    assert_eq!(tests(&listed["tree"]), Vec::<String>::new());

    assert_eq!(editor.ask("shutdown", json!({})), Ok(Value::Null));
    assert_eq!(editor.ask("getTestStatus", json!({})), Err(-32600));
    editor.notify("exit", json!({}));
    assert_eq!(editor.ended(), 0);
}

#[test]
fn what_is_malformed_is_answered_and_harms_nobody() {
    let project = Project::new(SUITE);
    let mut editor = Editor::new(&project);
    assert_eq!(
        editor.ask("listTestsInFile", json!({"file": "tests/test_a.py"})),
        Err(-32002)
    );
    for (bytes, code) in [
        ("nonsense\r\n\r\n", -32700),
        ("Content-Length: 3\r\n\r\n{{{", -32700),
        ("Content-Length: many\r\n\r\n", -32700),
        ("Content-Length: 2\r\n\r\n[]", -32600),
        ("Content-Length: 4\r\n\r\nnull", -32600),
    ] {
        editor.write(bytes.as_bytes());
        let answer = editor.until("an answer", |message| {
            message["id"].is_null() && message["method"].is_null()
        });
        assert_eq!(answer["error"]["code"], code, "{bytes}: {answer}");
    }
    editor.notify("no/such/notification", json!({}));
    editor.ask("initialize", json!({})).expect("it is");
    assert_eq!(editor.ask("initialize", json!({})), Err(-32600));
    for (method, params, code) in [
        ("no/such/method", json!({}), -32601),
        ("listTestsInFile", json!({}), -32602),
        ("listTestsInFile", json!({"file": 3}), -32602),
        ("listTestsInFile", json!({"file": "tests/none.py"}), -32602),
        ("getNearestTest", json!({"file": "tests/test_a.py"}), -32602),
        (
            "getNearestTest",
            json!({"file": "tests/test_a.py", "line": 0}),
            -32602,
        ),
        ("runTest", json!({"id": []}), -32602),
        (
            "runTest",
            json!({"id": "tests/test_a.py::test_of_no_name"}),
            -32803,
        ),
        (
            "runNearestTest",
            json!({"file": "tests/test_a.py", "line": 1}),
            -32803,
        ),
    ] {
        assert_eq!(
            editor.ask(method, params.clone()),
            Err(code),
            "{method} {params}"
        );
    }
    let listed = editor.ask("listTestsInFile", json!({"file": "tests/test_a.py"}));
    assert!(listed.is_ok());
    editor.notify("exit", json!({}));
    assert_eq!(editor.ended(), 1, "without shutdown");
}

#[test]
fn it_runs_tests_and_tells_of_each() {
    let project = Project::new(SUITE);
    let mut editor = Editor::initialized(&project);
    let id = editor.send(
        "runTestsInFile",
        json!({"file": "tests/test_a.py", "arguments": ["-q"]}),
    );
    let result = editor.answer(id).expect("a result");
    assert_eq!(
        (result["exit"].as_i64(), result["cancelled"].as_bool()),
        (Some(1), Some(false))
    );
    assert_eq!(
        result["counts"],
        json!({"failed": 1, "passed": 3, "skipped": 1})
    );
    let started = editor.until("the begin", |message| message["method"] == "run/started");
    assert_eq!(started["params"]["request"], id);
    let finished: Vec<_> = editor
        .heard
        .iter()
        .filter(|message| message["method"] == "test/finished")
        .collect();
    assert_eq!(finished.len(), 5);
    for outcome in ["passed", "failed", "skipped"] {
        assert!(
            finished
                .iter()
                .any(|message| message["params"]["outcome"] == outcome)
        );
    }
    let failed = finished
        .iter()
        .find(|message| message["params"]["outcome"] == "failed");
    let failed = &failed.expect("one")["params"];
    assert_eq!(failed["id"], "tests/test_a.py::test_fails");
    assert_eq!(failed["line"], 6);
    assert_eq!(failed["failure"]["line"], 8);
    assert!(
        failed["message"]
            .as_str()
            .is_some_and(|text| text.contains("no such book"))
    );
    assert!(
        failed["text"]
            .as_str()
            .is_some_and(|text| text.contains("assert shelf =="))
    );
    // Each has begun before it ended, and all that is told comes before the answer.
    for end in &finished {
        let id = &end["params"]["id"];
        let place = |method: &str| {
            editor
                .heard
                .iter()
                .position(|message| message["method"] == method && message["params"]["id"] == *id)
        };
        assert!(place("test/started") < place("test/finished"), "{id}");
        assert!(place("test/started").is_some());
    }
    let output: String = (editor.heard.iter())
        .filter(|message| message["method"] == "run/output")
        .filter_map(|message| message["params"]["text"].as_str())
        .collect();
    assert!(output.contains("1 failed, 3 passed, 1 skipped"), "{output}");

    let status = editor.ask(
        "getTestStatus",
        json!({"id": "tests/test_a.py::test_fails"}),
    );
    let status = status.expect("a status");
    assert_eq!(
        status["tests"]["tests/test_a.py::test_fails"]["outcome"],
        "failed"
    );
    let status = editor.ask("getTestStatus", json!({"id": "tests/test_a.py::TestShelf"}));
    assert_eq!(
        status.expect("a status")["tests"]
            .as_object()
            .map(serde_json::Map::len),
        Some(3)
    );

    // By ids, and by a place.
    let ids = json!({"id": ["tests/test_a.py::test_passes", "tests/test_a.py::TestShelf::test_book[x::y]"]});
    let result = editor.ask("runTest", ids).expect("a result");
    assert_eq!(result["counts"], json!({"passed": 2}));
    let result = editor.ask(
        "runNearestTest",
        json!({"file": "tests/test_a.py", "line": 13}),
    );
    assert_eq!(result.expect("a result")["counts"], json!({"passed": 2}));
}

#[test]
fn ids_are_below_the_root_of_their_file_and_lines_are_of_that_file() {
    let project = Project::new(HEIRS);
    let mut editor = Editor::initialized(&project);
    for (file, passed) in [("test_m.py", 1), ("test_made.py", 2)] {
        let path = format!("sub/{file}");
        let params = json!({"file": path, "line": 20});
        let found = editor.ask("getNearestTest", params.clone());
        let id = format!("{file}::TestNear::test_near");
        assert_eq!(found.expect("an answer")["test"]["id"], id.as_str());
        for (method, params) in [("runNearestTest", params), ("runTest", json!({"id": id}))] {
            let result = editor.ask(method, params).expect("a result");
            assert_eq!(result["counts"], json!({"passed": passed}), "{method}");
        }
    }
    // With options for this run alone.
    let params = json!({"file": "sub/test_made.py", "line": 20, "arguments": ["-k", "q"]});
    let result = editor.ask("runNearestTest", params).expect("a result");
    assert_eq!(result["counts"], json!({"deselected": 1, "passed": 1}));
}

#[test]
fn a_path_among_the_options_is_refused() {
    let project = Project::new(SUITE);
    let run = Command::rpytest(main_venv(), &project)
        .args(["--editor-server", "-k", "test_a", "tests"])
        .run();
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.stderr.contains("takes options, and tests is none"),
        "{run}"
    );
}

#[test]
fn no_run_outlives_a_server_that_is_killed() {
    let project = Project::new(SUITE);
    let mut editor = Editor::initialized(&project);
    editor.send("runTestsInFile", json!({"file": "tests/test_waits.py"}));
    editor.until("the test", |message| message["method"] == "test/started");
    editor.server.kill().expect("it runs");
    editor.server.wait().expect("it is ours");
    eventually("its children have ended", || {
        processes_of(&project).is_empty()
    });
}

#[test]
fn an_editor_that_does_not_read_keeps_no_server_from_ending() {
    let project = Project::new(
        "--- test_a.py\nimport os, select, time\n\ndef test_writes():\n    \
         # Until nobody has taken anything for a while.\n    \
         while select.select([], [2], [], 2)[1]:\n        os.write(2, b'x' * 4096)\n    \
         open('stuck', 'w').close()\n    time.sleep(100)\n",
    );
    for by_signal in [true, false] {
        let mut server = Command::rpytest(main_venv(), &project)
            .args(["--editor-server"])
            .piped();
        let mut says = server.stdin.take().expect("a pipe");
        for message in [
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "runTest",
                "params": {"id": "test_a.py::test_writes", "arguments": ["-s"]}}),
        ] {
            let body = message.to_string();
            write!(says, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it reads");
        }
        let stuck = project.root().join("stuck");
        eventually("the server waits", || stuck.exists());
        std::fs::remove_file(&stuck).expect("it is there");
        if by_signal {
            kill_process(Pid::from_child(&server), Signal::TERM).expect("it runs");
        } else {
            drop(says);
        }
        eventually("the server has ended", || processes_of(&project).is_empty());
        server.wait().expect("it is ours");
    }
}

#[test]
fn a_run_keeps_nobody_waiting_and_is_cancelled() {
    let project = Project::new(SUITE);
    let mut editor = Editor::initialized(&project);
    let id = editor.send("runTestsInFile", json!({"file": "tests/test_waits.py"}));
    editor.until("the test", |message| message["method"] == "test/started");
    let status = editor.ask(
        "getTestStatus",
        json!({"id": "tests/test_waits.py::test_waits"}),
    );
    let status = status.expect("a status");
    assert_eq!(
        status["tests"]["tests/test_waits.py::test_waits"]["outcome"],
        "running"
    );
    // Others are served meanwhile, a second run among them.
    let listed = editor
        .ask("listTestsInFile", json!({"file": "tests/test_a.py"}))
        .expect("a list");
    assert_eq!(listed["tests"], 5);
    let result = editor.ask("runTest", json!({"id": "tests/test_a.py::test_passes"}));
    assert_eq!(result.expect("a result")["exit"], 0);
    editor.notify("$/cancelRequest", json!({"id": id}));
    assert_eq!(editor.answer(id), Err(-32800));
    let status = editor.ask(
        "getTestStatus",
        json!({"id": "tests/test_waits.py::test_waits"}),
    );
    let status = status.expect("a status");
    assert_eq!(
        status["tests"]["tests/test_waits.py::test_waits"]["outcome"],
        "not ended"
    );

    // An editor that goes away takes its runs along.
    editor.send("runTestsInFile", json!({"file": "tests/test_waits.py"}));
    editor.until("the test", |message| message["method"] == "test/started");
    drop(editor.says.take());
    assert_eq!(editor.ended(), 1);
    eventually("its children have ended", || {
        processes_of(&project).is_empty()
    });
}
