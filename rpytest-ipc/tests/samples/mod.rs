//! One message or more of every variant, by the names of their golden files.

use rpytest_ipc::collection::{
    Collection, CollectionError, Deselected, FileItems, Fixture, Hook, ItemDetails, Surroundings,
    Touch, TouchKind, Touched,
};
use rpytest_ipc::{
    Address, Assignment, Event, Focus, InventoryItem, KeptFixture, Looked, Outcome, PROTOCOL,
    PhaseSeconds, Place, Report, Role, Settled, SharedSeconds, Sources, Story, ToPython, ToRust,
    Told, Warned, WorkerIdentity,
};
use serde_bytes::ByteBuf;

pub enum Sample {
    ToPython(ToPython),
    ToRust(ToRust),
}

pub fn samples() -> Vec<(String, Sample)> {
    let to_python = to_python()
        .into_iter()
        .map(|(name, message)| (format!("to_python-{name}"), Sample::ToPython(message)));
    let to_rust = to_rust()
        .into_iter()
        .map(|(name, message)| (format!("to_rust-{name}"), Sample::ToRust(message)));
    to_python.chain(to_rust).collect()
}

fn address(nodeid: &str, nth: u32) -> Address {
    Address {
        nodeid: nodeid.to_owned(),
        nth,
    }
}

fn item(nodeid: &str, nth: u32, scope: &str) -> InventoryItem {
    InventoryItem {
        address: address(nodeid, nth),
        scope: scope.to_owned(),
    }
}

fn bytes(content: impl Into<Vec<u8>>) -> ByteBuf {
    ByteBuf::from(content)
}

fn items() -> Vec<InventoryItem> {
    vec![
        item("tests/test_a.py::test_plain", 0, "tests/test_a.py"),
        item("tests/test_a.py::test_plain", 1, "tests/test_a.py"),
        item(
            "tests/tëst_ü.py::TestÄ::test_日本語[🦀-\\xff]",
            0,
            "tests/tëst_ü.py::TestÄ",
        ),
        item(
            &format!("tests/test_long.py::test_long[{}]", "x".repeat(300)),
            70_000,
            "",
        ),
    ]
}

fn to_python() -> Vec<(&'static str, ToPython)> {
    let event = |worker: &str, event| ToPython::Event {
        worker: worker.to_owned(),
        event,
    };
    vec![
        (
            "collect",
            ToPython::Collect {
                argv: vec![bytes("-q"), bytes(*b"tests/\xff")],
                skip: vec![bytes("/srv/test_a.py")],
                detailed: true,
            },
        ),
        (
            "rewrite",
            ToPython::Rewrite {
                sources: sources(),
                share: 1,
                of: 3,
            },
        ),
        ("welcome", ToPython::Welcome { protocol: PROTOCOL }),
        (
            "start-controller",
            ToPython::Start {
                role: Role::Controller,
                argv: vec![bytes("-n"), bytes("4"), bytes(*b"tests/\xff"), bytes("")],
                worker: None,
                settled: Vec::new(),
                focus: None,
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        (
            "start-controller-again",
            ToPython::Start {
                role: Role::Controller,
                argv: Vec::new(),
                worker: None,
                settled: vec![
                    Settled {
                        address: address("test_a.py::test_a", 0),
                        payload: Some(bytes(*b"\x80")),
                        crash: None,
                        limit: None,
                    },
                    Settled {
                        address: address("test_a.py::test_ß", 1),
                        payload: None,
                        crash: Some("SIGSEGV\n  File \"test_a.py\", line 3".to_owned()),
                        limit: Some("Timeout (>1.0s) from rpytest.".to_owned()),
                    },
                ],
                focus: None,
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        (
            "start-focused",
            ToPython::Start {
                role: Role::Controller,
                argv: Vec::new(),
                worker: None,
                settled: Vec::new(),
                focus: Some(Focus {
                    only: Some(vec![bytes(*b"/src/test_\xff.py")]),
                    first: vec!["test_a.py::test_b".to_owned()],
                    tests: Some(vec!["test_a.py::test_b".to_owned()]),
                }),
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        (
            "start-sharded",
            ToPython::Start {
                role: Role::Controller,
                argv: Vec::new(),
                worker: None,
                settled: Vec::new(),
                focus: None,
                sharded: true,
                timed: false,
                listens: true,
            },
        ),
        (
            "share",
            ToPython::Share {
                tasks: vec![0, 65_536],
                line: "shard 0 of 2: 2 of 65537 tests".to_owned(),
            },
        ),
        (
            "start-template",
            ToPython::Start {
                role: Role::Template,
                argv: vec![bytes("--dist"), bytes("loadscope")],
                worker: Some(WorkerIdentity {
                    id: "template".to_owned(),
                    count: 300,
                    testrunuid: "2f0c9b".to_owned(),
                }),
                settled: Vec::new(),
                focus: None,
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        (
            "start-worker",
            ToPython::Start {
                role: Role::Worker,
                argv: (0..20).map(|n| bytes(format!("test_{n}.py"))).collect(),
                worker: Some(WorkerIdentity {
                    id: "gw0".to_owned(),
                    count: 2,
                    testrunuid: "2f0c9b".to_owned(),
                }),
                settled: Vec::new(),
                focus: None,
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        ("host", ToPython::Host {}),
        ("fork", ToPython::Fork { child: u32::MAX }),
        (
            "start-resident",
            ToPython::Start {
                role: Role::Resident,
                argv: vec![bytes("-q")],
                worker: None,
                settled: Vec::new(),
                focus: None,
                sharded: false,
                timed: false,
                listens: false,
            },
        ),
        (
            "lend",
            ToPython::Lend {
                child: 1 << 31,
                cwd: bytes("/src/t\u{e4}st"),
                environment: vec![
                    (bytes("LANG"), bytes("C.UTF-8")),
                    (bytes("WORD"), bytes([0xff, b'='])),
                ],
                umask: 0o022,
                inherited: vec![10, 251],
                tied: true,
            },
        ),
        ("release", ToPython::Release {}),
        ("look", ToPython::Look {}),
        ("probe", ToPython::Probe { token: 128 }),
        (
            "configure",
            ToPython::Configure {
                payload: bytes([0x81, 0xa1, b'a', 0xff, 0]),
            },
        ),
        (
            "run",
            ToPython::Run {
                assignments: vec![
                    Assignment {
                        task: 0,
                        address: address("tests/test_a.py::test_plain", 1),
                    },
                    Assignment {
                        task: 65_536,
                        address: address("tests/tëst_ü.py::test_日本語", 0),
                    },
                ],
            },
        ),
        (
            "run-nothing",
            ToPython::Run {
                assignments: Vec::new(),
            },
        ),
        ("revoke", ToPython::Revoke { count: 3 }),
        ("finish", ToPython::Finish {}),
        (
            "stop",
            ToPython::Stop {
                reason: "stopping after 1 failures".to_owned(),
            },
        ),
        (
            "event-relay",
            event(
                "gw0",
                Event::Relay {
                    payload: bytes(*b"\xc0"),
                },
            ),
        ),
        (
            "event-collected",
            event(
                "template",
                Event::Collected {
                    items: items(),
                    payload: bytes(*b"\x90"),
                    line: Some("plan for 2 workers".to_owned()),
                },
            ),
        ),
        (
            "event-collected-nothing",
            event(
                "template",
                Event::Collected {
                    items: Vec::new(),
                    payload: bytes(""),
                    line: None,
                },
            ),
        ),
        ("event-up", event("gw11", Event::Up {})),
        (
            "event-result",
            event(
                "gw1",
                Event::Result {
                    task: 255,
                    payload: bytes([0xab; 300]),
                },
            ),
        ),
        (
            "event-crashed",
            event(
                "gw1",
                Event::Crashed {
                    task: 256,
                    reason: "killed by SIGKILL".to_owned(),
                    limit: None,
                },
            ),
        ),
        (
            "event-crashed-by-limit",
            event(
                "gw1",
                Event::Crashed {
                    task: 0,
                    reason: "Thread 1 (most recent call first)".to_owned(),
                    limit: Some("Timeout (>1.0s) from rpytest.".to_owned()),
                },
            ),
        ),
        (
            "event-down",
            event(
                "gw1",
                Event::Down {
                    payload: Some(bytes(*b"\x80")),
                    error: None,
                    replaced_by: None,
                },
            ),
        ),
        (
            "event-down-in-disorder",
            event(
                "gw1",
                Event::Down {
                    payload: None,
                    error: Some("exit code 3".to_owned()),
                    replaced_by: Some("gw2".to_owned()),
                },
            ),
        ),
        ("event-done", event("", Event::Done { error: None })),
        (
            "event-done-with-error",
            event(
                "",
                Event::Done {
                    error: Some("2 items have no result".to_owned()),
                },
            ),
        ),
        ("shutdown", ToPython::Shutdown {}),
    ]
}

fn to_rust() -> Vec<(&'static str, ToRust)> {
    vec![
        (
            "divide",
            ToRust::Divide {
                items: vec![address("test_a.py::test_ß", 1)],
            },
        ),
        (
            "artifacts",
            ToRust::Artifacts {
                junit: Some(bytes(*b"/src/\xff.xml")),
                coverage: None,
            },
        ),
        (
            "hello",
            ToRust::Hello {
                protocol: PROTOCOL,
                pid: 4_194_304,
                python: "3.13.0".to_owned(),
                pytest: "9.2.0".to_owned(),
            },
        ),
        (
            "forked",
            ToRust::Forked {
                child: 127,
                pid: 65_535,
            },
        ),
        (
            "fork_failed",
            ToRust::ForkFailed {
                child: 1,
                reason: "Cannot allocate memory".to_owned(),
            },
        ),
        (
            "exited-with-code",
            ToRust::Exited {
                pid: 77,
                code: Some(-1),
                signal: None,
            },
        ),
        (
            "exited-by-signal",
            ToRust::Exited {
                pid: 77,
                code: None,
                signal: Some(9),
            },
        ),
        (
            "exited-with-extremes",
            ToRust::Exited {
                pid: u32::MAX,
                code: Some(i32::MIN),
                signal: Some(i32::MAX),
            },
        ),
        (
            "kept",
            ToRust::Kept {
                fixtures: vec![KeptFixture {
                    name: "server".to_owned(),
                    scope: "package".to_owned(),
                    file: bytes("/src/tests/conftest.py"),
                    since: 1_700_000_000.25,
                }],
                looked: Looked {
                    seen: vec![bytes("/src/tests/conftest.py"), bytes([b'/', 0xff])],
                    missing: vec![bytes("/src/tests/helpers.py")],
                    listed: vec![bytes("/src/data")],
                },
            },
        ),
        (
            "released",
            ToRust::Released {
                failures: vec!["fixture 'server': OSError".to_owned()],
            },
        ),
        (
            "start_over",
            ToRust::StartOver {
                reason: "the tests run in workers".to_owned(),
            },
        ),
        (
            "grown",
            ToRust::Grown {
                refusals: Vec::new(),
                looked: Looked {
                    seen: vec![bytes("/src/test_a.py"), bytes([b'/', 0xff])],
                    missing: vec![bytes("/src/conftest.py")],
                    listed: vec![bytes("/src")],
                },
            },
        ),
        (
            "grown-to-be-refused",
            ToRust::Grown {
                refusals: vec!["a thread was started".to_owned()],
                looked: Looked::default(),
            },
        ),
        (
            "opened",
            ToRust::Opened {
                opened: vec![(bytes("/src/test_a.py"), vec![bytes("/src/a.json")])],
            },
        ),
        (
            "probed",
            ToRust::Probed {
                token: 128,
                interrupts: 2,
            },
        ),
        (
            "plan",
            ToRust::Plan {
                workers: 8,
                dist: "loadscope".to_owned(),
                max_worker_restart: Some(0),
                max_chunk: Some(1000),
                isolate: "file".to_owned(),
                testrunuid: "2f0c9b".to_owned(),
                cache_dir: Some(bytes(*b"/srv/caf\xe9/.pytest_cache")),
                verbose: false,
                session_limit: Some(600.0),
                in_order: true,
            },
        ),
        (
            "plan-in-process",
            ToRust::Plan {
                workers: 0,
                dist: "no".to_owned(),
                max_worker_restart: None,
                max_chunk: None,
                isolate: "none".to_owned(),
                testrunuid: String::new(),
                cache_dir: None,
                verbose: true,
                session_limit: None,
                in_order: false,
            },
        ),
        (
            "worker_input",
            ToRust::WorkerInput {
                worker: "gw0".to_owned(),
                payload: bytes(*b"\x81\xa1k\x01"),
            },
        ),
        (
            "inventory",
            ToRust::Inventory {
                items: items(),
                unshareable: vec!["2 threads are running".to_owned()],
                payload: bytes(*b"\xc0"),
            },
        ),
        (
            "inventory-empty",
            ToRust::Inventory {
                items: Vec::new(),
                unshareable: Vec::new(),
                payload: bytes(*b"\xc0"),
            },
        ),
        (
            "relay",
            ToRust::Relay {
                payload: bytes([0; 70_000]),
                ends_run: true,
            },
        ),
        ("started", ToRust::Started { task: 0, at: None }),
        (
            "started-timed",
            ToRust::Started {
                task: 300,
                at: Some(1_767_225_600.25),
            },
        ),
        (
            "limit",
            ToRust::Limit {
                seconds: Some(62.5),
                reason: "Timeout (>60.0s) from rpytest.".to_owned(),
            },
        ),
        (
            "limit-none",
            ToRust::Limit {
                seconds: None,
                reason: String::new(),
            },
        ),
        (
            "result-passed",
            result(Outcome::Passed, [0.000_25, 1.5, 0.0]),
        ),
        (
            "result-failed",
            result(Outcome::Failed, [1e-9, 12_345.678_9, 0.1]),
        ),
        (
            "result-error",
            result(Outcome::Error, [f64::MIN_POSITIVE, f64::MAX, 5e-324]),
        ),
        ("result-skipped", result(Outcome::Skipped, [0.0; 3])),
        ("result-xfailed", result(Outcome::Xfailed, [0.3; 3])),
        (
            "result-xpassed",
            result(Outcome::Xpassed, [3.0, -0.5, 1e300]),
        ),
        (
            "result-shared",
            ToRust::Result {
                task: 0,
                outcome: Outcome::Passed,
                seconds: PhaseSeconds {
                    setup: 1.75,
                    call: 0.5,
                    teardown: 0.0,
                },
                payload: bytes(""),
                shared: vec![
                    shared("", 1.0),
                    shared("tests/test_\u{1F980}.py::TestA", 0.5),
                ],
                reruns: 0,
                excused: false,
                story: None,
            },
        ),
        (
            "result-rerun",
            ToRust::Result {
                task: 7,
                outcome: Outcome::Passed,
                seconds: PhaseSeconds {
                    setup: 0.5,
                    call: 1.0,
                    teardown: 0.25,
                },
                payload: bytes(""),
                shared: Vec::new(),
                reruns: 2,
                excused: false,
                story: None,
            },
        ),
        (
            "result-excused",
            ToRust::Result {
                task: 8,
                outcome: Outcome::Xfailed,
                seconds: PhaseSeconds {
                    setup: 0.5,
                    call: 1.0,
                    teardown: 0.25,
                },
                payload: bytes(""),
                shared: Vec::new(),
                reruns: 0,
                excused: true,
                story: None,
            },
        ),
        (
            "result-story",
            ToRust::Result {
                task: 1,
                outcome: Outcome::Failed,
                seconds: PhaseSeconds::default(),
                payload: bytes(""),
                shared: Vec::new(),
                reruns: 0,
                excused: false,
                story: Some(Box::new(Story {
                    file: "tests/test_a.py".to_owned(),
                    line: Some(12),
                    reports: vec![report()],
                    warnings: vec![warned()],
                })),
            },
        ),
        (
            "result-story-plain",
            ToRust::Result {
                task: 2,
                outcome: Outcome::Passed,
                seconds: PhaseSeconds::default(),
                payload: bytes(""),
                shared: vec![shared("", 1.0)],
                reruns: 0,
                excused: false,
                story: Some(Box::new(Story {
                    file: "tests/test_a.py".to_owned(),
                    ..Story::default()
                })),
            },
        ),
        ("makes_room", ToRust::MakesRoom { room: true }),
        (
            "told",
            ToRust::Told {
                told: vec![
                    Told::Session {
                        rootdir: "/src".to_owned(),
                        inifile: None,
                        python: "3.13.0".to_owned(),
                        pytest: "9.2.0".to_owned(),
                    },
                    Told::Collector {
                        nodeid: "tests/test_b.py".to_owned(),
                        report: report(),
                    },
                    Told::Warning(warned()),
                    Told::Collected {
                        items: 3,
                        deselected: 1,
                    },
                    Told::Items {
                        items: vec![("test_a.py::test_a".to_owned(), "test_a.py".to_owned(), None)],
                    },
                    Told::Ended {
                        counts: vec![("failed".to_owned(), 1), ("passed".to_owned(), 2)],
                    },
                ],
            },
        ),
        (
            "returned",
            ToRust::Returned {
                tasks: vec![0, 127, 128, 255, 256, 65_535, 65_536, u32::MAX],
            },
        ),
        ("returned-nothing", ToRust::Returned { tasks: Vec::new() }),
        (
            "stop_run",
            ToRust::StopRun {
                reason: "stopping after 2 failures".to_owned(),
            },
        ),
        (
            "finished",
            ToRust::Finished {
                payload: bytes(*b"\x80"),
                error: None,
            },
        ),
        (
            "finished-early",
            ToRust::Finished {
                payload: bytes(""),
                error: Some("KeyboardInterrupt".to_owned()),
            },
        ),
        (
            "ways",
            ToRust::Ways {
                short: 70_000,
                genuine: 0,
                reason: None,
            },
        ),
        (
            "ways-with-a-reason",
            ToRust::Ways {
                short: 0,
                genuine: 1,
                reason: Some("--setupshow is given".into()),
            },
        ),
        (
            "built",
            ToRust::Built {
                short: 70_000,
                genuine: 1,
                reason: Some("test_a.py has items of the class ItemOfSpec".into()),
            },
        ),
        (
            "imported",
            ToRust::Imported {
                files: vec![
                    ("tests/test_a.py".to_owned(), 0.25),
                    ("tests/test_\u{1F980}.py".to_owned(), 0.0),
                ],
            },
        ),
        ("rewriting", ToRust::Rewriting { sources: sources() }),
        (
            "rewritten",
            ToRust::Rewritten {
                kept: 70_000,
                made: 3,
                refusal: None,
            },
        ),
        (
            "rewritten-by-pytest",
            ToRust::Rewritten {
                kept: 0,
                made: 0,
                refusal: Some("pytest 10.0 is not known".to_owned()),
            },
        ),
        ("collection", collection()),
        (
            "collection-nothing",
            ToRust::Collection(Box::new(Collection {
                exit: 4,
                ..Collection::default()
            })),
        ),
        ("left", ToRust::Left { code: 2 }),
        ("session_over", ToRust::SessionOver { exit: 0 }),
        (
            "session_over-by-interrupt",
            ToRust::SessionOver { exit: -129 },
        ),
    ]
}

fn sources() -> Sources {
    Sources {
        paths: vec![bytes("/srv/tests"), bytes([b'/', 0xff])],
        patterns: vec!["test_*.py".to_owned()],
        skipped: vec![".*".to_owned(), "venv".to_owned()],
        pass_hook: false,
    }
}

fn collection() -> ToRust {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    let hook = |module: &str, name: &str| Hook {
        module: module.to_owned(),
        name: name.to_owned(),
    };
    let touch = |kind, what: &str| Touch {
        by: bytes("/srv/a.py"),
        kind,
        what: bytes(what),
    };
    ToRust::Collection(Box::new(Collection {
        files: vec![
            FileItems {
                path: "tests/test_a.py".to_owned(),
                nodeids: texts(&[
                    "tests/test_a.py::test_a[\u{1F980}]",
                    "tests/test_a.py::T::t",
                ]),
                details: vec![
                    ItemDetails {
                        line: Some(300),
                        elsewhere: true,
                        parametrized: true,
                        marks: texts(&["parametrize"]),
                    },
                    ItemDetails::default(),
                ],
                classes: vec![("T".to_owned(), 7)],
                elsewhere: texts(&["T"]),
            },
            FileItems {
                path: "../other.txt".to_owned(),
                nodeids: Vec::new(),
                details: Vec::new(),
                classes: Vec::new(),
                elsewhere: Vec::new(),
            },
        ],
        collected: 70_000,
        deselected: vec![Deselected {
            path: "tests/test_a.py".to_owned(),
            count: 255,
        }],
        skipped: 1,
        wide: texts(&["tests/test_a.py"]),
        exit: -1,
        output: bytes(*b"\n2 tests collected in 0.01s\n\xff"),
        cache_dir: Some(bytes(*b"/srv/caf\xe9/.pytest_cache/d/rpytest")),
        rootdir: Some(bytes(*b"/srv/caf\xe9")),
        surroundings: Surroundings {
            fixtures: vec![Fixture {
                name: "mocker".to_owned(),
                autouse: false,
                params: true,
                needs: texts(&["pytestconfig"]),
            }],
            hooks: vec![hook("pytest_cov.plugin", "pytest_runtestloop")],
            project_hooks: vec![hook("/srv/conftest.py", "pytest_configure")],
            marks: texts(&["slow"]),
            search_path: vec![bytes(*b"/usr/lib/python3.zip"), bytes("")],
            modules: texts(&["sys", "json"]),
            python: "3.13.1".to_owned(),
            pytest: "9.2.0".to_owned(),
        },
        touched: Touched {
            sources: vec![bytes(*b"/srv/a.py\xff")],
            touches: vec![
                touch(TouchKind::Path, "/srv/data.json"),
                touch(TouchKind::Listing, "/srv/data"),
                touch(TouchKind::Effect, "subprocess.Popen was called"),
            ],
        },
        errors: vec![CollectionError {
            nodeid: "tests/test_b.py".to_owned(),
            line: Some(3),
            message: "SyntaxError: invalid syntax".to_owned(),
        }],
        stops: true,
    }))
}

fn result(outcome: Outcome, [setup, call, teardown]: [f64; 3]) -> ToRust {
    ToRust::Result {
        task: 70_000,
        outcome,
        seconds: PhaseSeconds {
            setup,
            call,
            teardown,
        },
        payload: bytes(*b"\x91\x80"),
        shared: Vec::new(),
        reruns: 0,
        excused: false,
        story: None,
    }
}

fn report() -> Report {
    Report {
        when: "call".to_owned(),
        outcome: "failed".to_owned(),
        seconds: 0.5,
        attempt: 1,
        text: Some("E   assert 1 == 2".to_owned()),
        crash: Some(Place {
            path: "/src/tests/test_a.py".to_owned(),
            line: 13,
            message: "assert 1 == 2".to_owned(),
        }),
        reason: None,
        subtest: None,
        sections: vec![("Captured stdout call".to_owned(), "\u{1F980}\n".to_owned())],
        properties: vec![("key".to_owned(), "1".to_owned())],
    }
}

fn warned() -> Warned {
    Warned {
        category: "DeprecationWarning".to_owned(),
        message: "old".to_owned(),
        file: "/src/tests/test_a.py".to_owned(),
        line: 13,
        when: "runtest".to_owned(),
        nodeid: "tests/test_a.py::test_a".to_owned(),
    }
}

fn shared(scope: &str, seconds: f64) -> SharedSeconds {
    SharedSeconds {
        scope: scope.to_owned(),
        seconds,
    }
}
