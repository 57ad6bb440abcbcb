//! JSON-RPC 2.0: what came, and what is answered.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The codes of errors; those below -32099 are the Language Server Protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    ParseError = -32700,
    InvalidRequest = -32600,
    MethodNotFound = -32601,
    InvalidParams = -32602,
    InternalError = -32603,
    NotInitialized = -32002,
    RequestCancelled = -32800,
    /// What was asked for could not be done.
    RequestFailed = -32803,
}

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// What a client says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Incoming {
    /// None for a notification, which has no answer.
    pub id: Option<Value>,
    pub method: String,
    pub params: Params,
}

/// Parameters by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Params(Map<String, Value>);

/// A body as a message. None for an answer, since nothing is asked of clients, and for a notification that says nothing.
pub(super) fn parse(body: &[u8]) -> Result<Option<Incoming>, (Value, Failure)> {
    let invalid = |id: &Value, message: &str| {
        let failure = Failure::new(Code::InvalidRequest, message);
        (id.clone(), failure)
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        (
            Value::Null,
            Failure::new(Code::ParseError, error.to_string()),
        )
    })?;
    let Value::Object(mut message) = value else {
        return Err(invalid(&Value::Null, "a message is an object"));
    };
    let id = message.remove("id");
    let shown = id.clone().unwrap_or(Value::Null);
    if !matches!(id, None | Some(Value::String(_) | Value::Number(_))) {
        return Err(invalid(&Value::Null, "an id is a string or a number"));
    }
    if message.get("jsonrpc") != Some(&json!("2.0")) {
        return Err(invalid(&shown, "jsonrpc is not \"2.0\""));
    }
    let method = match message.remove("method") {
        Some(Value::String(method)) => method,
        None if message.contains_key("result") || message.contains_key("error") => return Ok(None),
        _ => return Err(invalid(&shown, "a request has a method, which is a string")),
    };
    let params = match message.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        // As some clients say that there are none.
        Some(Value::Array(params)) if params.is_empty() => Map::new(),
        // Whatever is wrong with it, a notification has no answer.
        Some(_) if id.is_none() => return Ok(None),
        Some(_) => {
            let failure = Failure::new(Code::InvalidParams, "params are an object");
            return Err((shown, failure));
        }
    };
    Ok(Some(Incoming {
        id,
        method,
        params: Params(params),
    }))
}

impl Params {
    fn wrong(name: &str, what: &str) -> Failure {
        Failure::new(Code::InvalidParams, format!("{name} is {what}"))
    }

    /// A string, if it is there.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::wrong(name, "no string")),
        }
    }

    pub fn required_text(&self, name: &str) -> Result<&str, Failure> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Self::wrong(name, "missing, or empty"))
    }

    /// A line, from 1.
    pub fn line(&self, name: &str) -> Result<u32, Failure> {
        let line = self.0.get(name).and_then(Value::as_u64);
        let line = line.and_then(|line| u32::try_from(line).ok());
        line.filter(|line| *line > 0)
            .ok_or_else(|| Self::wrong(name, "no line; they are counted from 1"))
    }

    /// Strings, one or several.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(texts)) => {
                let texts = texts.iter().map(|text| text.as_str().map(str::to_owned));
                let texts: Option<Vec<String>> = texts.collect();
                texts
                    .map(Some)
                    .ok_or_else(|| Self::wrong(name, "no list of strings"))
            }
            Some(_) => Err(Self::wrong(name, "no list of strings")),
        }
    }

    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'static str,
    id: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// The body of an answer.
pub(super) fn answer(id: &Value, result: &Result<Value, Failure>) -> Vec<u8> {
    let answer = Answer {
        jsonrpc: "2.0",
        id,
        result: result.as_ref().ok(),
        error: (result.as_ref().err())
            .map(|failure| json!({"code": failure.code as i32, "message": failure.message})),
    };
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// The body of a notification.
pub(super) fn notification(method: &str, params: &Value) -> Vec<u8> {
    let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
    serde_json::to_vec(&message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_refused_with_the_code_for_it() {
        for (body, id, code) in [
            ("{", Value::Null, Code::ParseError),
            ("[]", Value::Null, Code::InvalidRequest),
            ("{\"id\": 1}", json!(1), Code::InvalidRequest),
            (
                "{\"jsonrpc\": \"2.0\", \"id\": []}",
                Value::Null,
                Code::InvalidRequest,
            ),
            (
                "{\"jsonrpc\": \"2.0\", \"id\": \"a\", \"method\": 3}",
                json!("a"),
                Code::InvalidRequest,
            ),
            (
                "{\"jsonrpc\": \"2.0\", \"id\": 2, \"method\": \"m\", \"params\": [1]}",
                json!(2),
                Code::InvalidParams,
            ),
        ] {
            let (found, failure) = parse(body.as_bytes()).expect_err(body);
            assert_eq!((found, failure.code), (id, code), "{body}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(deep.as_bytes()).is_err());
        for body in [
            "{\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": null}",
            "{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"params\": [1]}",
            "{\"jsonrpc\": \"2.0\", \"method\": \"m\", \"params\": 1}",
        ] {
            assert_eq!(parse(body.as_bytes()), Ok(None), "{body}");
        }
    }

    #[test]
    fn an_empty_list_is_no_parameters() {
        for (id, shown) in [(None, ""), (Some(json!(1)), ", \"id\": 1")] {
            let body =
                format!("{{\"jsonrpc\": \"2.0\", \"method\": \"exit\", \"params\": []{shown}}}");
            let incoming = Incoming {
                id,
                method: "exit".to_owned(),
                params: Params::default(),
            };
            assert_eq!(parse(body.as_bytes()), Ok(Some(incoming)));
        }
    }
}
