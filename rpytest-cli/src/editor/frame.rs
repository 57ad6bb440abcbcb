//! Frames as the Language Server Protocol has them: headers, an empty line, and as many bytes as `Content-Length` says.

use std::io::{self, BufRead, Read, Write};

/// The longest header line that is read.
const LONGEST_LINE: u64 = 8 << 10;
const CONTENT_LENGTH: &str = "content-length:";
/// The largest body that is read.
const LARGEST: u64 = 64 << 20;

/// Why something that came is no frame. What follows it may be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a header has no Content-Length")]
    NoLength,
    #[error("{0:?} is no Content-Length")]
    Length(String),
    #[error("a header line of more than 8 KiB")]
    LongLine,
    #[error("a message of {0} bytes; 64 MiB are the most")]
    Large(u64),
}

/// The next body; none when the stream has ended.
pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, Malformed>>> {
    let mut length: Option<Result<u64, Malformed>> = None;
    let mut is_long = false;
    let mut is_begun = false;
    loop {
        let mut line = Vec::new();
        from.by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            if (line.len() as u64) < LONGEST_LINE {
                return Ok(None);
            }
            // A line goes on for as long as it does.
            is_long = true;
            skip_line(from)?;
            is_begun = true;
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            if is_begun {
                break;
            }
            continue;
        }
        is_begun = true;
        // The body of a message whose length nobody could read may stand before it.
        if let Some(at) = text.to_ascii_lowercase().rfind(CONTENT_LENGTH) {
            let value = text[at + CONTENT_LENGTH.len()..].trim();
            let parsed = value
                .parse()
                .map_err(|_| Malformed::Length(value.to_owned()));
            length = Some(parsed);
        }
    }
    let length = match length {
        None if is_long => return Ok(Some(Err(Malformed::LongLine))),
        None => return Ok(Some(Err(Malformed::NoLength))),
        Some(Err(error)) => return Ok(Some(Err(error))),
        Some(Ok(length)) => length,
    };
    if length > LARGEST {
        io::copy(&mut from.by_ref().take(length), &mut io::sink())?;
        return Ok(Some(Err(Malformed::Large(length))));
    }
    // It grows with what is there, not with the length that is claimed.
    let mut body = Vec::new();
    from.by_ref().take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Ok(None);
    }
    Ok(Some(Ok(body)))
}

fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let mut rest = Vec::new();
        from.by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut rest)?;
        if rest.is_empty() || rest.last() == Some(&b'\n') {
            return Ok(());
        }
    }
}

/// Writes a body as a frame.
pub(super) fn write(to: &mut impl Write, body: &[u8]) -> io::Result<()> {
    write!(to, "Content-Length: {}\r\n\r\n", body.len())?;
    to.write_all(body)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Result<String, Malformed>> {
        let mut from = bytes;
        let mut found = Vec::new();
        while let Some(frame) = read(&mut from).expect("memory can be read") {
            found.push(frame.map(|body| String::from_utf8_lossy(&body).into_owned()));
        }
        found
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = Vec::new();
        for body in ["{}", "", "ß\r\n\r\n"] {
            write(&mut bytes, body.as_bytes()).expect("memory takes all");
        }
        let expected = ["{}", "", "ß\r\n\r\n"].map(|body| Ok(body.to_owned()));
        assert_eq!(all(&bytes), expected);
        // Cut off anywhere, it is the end.
        for length in 0..bytes.len() {
            assert!(all(&bytes[..length]).iter().all(Result::is_ok));
        }
    }

    #[test]
    fn what_is_malformed_does_not_hide_what_follows() {
        let long = format!("{}\r\n\r\n", "x".repeat(20_000));
        for (before, error) in [
            ("Content-Type: x\r\n\r\n", Malformed::NoLength),
            ("{\"jsonrpc\": 1}\r\n\r\n", Malformed::NoLength),
            (
                "Content-Length: -1\r\n\r\n",
                Malformed::Length("-1".to_owned()),
            ),
            (
                "Content-Length: -1\r\n\r\n{\"a\":1}",
                Malformed::Length("-1".to_owned()),
            ),
            ("Content-Type: x\r\n\r\n{\n\"a\": 1\n}", Malformed::NoLength),
            (long.as_str(), Malformed::LongLine),
        ] {
            let bytes = format!("{before}content-length:2\nContent-Type: y\n\n[]");
            assert_eq!(all(bytes.as_bytes()), [Err(error), Ok("[]".to_owned())]);
        }
        let claimed = b"Content-Length: 99999999999999\r\n\r\n{}";
        assert_eq!(all(claimed), [Err(Malformed::Large(99_999_999_999_999))]);
    }
}
