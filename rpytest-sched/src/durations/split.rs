//! The durations that pytest-split keeps.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{DurationHistory, file_of};

/// What [pytest-split](https://github.com/jerry-git/pytest-split) has written to its `.test_durations`: seconds by node id,
/// one number for each test (setup, call and teardown together).
///
/// Both of its forms are read: the object that it writes, and the list of pairs that its first versions wrote, in which
/// a later pair replaces an earlier one. Reading the file is the caller's.
///
/// ```
/// use rpytest_sched::durations::SplitDurations;
///
/// let text = r#"{"tests/test_a.py::test_x": 0.25, "tests/test_a.py::test_y[1]": 3.5}"#;
/// let durations: SplitDurations = serde_json::from_str(text)?;
/// let history = durations.history(1);
/// let estimate = history.estimates().estimate("tests/test_a.py", "tests/test_a.py::test_x");
/// assert_eq!(estimate.seconds, 0.25);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SplitDurations {
    seconds: BTreeMap<String, f64>,
}

impl SplitDurations {
    /// Node ids and seconds, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.seconds
            .iter()
            .map(|(nodeid, &seconds)| (nodeid.as_str(), seconds))
    }

    /// The same as the history of one run of that number. The keys are the node ids, the files what is before their
    /// first `::`.
    #[must_use]
    pub fn history(&self, run: u64) -> DurationHistory {
        let mut history = DurationHistory::new();
        for (nodeid, seconds) in self.iter() {
            history.record_total(file_of(nodeid), nodeid, run, seconds);
        }
        history
    }
}

impl<'de> Deserialize<'de> for SplitDurations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = BTreeMap<String, f64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds by node id, or a list of such pairs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut seconds = BTreeMap::new();
                while let Some((nodeid, took)) = map.next_entry()? {
                    seconds.insert(nodeid, took);
                }
                Ok(seconds)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut seconds = BTreeMap::new();
                while let Some((nodeid, took)) = seq.next_element()? {
                    seconds.insert(nodeid, took);
                }
                Ok(seconds)
            }
        }

        let seconds = deserializer.deserialize_any(Forms)?;
        Ok(Self { seconds })
    }
}
