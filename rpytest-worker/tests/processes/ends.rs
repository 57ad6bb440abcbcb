//! Every way a process can end becomes exactly one event, with the right status.

use std::time::Duration;

use crate::lab::{lab, lab_with};
use rpytest_ipc::ToPython;
use rpytest_worker::{EventKind, Fault, ProcessEnd, Signal, SpawnError};

#[test]
fn a_process_exits() {
    let mut lab = lab("");
    for id in lab.both("exit 3") {
        let end = lab.end(id);
        assert_eq!(
            (end.status, end.fault, end.crash_text),
            (ProcessEnd::Code(3), None, None)
        );
        assert!(!end.by_supervisor);
    }
    lab.finish();
}

#[test]
fn a_process_finishes_in_order() {
    let mut lab = lab("");
    for id in lab.both("finish") {
        assert!(lab.end(id).success());
    }
    lab.finish();
}

#[test]
fn a_signal_ends_a_process() {
    let mut lab = lab("");
    for (number, text) in [
        (
            9,
            "killed by signal 9 (SIGKILL), perhaps by the kernel for lack of memory",
        ),
        (15, "killed by signal 15 (SIGTERM)"),
    ] {
        for id in lab.both(&format!("signal {number}")) {
            let end = lab.end(id);
            assert_eq!(end.status, ProcessEnd::Signal(number));
            assert_eq!(end.to_string(), text);
        }
    }
    lab.finish();
}

#[test]
fn a_segmentation_fault_leaves_its_text() {
    let mut lab = lab("");
    for id in lab.both("segfault") {
        let end = lab.end(id);
        assert_eq!(end.to_string(), "killed by signal 11 (SIGSEGV)");
        let text = end.crash_text.expect("the fault handler was on");
        assert!(
            text.starts_with("Fatal Python error: Segmentation fault"),
            "{text}"
        );
        assert!(text.contains("act_segfault"), "{text}");
    }
    lab.finish();
}

#[test]
fn a_process_that_closes_its_channel_and_lives_on_is_killed() {
    let mut lab = lab_with("", |options| options.linger = Duration::from_millis(200));
    for id in lab.both("close") {
        let end = lab.end(id);
        assert_eq!(end.status, ProcessEnd::Signal(9));
        assert_eq!(end.fault, Some(Fault::ChannelClosed));
        assert_eq!(end.to_string(), "closed its channel and was killed");
    }
    lab.finish();
}

#[test]
fn a_process_that_is_done_may_live_on() {
    let mut lab = lab("");
    for id in lab.both("dawdle") {
        lab.wait(id, |kind| matches!(kind, EventKind::Message(_)));
        lab.supervisor.kill(id, Signal::Terminate);
        let end = lab.end(id);
        assert_eq!((end.status, end.fault), (ProcessEnd::Signal(15), None));
        assert!(end.by_supervisor);
    }
    lab.finish();
}

#[test]
fn all_that_was_sent_comes_before_the_end() {
    let mut lab = lab("");
    for id in lab.both("flood 20000") {
        assert_eq!(lab.end(id).status, ProcessEnd::Code(4));
        let relays = lab.relays(id);
        assert_eq!(relays.len(), 20_000);
        for (number, relay) in relays.iter().enumerate() {
            assert!(relay.starts_with(&format!("{number} ")), "{relay}");
        }
    }
    lab.finish();
}

#[test]
fn what_was_posted_survives_a_kill_and_comes_once() {
    let mut lab = lab("");
    for id in lab.both("post 3000") {
        assert_eq!(lab.end(id).status, ProcessEnd::Signal(9));
        let relays = lab.relays(id);
        assert_eq!(relays.len(), 3_000);
        for (number, relay) in relays.iter().enumerate() {
            assert!(relay.starts_with(&format!("{number} ")), "{relay:.20}");
        }
    }
    lab.finish();
}

#[test]
fn what_was_posted_is_seen_while_the_process_is_busy() {
    let mut lab = lab("");
    for id in lab.both("post_and_pause") {
        lab.relayed(id, "posted");
    }
    lab.kill();
}

#[test]
fn what_is_not_of_the_protocol_ends_a_process() {
    let mut lab = lab("");
    for (act, relays, what) in [
        (
            "garbage",
            1,
            "transfer a frame of 4294967295 bytes, where the maximum is 268435456",
        ),
        (
            "malformed",
            0,
            "decode a message of the unknown type `surprise`",
        ),
        ("again", 0, "it introduced itself again"),
    ] {
        for id in lab.both(act) {
            let end = lab.end(id);
            assert_eq!(end.fault, Some(Fault::Protocol(what.into())));
            assert_eq!(end.status, ProcessEnd::Signal(9));
            assert_eq!(lab.relays(id).len(), relays);
        }
    }
    lab.finish();
}

#[test]
fn half_a_frame_is_dropped() {
    let mut lab = lab("");
    for id in lab.both("truncate") {
        let end = lab.end(id);
        assert_eq!((end.status, end.fault), (ProcessEnd::Code(6), None));
        assert_eq!(lab.relays(id), ["before"]);
    }
    lab.finish();
}

#[test]
fn last_words_arrive_though_the_connection_is_reset() {
    let mut lab = lab("");
    for id in lab.both("unread") {
        lab.send(id, &ToPython::Finish {});
        assert_eq!(lab.end(id).status, ProcessEnd::Code(7));
        assert_eq!(lab.relays(id), ["last words"]);
    }
    lab.finish();
}

#[test]
fn a_grandchild_that_holds_the_channel_delays_nothing() {
    let mut lab = lab("");
    for id in lab.both("leave_a_child") {
        assert_eq!(lab.end(id).status, ProcessEnd::Code(8));
        assert_eq!(lab.relays(id), ["left a child"]);
    }
    lab.finish();
}

#[test]
fn children_outlive_their_host() {
    let mut lab = lab("");
    let host = lab.spawn_host();
    let children = [lab.fork(host), lab.fork(host), lab.fork(host)];
    for id in children {
        lab.ready(id);
    }
    lab.supervisor.kill(host, Signal::Kill);
    let end = lab.end(host);
    assert_eq!(end.to_string(), "killed by signal 9 (SIGKILL)");
    // They still answer, and end, though nobody knows how.
    for (id, act) in children
        .into_iter()
        .zip(["flood 10", "segfault", "leave_a_child"])
    {
        lab.start(id, act);
        assert_eq!(lab.end(id).status, ProcessEnd::Unknown);
    }
    assert_eq!(lab.relays(children[0]).len(), 10);
    let text = lab
        .end(children[1])
        .crash_text
        .expect("the fault handler was on");
    assert!(text.contains("Segmentation fault"), "{text}");
    lab.finish();
}

#[test]
fn a_fork_that_fails_says_why() {
    let mut lab = lab("barren");
    let host = lab.spawn_host();
    let child = lab.fork(host);
    lab.start(child, "exit 0");
    match lab.last(child) {
        EventKind::ForkFailed(reason) => assert_eq!(reason, "no more memory"),
        other => panic!("{other:?}"),
    }
    lab.finish();
}

#[test]
fn a_fork_of_nobody_fails() {
    let mut lab = lab("dies_at_fork");
    let host = lab.spawn_host();
    let waiting = lab.fork(host);
    let behind = lab.fork(host);
    assert_eq!(lab.end(host).status, ProcessEnd::Signal(9));
    let late = lab.fork(host);
    for id in [waiting, behind, late] {
        assert!(
            matches!(lab.last(id), EventKind::ForkFailed(_)),
            "{:?}",
            lab.last(id)
        );
    }
    lab.finish();
}

#[test]
fn an_end_before_the_handshake_is_a_failed_start() {
    let interpreter = crate::lab::python().path().display().to_string();
    for (early, expected) in [
        (
            "exit 97",
            format!(
                "import pytest with `{interpreter}`: it is not installed there; `{interpreter} -m \
                 pip install pytest` would do that, and PYTHON or VIRTUAL_ENV chooses another \
                 interpreter"
            ),
        ),
        (
            "exit 5",
            format!("start pytest with `{interpreter}`: exited with code 5 before it was ready"),
        ),
        (
            "segfault",
            format!(
                "start pytest with `{interpreter}`: killed by signal 11 (SIGSEGV) before it was \
                 ready"
            ),
        ),
        (
            "text",
            format!(
                "shake hands with `{interpreter}`: the process broke the protocol (transfer a frame of \
                 1416782179 bytes, where the maximum is 268435456)"
            ),
        ),
        (
            "older",
            format!(
                "shake hands with `{interpreter}`: the process broke the protocol (shake hands with a process \
                 that speaks version 0 of the protocol, not 1)"
            ),
        ),
    ] {
        let mut lab = lab(early);
        let host = lab.spawn_host();
        let child = lab.fork(host);
        match lab.last(host) {
            EventKind::StartFailed(error) => {
                assert_eq!(error.to_string(), expected);
                if let SpawnError::Died { crash_text, .. } = error {
                    assert_eq!(crash_text.is_some(), early == "segfault");
                }
            }
            other => panic!("{early}: {other:?}"),
        }
        assert!(matches!(lab.last(child), EventKind::ForkFailed(_)));
        lab.finish();
    }
}
