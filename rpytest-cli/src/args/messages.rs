//! What of the command line is about messages for machines.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::UsageError;
use super::given::Given;

pub(super) const FORMAT: &str = "--message-format";
pub(super) const JSON: &str = "--json";
pub(super) const GITHUB: &str = "--github";
const FORMATS: &str = "json or teamcity, and a path after = if standard output is not meant";

/// What tells machines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageArguments {
    /// `--message-format`, which may be given more than once.
    pub outputs: Vec<MessageOutput>,
    /// `--github`: annotations, and a summary of the step.
    pub github: bool,
}

/// One stream of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageOutput {
    /// What they are.
    pub format: MessageFormat,
    /// The file that they go to, instead of standard output.
    pub path: Option<PathBuf>,
}

/// What messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageFormat {
    /// JSON objects, one a line.
    Json,
    /// TeamCity's service messages.
    Teamcity,
}

impl MessageArguments {
    /// Whether nobody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.outputs.is_empty() && !self.github
    }

    /// With what the environment asks for: `RPYTEST_MESSAGE_FORMAT`, where no format is given, and `RPYTEST_GITHUB`.
    pub(crate) fn with(
        mut self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, UsageError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(value) = given("RPYTEST_MESSAGE_FORMAT").filter(|_| self.outputs.is_empty()) {
            self.add("RPYTEST_MESSAGE_FORMAT", &value)?;
        }
        if let Some(value) = given("RPYTEST_GITHUB") {
            self.github |= match value.to_str() {
                Some("1" | "true") => true,
                Some("0" | "false") => false,
                _ => {
                    return Err(UsageError::Value {
                        option: "RPYTEST_GITHUB",
                        problem: format!("{value:?} is neither 1 nor 0"),
                    });
                }
            };
        }
        Ok(self)
    }

    fn add(&mut self, option: &'static str, value: &OsStr) -> Result<(), UsageError> {
        let wrong = |problem: String| UsageError::Value { option, problem };
        let (name, path) = split(value);
        let format = match name.to_str() {
            Some("json") => MessageFormat::Json,
            Some("teamcity") => MessageFormat::Teamcity,
            _ => return Err(wrong(format!("{value:?} is no format; it is {FORMATS}"))),
        };
        if path.as_ref().is_some_and(|path| path.is_empty()) {
            return Err(wrong("there is no path after =".to_owned()));
        }
        let path = path.filter(|path| path != "-").map(PathBuf::from);
        if let Some(other) = self.outputs.iter().find(|output| output.path == path) {
            let where_to = match &other.path {
                Some(path) => format!("{} is", path.display()),
                None => "standard output is".to_owned(),
            };
            let problem = format!("{where_to} one format's alone; give another a path of its own");
            return Err(wrong(problem));
        }
        self.outputs.push(MessageOutput { format, path });
        Ok(())
    }
}

/// What the options say.
pub(super) fn read(given: &Given) -> Result<MessageArguments, UsageError> {
    let mut messages = MessageArguments::default();
    for (option, value) in given.all_of(&[FORMAT, JSON]) {
        let format = value.unwrap_or(OsStr::new("json"));
        messages.add(option, format)?;
    }
    messages.github = given.has(GITHUB);
    Ok(messages)
}

/// What is before the first `=`, and after it.
fn split(word: &OsStr) -> (OsString, Option<OsString>) {
    let bytes = word.as_encoded_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        None => (word.to_owned(), None),
        Some(at) => {
            // SAFETY: both pieces end at an ASCII character of a valid whole.
            #[expect(unsafe_code, reason = "paths need not be UTF-8")]
            let piece =
                |bytes: &[u8]| unsafe { OsString::from_encoded_bytes_unchecked(bytes.to_vec()) };
            (piece(&bytes[..at]), Some(piece(&bytes[at + 1..])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<MessageArguments, String> {
        let words = line.split_whitespace().map(OsString::from);
        let given = Given::divide(words.collect());
        given
            .and_then(|given| read(&given))
            .map_err(|error| error.to_string())
    }

    fn output(format: MessageFormat, path: Option<&str>) -> MessageOutput {
        MessageOutput {
            format,
            path: path.map(PathBuf::from),
        }
    }

    #[test]
    fn formats_have_paths_of_their_own() {
        use MessageFormat::{Json, Teamcity};
        for (line, outputs) in [
            ("--json", vec![output(Json, None)]),
            ("--message-format json", vec![output(Json, None)]),
            ("--message-format=json=-", vec![output(Json, None)]),
            ("--message-format=json=a=b", vec![output(Json, Some("a=b"))]),
            (
                "--message-format json=x --message-format teamcity",
                vec![output(Json, Some("x")), output(Teamcity, None)],
            ),
        ] {
            assert_eq!(parse(line).expect(line).outputs, outputs, "{line}");
        }
        assert!(parse("--github").expect("ours").github);
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for (line, problem) in [
            (
                "--message-format=xml",
                "--message-format: \"xml\" is no format; it is json or teamcity, and a path after = if standard output is not meant",
            ),
            (
                "--message-format json=",
                "--message-format: there is no path after =",
            ),
            (
                "--json --message-format teamcity",
                "--message-format: standard output is one format's alone; give another a path of its own",
            ),
            (
                "--message-format json=a --message-format json=a",
                "--message-format: a is one format's alone; give another a path of its own",
            ),
            (
                "--github=no",
                "--github: it takes no value, but \"no\" was given",
            ),
        ] {
            assert_eq!(parse(line).expect_err(line), problem, "{line}");
        }
    }

    #[test]
    fn the_environment_asks_where_the_command_line_does_not() {
        let with = |line: &str, name: &'static str, value: &'static str| {
            let given = parse(line).expect(line);
            let variable = |asked: &str| (asked == name).then(|| OsString::from(value));
            given.with(variable).map_err(|error| error.to_string())
        };
        let given = with("", "RPYTEST_MESSAGE_FORMAT", "json=x").expect("a format");
        assert_eq!(given.outputs, [output(MessageFormat::Json, Some("x"))]);
        let given = with("--json", "RPYTEST_MESSAGE_FORMAT", "teamcity").expect("a format");
        assert_eq!(given.outputs, [output(MessageFormat::Json, None)]);
        assert!(with("", "RPYTEST_GITHUB", "1").expect("it").github);
        assert!(with("", "RPYTEST_GITHUB", "0").expect("it").is_empty());
        let error = with("", "RPYTEST_GITHUB", "yes").expect_err("neither");
        assert_eq!(error, "RPYTEST_GITHUB: \"yes\" is neither 1 nor 0");
    }
}
