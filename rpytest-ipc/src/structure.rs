//! A look at the shape of a message before it is decoded.
//!
//! The decoder is recursive, and an internally tagged enum makes it buffer what it does not know yet.
//! So what a message may be made of is checked first, in one pass that neither recurses nor allocates,
//! by the rules that the Python side has as well: one value, nested no deeper than [`MAX_DEPTH`], of
//! the types that the protocol uses, with strings for keys, to the last byte.

use crate::error::{Error, Result};

/// Arrays and maps may be nested this deep; a message itself is at depth 1.
pub const MAX_DEPTH: usize = 64;

/// An array or a map of which values are still to come.
#[derive(Clone, Copy)]
struct Open {
    /// Values to come; a map's keys count as well, so before a key it is even.
    left: u64,
    map: bool,
}

/// Checks that `body` is one value that the protocol allows.
pub(crate) fn check(body: &[u8]) -> Result<()> {
    let mut open = [Open {
        left: 0,
        map: false,
    }; MAX_DEPTH];
    let mut depth = 0;
    let mut rest = body;
    loop {
        let (&marker, after) = rest.split_first().ok_or(Error::Truncated)?;
        if let Some(Open { left, map: true }) = open[..depth].last()
            && left % 2 == 0
            && !matches!(marker, 0xa0..=0xbf | 0xd9..=0xdb)
        {
            return Err(Error::KeyNotString);
        }
        let (payload, opened) = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (Payload::Fixed(0), None),
            0x80..=0x8f => (Payload::Fixed(0), Some((u64::from(marker & 0x0f), true))),
            0x90..=0x9f => (Payload::Fixed(0), Some((u64::from(marker & 0x0f), false))),
            0xa0..=0xbf => (Payload::Fixed(usize::from(marker & 0x1f)), None),
            0xc4 | 0xd9 => (Payload::Prefixed(1), None),
            0xc5 | 0xda => (Payload::Prefixed(2), None),
            0xc6 | 0xdb => (Payload::Prefixed(4), None),
            0xcc | 0xd0 => (Payload::Fixed(1), None),
            0xcd | 0xd1 => (Payload::Fixed(2), None),
            0xca | 0xce | 0xd2 => (Payload::Fixed(4), None),
            0xcb | 0xcf | 0xd3 => (Payload::Fixed(8), None),
            0xdc => (Payload::Fixed(2), Some((length(after, 2)?, false))),
            0xdd => (Payload::Fixed(4), Some((length(after, 4)?, false))),
            0xde => (Payload::Fixed(2), Some((length(after, 2)?, true))),
            0xdf => (Payload::Fixed(4), Some((length(after, 4)?, true))),
            0xc1 | 0xc7..=0xc9 | 0xd4..=0xd8 => return Err(Error::UnsupportedValue { marker }),
        };
        let size = match payload {
            Payload::Fixed(size) => size,
            Payload::Prefixed(width) => usize::try_from(length(after, width)?)
                .ok()
                .and_then(|length| length.checked_add(width))
                .ok_or(Error::Truncated)?,
        };
        rest = after.get(size..).ok_or(Error::Truncated)?;
        if let Some((count, map)) = opened {
            let slot = open
                .get_mut(depth)
                .ok_or(Error::TooDeep { max: MAX_DEPTH })?;
            *slot = Open {
                left: if map { 2 * count } else { count },
                map,
            };
            depth += 1;
        } else if depth > 0 {
            open[depth - 1].left -= 1;
        }
        // Each array or map that is complete is a value of the one around it.
        while depth > 0 && open[depth - 1].left == 0 {
            depth -= 1;
            if depth > 0 {
                open[depth - 1].left -= 1;
            }
        }
        if depth == 0 {
            return match rest.len() {
                0 => Ok(()),
                count => Err(Error::TrailingBytes { count }),
            };
        }
    }
}

/// What follows a marker and is not a value of its own.
enum Payload {
    /// So many bytes.
    Fixed(usize),
    /// As many bytes as a length of this width says, and the length.
    Prefixed(usize),
}

/// The big-endian number in the first `width` bytes.
fn length(bytes: &[u8], width: usize) -> Result<u64> {
    let digits = bytes.get(..width).ok_or(Error::Truncated)?;
    Ok(digits
        .iter()
        .fold(0, |number, &digit| number << 8 | u64::from(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(body: &[u8]) -> String {
        match check(body) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn whole_values_pass() {
        for body in [
            &b"\x80"[..],
            b"\xc0",
            b"\x81\xa1a\x92\x01\x81\xa1b\x90",
            b"\x82\xa1a\x80\xa1b\xc4\x02\xff\xff",
            b"\xdc\x00\x01\xcb\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\xdf\x00\x00\x00\x01\xd9\x01a\xd0\x80",
        ] {
            assert_eq!(verdict(body), "ok", "{body:x?}");
        }
    }

    #[test]
    fn every_cut_is_truncated() {
        let body = b"\x84\xa1a\x92\x01\xcd\x01\x02\xa1b\xc4\x02\xff\xff\xd9\x01c\xc3\xa1d\xdd\x00\x00\x00\x01\xc0";
        assert_eq!(verdict(body), "ok");
        for end in 0..body.len() {
            assert!(
                matches!(check(&body[..end]), Err(Error::Truncated)),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn what_the_protocol_lacks_is_refused() {
        assert_eq!(
            verdict(b"\x80\xc0\xc0"),
            "decode a message that is followed by 2 bytes"
        );
        assert_eq!(
            verdict(b"\x81\x01\x01"),
            "decode a message with a key that is not a string"
        );
        assert_eq!(
            verdict(b"\xd4\x01\x01"),
            "decode a message with a value of the unsupported type 0xd4"
        );
        assert_eq!(
            verdict(b"\xdd\xff\xff\xff\xff"),
            "decode a message that is truncated"
        );
        assert_eq!(
            verdict(b"\xdb\xff\xff\xff\xff"),
            "decode a message that is truncated"
        );
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| {
            let mut body = vec![0x91; depth - 1];
            body.push(0x90);
            body
        };
        assert_eq!(verdict(&nested(MAX_DEPTH)), "ok");
        assert_eq!(
            verdict(&nested(MAX_DEPTH + 1)),
            "decode a message that is nested deeper than 64"
        );
        assert_eq!(
            verdict(&vec![0x91; 10_000_000]),
            "decode a message that is nested deeper than 64"
        );
    }
}
