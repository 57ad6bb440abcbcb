//! What holds for every message and for every input.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rpytest_ipc::{
    Address, Assignment, Error, Event, Focus, FrameReader, FrameWriter, InventoryItem, Message,
    Outcome, PhaseSeconds, Place, Report, Role, Settled, SharedSeconds, Story, ToPython, ToRust,
    Told, Warned, WorkerIdentity, decode, encode,
};
use serde_bytes::ByteBuf;

fn bytes() -> impl Strategy<Value = ByteBuf> {
    vec(any::<u8>(), 0..300).prop_map(ByteBuf::from)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,80}"]
}

fn seconds() -> impl Strategy<Value = PhaseSeconds> {
    (number(), number(), number()).prop_map(|(setup, call, teardown)| PhaseSeconds {
        setup,
        call,
        teardown,
    })
}

/// Any number but NaN, which is not equal to itself.
fn number() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    NORMAL | SUBNORMAL | ZERO | INFINITE | POSITIVE | NEGATIVE
}

fn address() -> impl Strategy<Value = Address> {
    (text(), any::<u32>()).prop_map(|(nodeid, nth)| Address { nodeid, nth })
}

fn items() -> impl Strategy<Value = Vec<InventoryItem>> {
    let item = (address(), text()).prop_map(|(address, scope)| InventoryItem { address, scope });
    vec(item, 0..20)
}

fn worker() -> impl Strategy<Value = WorkerIdentity> {
    (text(), any::<u32>(), text()).prop_map(|(id, count, testrunuid)| WorkerIdentity {
        id,
        count,
        testrunuid,
    })
}

fn settled() -> impl Strategy<Value = Settled> {
    let crash = (option::of(text()), option::of(text()));
    (address(), option::of(bytes()), crash).prop_map(|(address, payload, (crash, limit))| Settled {
        address,
        payload,
        crash,
        limit,
    })
}

fn shared() -> impl Strategy<Value = SharedSeconds> {
    (text(), number()).prop_map(|(scope, seconds)| SharedSeconds { scope, seconds })
}

fn focus() -> impl Strategy<Value = Focus> {
    let texts = || vec(text(), 0..5);
    (option::of(vec(bytes(), 0..5)), texts(), option::of(texts()))
        .prop_map(|(only, first, tests)| Focus { only, first, tests })
}

fn report() -> impl Strategy<Value = Report> {
    let place = (text(), any::<u32>(), text()).prop_map(|(path, line, message)| Place {
        path,
        line,
        message,
    });
    let pairs = || vec((text(), text()), 0..3);
    (
        (text(), text(), number(), any::<u32>()),
        (option::of(text()), option::of(place)),
        (option::of(text()), option::of(text())),
        (pairs(), pairs()),
    )
        .prop_map(
            |(
                (when, outcome, seconds, attempt),
                (text, crash),
                (reason, subtest),
                (sections, properties),
            )| Report {
                when,
                outcome,
                seconds,
                attempt,
                text,
                crash,
                reason,
                subtest,
                sections,
                properties,
            },
        )
}

fn warned() -> impl Strategy<Value = Warned> {
    (text(), text(), text(), any::<u32>(), text(), text()).prop_map(
        |(category, message, file, line, when, nodeid)| Warned {
            category,
            message,
            file,
            line,
            when,
            nodeid,
        },
    )
}

fn story() -> impl Strategy<Value = Story> {
    let line = option::of(any::<u32>());
    (text(), line, vec(report(), 0..3), vec(warned(), 0..3)).prop_map(
        |(file, line, reports, warnings)| Story {
            file,
            line,
            reports,
            warnings,
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    let item = (text(), text(), option::of(any::<u32>()));
    prop_oneof![
        (text(), option::of(text()), text(), text()).prop_map(
            |(rootdir, inifile, python, pytest)| Told::Session {
                rootdir,
                inifile,
                python,
                pytest,
            }
        ),
        (text(), report()).prop_map(|(nodeid, report)| Told::Collector { nodeid, report }),
        warned().prop_map(Told::Warning),
        (any::<u32>(), any::<u32>())
            .prop_map(|(items, deselected)| Told::Collected { items, deselected }),
        vec(item, 0..4).prop_map(|items| Told::Items { items }),
        vec((text(), any::<u32>()), 0..4).prop_map(|counts| Told::Ended { counts }),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        Just(Role::Controller),
        Just(Role::Template),
        Just(Role::Worker)
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Passed),
        Just(Outcome::Failed),
        Just(Outcome::Error),
        Just(Outcome::Skipped),
        Just(Outcome::Xfailed),
        Just(Outcome::Xpassed),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        bytes().prop_map(|payload| Event::Relay { payload }),
        (items(), bytes(), option::of(text())).prop_map(|(items, payload, line)| {
            Event::Collected {
                items,
                payload,
                line,
            }
        }),
        Just(Event::Up {}),
        (any::<u32>(), bytes()).prop_map(|(task, payload)| Event::Result { task, payload }),
        (any::<u32>(), text(), option::of(text())).prop_map(|(task, reason, limit)| {
            Event::Crashed {
                task,
                reason,
                limit,
            }
        }),
        (option::of(bytes()), option::of(text()), option::of(text())).prop_map(
            |(payload, error, replaced_by)| Event::Down {
                payload,
                error,
                replaced_by
            }
        ),
        option::of(text()).prop_map(|error| Event::Done { error }),
    ]
}

fn to_python() -> impl Strategy<Value = ToPython> {
    let assignment =
        (any::<u32>(), address()).prop_map(|(task, address)| Assignment { task, address });
    prop_oneof![
        any::<u16>().prop_map(|protocol| ToPython::Welcome { protocol }),
        (
            role(),
            vec(bytes(), 0..20),
            option::of(worker()),
            vec(settled(), 0..5),
            option::of(focus()),
            any::<(bool, bool, bool)>()
        )
            .prop_map(
                |(role, argv, worker, settled, focus, (sharded, timed, listens))| {
                    ToPython::Start {
                        role,
                        argv,
                        worker,
                        settled,
                        focus,
                        sharded,
                        timed,
                        listens,
                    }
                }
            ),
        (vec(any::<u32>(), 0..20), text())
            .prop_map(|(tasks, line)| ToPython::Share { tasks, line }),
        Just(ToPython::Host {}),
        any::<u32>().prop_map(|child| ToPython::Fork { child }),
        any::<u32>().prop_map(|token| ToPython::Probe { token }),
        bytes().prop_map(|payload| ToPython::Configure { payload }),
        vec(assignment, 0..20).prop_map(|assignments| ToPython::Run { assignments }),
        any::<u32>().prop_map(|count| ToPython::Revoke { count }),
        Just(ToPython::Finish {}),
        text().prop_map(|reason| ToPython::Stop { reason }),
        (text(), event()).prop_map(|(worker, event)| ToPython::Event { worker, event }),
        Just(ToPython::Shutdown {}),
    ]
}

fn to_rust() -> impl Strategy<Value = ToRust> {
    let number = any::<u32>;
    prop_oneof![
        (any::<u16>(), number(), text(), text()).prop_map(|(protocol, pid, python, pytest)| {
            ToRust::Hello {
                protocol,
                pid,
                python,
                pytest,
            }
        }),
        (number(), number()).prop_map(|(child, pid)| ToRust::Forked { child, pid }),
        (number(), text()).prop_map(|(child, reason)| ToRust::ForkFailed { child, reason }),
        (number(), any::<Option<i32>>(), any::<Option<i32>>())
            .prop_map(|(pid, code, signal)| ToRust::Exited { pid, code, signal }),
        (number(), number()).prop_map(|(token, interrupts)| ToRust::Probed { token, interrupts }),
        (
            (number(), text(), any::<Option<u32>>(), any::<Option<u32>>()),
            (
                text(),
                text(),
                option::of(bytes()),
                any::<bool>(),
                option::of(any::<u32>()),
                any::<bool>()
            ),
        )
            .prop_map(
                |(
                    (workers, dist, max_worker_restart, max_chunk),
                    (isolate, testrunuid, cache_dir, verbose, session_limit, in_order),
                )| ToRust::Plan {
                    workers,
                    dist,
                    max_worker_restart,
                    max_chunk,
                    isolate,
                    testrunuid,
                    cache_dir,
                    verbose,
                    session_limit: session_limit.map(f64::from),
                    in_order,
                }
            ),
        (text(), bytes()).prop_map(|(worker, payload)| ToRust::WorkerInput { worker, payload }),
        (items(), vec(text(), 0..4), bytes()).prop_map(|(items, unshareable, payload)| {
            ToRust::Inventory {
                items,
                unshareable,
                payload,
            }
        }),
        vec(address(), 0..20).prop_map(|items| ToRust::Divide { items }),
        (option::of(bytes()), option::of(bytes()))
            .prop_map(|(junit, coverage)| ToRust::Artifacts { junit, coverage }),
        (bytes(), any::<bool>())
            .prop_map(|(payload, ends_run)| ToRust::Relay { payload, ends_run }),
        (number(), option::of(self::number())).prop_map(|(task, at)| ToRust::Started { task, at }),
        (option::of(number()), text()).prop_map(|(seconds, reason)| ToRust::Limit {
            seconds: seconds.map(f64::from),
            reason,
        }),
        (
            (number(), outcome(), seconds(), bytes()),
            vec(shared(), 0..4),
            (number(), any::<bool>()),
            option::of(story().prop_map(Box::new)),
        )
            .prop_map(
                |((task, outcome, seconds, payload), shared, (reruns, excused), story)| {
                    ToRust::Result {
                        task,
                        outcome,
                        seconds,
                        payload,
                        shared,
                        reruns,
                        excused,
                        story,
                    }
                }
            ),
        any::<bool>().prop_map(|room| ToRust::MakesRoom { room }),
        vec(told(), 0..6).prop_map(|told| ToRust::Told { told }),
        vec((text(), self::number()), 0..20).prop_map(|files| ToRust::Imported { files }),
        vec(number(), 0..50).prop_map(|tasks| ToRust::Returned { tasks }),
        text().prop_map(|reason| ToRust::StopRun { reason }),
        (bytes(), option::of(text()))
            .prop_map(|(payload, error)| ToRust::Finished { payload, error }),
        (any::<u32>(), any::<u32>(), option::of(text())).prop_map(|(short, genuine, reason)| {
            ToRust::Ways {
                short,
                genuine,
                reason,
            }
        }),
        (any::<u32>(), any::<u32>(), option::of(text())).prop_map(|(short, genuine, reason)| {
            ToRust::Built {
                short,
                genuine,
                reason,
            }
        }),
        any::<i32>().prop_map(|exit| ToRust::SessionOver { exit }),
    ]
}

fn returns<M: Message + PartialEq + std::fmt::Debug>(messages: &[M]) -> Result<(), TestCaseError> {
    let mut writer = FrameWriter::new(Vec::new());
    for message in messages {
        let body = encode(message).expect("any message can be written");
        prop_assert_eq!(
            &decode::<M>(&body).expect("what was written can be read"),
            message
        );
        for end in 0..body.len() {
            prop_assert!(matches!(decode::<M>(&body[..end]), Err(Error::Truncated)));
        }
        let longer = [&body[..], b"\xc0"].concat();
        let followed = matches!(decode::<M>(&longer), Err(Error::TrailingBytes { count: 1 }));
        prop_assert!(followed);
        writer.write(message).expect("any message can be written");
    }
    let stream = writer.into_inner();
    let mut reader = FrameReader::new(&stream[..]);
    for message in messages {
        let read = reader.read::<M>().expect("what was written can be read");
        prop_assert_eq!(read.as_ref(), Some(message));
    }
    prop_assert!(matches!(reader.read::<M>(), Ok(None)));
    Ok(())
}

/// Reads what comes as a peer would, until the stream is of no more use.
fn read_all<M: Message>(stream: &[u8]) {
    let mut reader = FrameReader::new(stream);
    while let Ok(Some(body)) = reader.read_frame() {
        let _ = decode::<M>(body);
    }
}

proptest! {
    #[test]
    fn to_python_returns(messages in vec(to_python(), 0..4)) {
        returns(&messages)?;
    }

    #[test]
    fn to_rust_returns(messages in vec(to_rust(), 0..4)) {
        returns(&messages)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(stream in vec(any::<u8>(), 0..2000)) {
        read_all::<ToPython>(&stream);
        read_all::<ToRust>(&stream);
        let _ = decode::<ToPython>(&stream);
        let _ = decode::<ToRust>(&stream);
    }

    #[test]
    fn damaged_messages_are_read_or_refused(
        to_python in to_python(),
        to_rust in to_rust(),
        damages in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bodies = [
            encode(&to_python).expect("any message can be written"),
            encode(&to_rust).expect("any message can be written"),
        ];
        for body in &mut bodies {
            for (place, byte) in &damages {
                let place = place.index(body.len());
                body[place] = *byte;
            }
        }
        let _ = decode::<ToPython>(&bodies[0]);
        let _ = decode::<ToRust>(&bodies[1]);
        let frame = [&(bodies[1].len() as u32).to_be_bytes()[..], &bodies[1]].concat();
        read_all::<ToRust>(&frame);
        read_all::<ToRust>(&bodies[1]);
    }
}
