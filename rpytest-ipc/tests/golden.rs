//! The bytes on the wire, as they were when they were last looked at.
//!
//! `RPYTEST_BLESS=1 cargo test -p rpytest-ipc --test golden` writes the files anew. A change of one that
//! is there already is a change of the protocol.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use rpytest_ipc::{
    Event, FrameReader, MAX_FRAME, Message, ToPython, ToRust, decode, encode, encode_frame,
};
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

mod samples;
use samples::{Sample, samples};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn frames_are_as_recorded() {
    let mut manifest = String::from("{");
    let mut names = BTreeSet::new();
    for (name, sample) in samples() {
        let (frame, json) = match &sample {
            Sample::ToPython(message) => both_ways(&name, message),
            Sample::ToRust(message) => both_ways(&name, message),
        };
        let comma = if names.is_empty() { "" } else { "," };
        write!(manifest, "{comma}\n  \"{name}\": {json}").expect("a string takes all");
        assert!(names.insert(format!("{name}.bin")), "{name} is used twice");
        compare(&folder().join(format!("{name}.bin")), &frame);
    }
    manifest.push_str("\n}\n");
    compare(&folder().join("golden.json"), manifest.as_bytes());

    names.insert("golden.json".to_owned());
    let present: BTreeSet<_> = fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect();
    assert_eq!(
        present, names,
        "every golden file has a sample, and the reverse"
    );
}

/// The frame of the message and its view in JSON.
fn both_ways<M: Message + PartialEq + fmt::Debug>(name: &str, message: &M) -> (Vec<u8>, String) {
    let frame = encode_frame(message, MAX_FRAME).expect(name);
    assert_eq!(frame[4..], encode(message).expect(name));
    let json = rmp_serde::from_slice::<Json>(&frame[4..]).expect(name).0;

    let recorded = folder().join(format!("{name}.bin"));
    if !blessing() {
        let recorded =
            fs::read(&recorded).unwrap_or_else(|error| panic!("{}: {error}", recorded.display()));
        let mut reader = FrameReader::new(&recorded[..]);
        assert_eq!(reader.read::<M>().expect(name).as_ref(), Some(message));
        assert_eq!(reader.read::<M>().expect(name), None);
    }
    (frame, json)
}

fn blessing() -> bool {
    std::env::var_os("RPYTEST_BLESS").is_some_and(|value| value == "1")
}

fn compare(path: &Path, content: &[u8]) {
    if blessing() {
        fs::write(path, content).expect("the golden files can be written");
        return;
    }
    let recorded = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        recorded == content,
        "{} differs: the wire format has changed",
        path.display()
    );
}

#[test]
fn every_variant_has_a_sample() {
    let mut seen = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for (_, sample) in samples() {
        match sample {
            Sample::ToPython(message) => {
                seen[0].insert(tag(&message, "type"));
                if let ToPython::Event { event, .. } = &message {
                    seen[1].insert(tag(event, "kind"));
                }
            }
            Sample::ToRust(message) => {
                seen[2].insert(tag(&message, "type"));
            }
        }
    }
    assert_eq!(
        seen,
        [
            variants::<ToPython>("type"),
            variants::<Event>("kind"),
            variants::<ToRust>("type")
        ]
    );
}

fn tag(message: &impl serde::Serialize, key: &str) -> String {
    let json = serde_json::to_value(message).expect("messages have string keys");
    json[key].as_str().expect("a message has a tag").to_owned()
}

/// The names of all variants, which serde lists when it is given another.
fn variants<T: DeserializeOwned>(key: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_str::<T>(&format!(r#"{{"{key}": "?"}}"#)) else {
        panic!("there is a variant `?`");
    };
    let text = error.to_string();
    let (_, list) = text
        .split_once("expected one of ")
        .expect("serde lists the variants");
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn fields_that_are_left_out_have_defaults() {
    // As a sender of an earlier build would write them.
    let body = rmp_serde::to_vec_named(&serde_json::json!({
        "type": "start", "role": "worker", "argv": [], "worker": null,
    }));
    let message = decode::<ToPython>(&body.expect("it is plain data")).expect("it is complete");
    assert!(matches!(message, ToPython::Start { settled, .. } if settled.is_empty()));
    let body = rmp_serde::to_vec_named(&serde_json::json!({
        "type": "run", "assignments": [{"task": 1, "address": {"nodeid": "a"}}],
    }));
    let message = decode::<ToPython>(&body.expect("it is plain data")).expect("it is complete");
    assert!(matches!(message, ToPython::Run { assignments } if assignments[0].address.nth == 0));
}

/// A MessagePack value as JSON text, its keys in their order and bytes as `{"$bin": "hex"}`.
struct Json(String);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct View;

        impl<'de> Visitor<'de> for View {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value of the protocol")
            }

            fn visit_unit<E: de::Error>(self) -> Result<String, E> {
                Ok("null".to_owned())
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
                Ok(value.to_string())
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
                Ok(value.to_string())
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
                Ok(value.to_string())
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
                serde_json::to_string(&value).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
                serde_json::to_string(value).map_err(E::custom)
            }

            fn visit_bytes<E: de::Error>(self, value: &[u8]) -> Result<String, E> {
                let mut hex = String::with_capacity(2 * value.len());
                for byte in value {
                    write!(hex, "{byte:02x}").map_err(E::custom)?;
                }
                Ok(format!("{{\"$bin\": \"{hex}\"}}"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<String, A::Error> {
                let mut parts = Vec::new();
                while let Some(Json(value)) = values.next_element()? {
                    parts.push(value);
                }
                Ok(format!("[{}]", parts.join(", ")))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<String, A::Error> {
                let mut parts = Vec::new();
                while let Some((Json(key), Json(value))) = entries.next_entry()? {
                    parts.push(format!("{key}: {value}"));
                }
                Ok(format!("{{{}}}", parts.join(", ")))
            }
        }

        deserializer.deserialize_any(View).map(Json)
    }
}
