//! What a supervisor does with processes that live.

use std::time::{Duration, Instant};

use crate::lab::{is_running, lab, lab_with};
use rpytest_ipc::{ToPython, ToRust};
use rpytest_worker::{
    EventKind, Interpreter, Options, ProcessEnd, PythonFiles, Signal, SpawnError, Supervisor,
};

#[test]
fn a_template_forks_too() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let template = lab.fork(host);
    lab.start(template, "host");
    let workers = [lab.fork(template), lab.fork(template)];
    for (code, id) in workers.into_iter().enumerate() {
        lab.start(id, &format!("exit {code}"));
    }
    for (code, id) in (0..).zip(workers) {
        assert_eq!(lab.end(id).status, ProcessEnd::Code(code));
    }
    lab.finish();
}

#[test]
fn many_forks_at_once() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let children: Vec<_> = (0..100).map(|_| lab.fork(host)).collect();
    for (code, &id) in children.iter().enumerate() {
        lab.start(id, &format!("exit {code}"));
    }
    for (code, id) in (0..).zip(children) {
        assert_eq!(lab.end(id).status, ProcessEnd::Code(code));
    }
    lab.finish();
}

#[test]
fn descriptors_travel_in_order_with_large_messages() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let mut children = Vec::new();
    for size in [5_000_000, 0, 300_000] {
        // A host ignores it; the socket takes it in pieces.
        lab.send(
            host,
            &ToPython::Configure {
                payload: vec![7; size].into(),
            },
        );
        children.push(lab.fork(host));
    }
    for &id in &children {
        lab.start(id, "exit 9");
        assert_eq!(lab.end(id).status, ProcessEnd::Code(9));
    }
    lab.finish();
}

#[test]
fn a_burst_is_read_to_its_end() {
    let mut lab = lab("");
    for id in lab.both("burst 3000") {
        lab.wait_for_relays(id, 3000);
        lab.send(id, &ToPython::Finish {});
        assert!(lab.end(id).success());
    }
    lab.finish();
}

#[test]
fn a_slow_peer_blocks_nobody() {
    let mut lab = lab("");
    let [slow, quick] = lab.both("echo");
    let slow_pid = lab.ready(slow);
    lab.ready(quick);
    let large = ToPython::Configure {
        payload: vec![0; 1_000_000].into(),
    };
    lab.supervisor.kill(slow, Signal::Stop);
    for _ in 0..20 {
        lab.send(slow, &large);
    }
    lab.send(quick, &large);
    lab.relayed(quick, "1000000");
    assert!(lab.relays(slow).is_empty() && is_running(slow_pid));
    lab.supervisor.kill(slow, Signal::Continue);
    for id in [slow, quick] {
        lab.send(id, &ToPython::Finish {});
        assert!(lab.end(id).success());
    }
    assert_eq!(lab.relays(slow).len(), 20);
    lab.finish();
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_has_no_descriptor_of_another() {
    let mut lab = lab("");
    for id in lab.both("pause") {
        lab.relayed(id, "pausing");
    }
    // The names tell one socket from another, and one file without a name from another. Whatever this
    // process was itself started with may be passed on.
    let ours: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .expect("Linux has it")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let fd = path.file_name()?.to_str()?.to_owned();
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok()?;
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
            let flags = u32::from_str_radix(flags.trim(), 8).ok()?;
            let close_on_exec = flags & 0o2_000_000 != 0;
            let name = std::fs::read_link(&path).ok()?.to_str()?.to_owned();
            let unique = name.starts_with("socket:") || name.ends_with("(deleted)");
            (close_on_exec && unique).then_some(name)
        })
        .collect();
    assert!(
        ours.len() >= 6,
        "a channel's end and a file for each of three: {ours:?}"
    );
    for id in lab.both("descriptors") {
        assert!(lab.end(id).success());
        let theirs = lab.relays(id).concat();
        for name in theirs.lines() {
            assert!(!ours.iter().any(|ours| ours == name), "{name} in {theirs}");
        }
    }
    lab.kill();
}

#[test]
fn a_signal_waits_for_the_process_to_exist() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    lab.ready(host);
    lab.supervisor.kill(host, Signal::Stop);
    let child = lab.fork(host);
    assert_eq!(lab.supervisor.pid(child), None);
    lab.supervisor.kill(child, Signal::Kill);
    lab.supervisor.kill(host, Signal::Continue);
    let end = lab.end(child);
    assert_eq!(end.status, ProcessEnd::Signal(9));
    assert!(end.by_supervisor);
    lab.finish();
}

#[test]
fn pids_are_known_while_a_process_runs() {
    let mut lab = lab("");
    for id in lab.both("pause") {
        let pid = lab.ready(id);
        assert_eq!(lab.supervisor.pid(id), Some(pid));
        assert!(is_running(pid));
        lab.supervisor.kill(id, Signal::Kill);
        lab.end(id);
        assert_eq!(lab.supervisor.pid(id), None);
        assert!(!is_running(pid));
    }
    lab.finish();
}

#[test]
fn a_shutdown_kills_what_does_not_go() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let busy = lab.fork(host);
    let stopped = lab.fork(host);
    for id in [busy, stopped] {
        lab.start(id, "pause");
        lab.relayed(id, "pausing");
    }
    lab.supervisor.kill(stopped, Signal::Stop);
    let begin = Instant::now();
    lab.supervisor.shutdown_all(Duration::from_millis(100));
    assert!(begin.elapsed() >= Duration::from_millis(100));
    for id in [host, busy, stopped] {
        assert!(lab.end(id).by_supervisor);
    }
    lab.finish();
}

#[test]
fn a_shutdown_in_the_middle_of_everything() {
    // Interpreters that have not come to the handshake, and forks that nobody has made yet.
    for early in ["pause", ""] {
        let mut lab = lab(early);
        let host = lab.spawn_host();
        for _ in 0..3 {
            let child = lab.fork(host);
            lab.start(child, "pause");
            lab.fork(child);
        }
        lab.both("pause");
        lab.kill();
    }
}

#[test]
fn a_shutdown_asks_hosts_to_go() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    lab.supervisor.shutdown_all(Duration::from_secs(30));
    assert!(lab.end(host).success());
    // There is life after it.
    let host = lab.spawn_host();
    lab.ready(host);
    lab.finish();
}

#[test]
fn nothing_outlives_the_supervisor() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let child = lab.fork(host);
    lab.start(child, "pause");
    lab.relayed(child, "pausing");
    let pids = [lab.ready(host), lab.ready(child)];
    drop(lab);
    assert!(!pids.into_iter().any(is_running));
}

#[test]
fn the_receiver_may_go_first() {
    let options = Options::new(PythonFiles::at("tests/processes/peer"));
    let (supervisor, events) = Supervisor::new(options).expect("a supervisor");
    drop(events);
    let host = supervisor
        .spawn_host(&crate::lab::python())
        .expect("a process");
    let child = supervisor.fork(host);
    supervisor.kill(child, Signal::Kill);
    supervisor.shutdown_all(Duration::from_secs(30));
    assert_eq!((supervisor.pid(host), supervisor.pid(child)), (None, None));
}

#[test]
fn an_interpreter_that_is_not_there() {
    let lab = lab("");
    let interpreter = Interpreter::at("/nonexistent/python");
    let error = lab
        .supervisor
        .spawn_host(&interpreter)
        .expect_err("it is not there");
    assert!(matches!(error, SpawnError::NotStarted { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "start the Python interpreter `/nonexistent/python`: No such file or directory (os error 2)"
    );
    lab.finish();
}

#[test]
fn a_working_directory_and_an_environment_are_passed_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let cwd = directory.path().to_owned();
    let mut lab = lab_with("exit 5", |options| options.cwd = Some(cwd));
    let host = lab.spawn_host();
    // That it left with 5 shows the environment; that it started at all shows that the entry's path
    // does not depend on the working directory.
    match lab.last(host) {
        EventKind::StartFailed(SpawnError::Died { status, .. }) => {
            assert_eq!(*status, ProcessEnd::Code(5));
        }
        other => panic!("{other:?}"),
    }
    lab.finish();
}

#[test]
fn a_process_of_another_supervisors_host_is_ones_own() {
    let (mut lender, mut borrower) = (lab(""), lab(""));
    let host = lender.spawn_host();
    let (adopted, descriptors) = borrower.adopt(true);
    let fork = ToPython::Fork { child: 1 << 31 };
    let sent = lender.supervisor.send_with(host, &fork, descriptors);
    sent.expect("it is not too large");
    let pid = borrower.ready(adopted);
    let child = borrower.fork(adopted);
    borrower.start(child, "exit 5");
    assert_eq!(borrower.end(child).status, ProcessEnd::Code(5));
    // The lender hears of it, and does not take it for one of its own.
    lender.wait(host, |kind| {
        matches!(kind, EventKind::Message(ToRust::Forked { child, .. }) if *child == 1 << 31)
    });
    assert!(is_running(pid));
    borrower.finish();
    lender.finish();
}

#[test]
fn a_process_that_nobody_makes_is_given_up_at_once() {
    let mut lab = lab("");
    let (adopted, descriptors) = lab.adopt(false);
    drop(descriptors);
    assert!(matches!(lab.last(adopted), EventKind::ForkFailed(_)));
    lab.finish();
}
