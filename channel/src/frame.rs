//! What passes on a lane: frames, each a header of eight bytes and perhaps a payload.
//!
//! A header is the kind (1 byte), the number of the stream (1), nothing (2), and a number (4, little-endian):
//!
//! | kind | number | then |
//! |---|---|---|
//! | 1, data | length of the payload, 1 to [`MAX_PAYLOAD`] | the payload |
//! | 2, grant | bytes more that the peer may send on the stream, from 1 | |
//! | 3, end | 0 | |
//! | 4, ping, on stream 0 | 0 | |
//! | 5, leave, on stream 0 | why: 1, stopped; 2, no more time | |

use crate::leave::Leave;

/// All bytes of a header.
pub(crate) const HEADER: usize = 8;
/// The longest payload.
pub(crate) const MAX_PAYLOAD: usize = 128 << 10;
/// The most bytes of a stream that may be on their way, and unread at the peer.
pub(crate) const WINDOW: usize = 4 << 20;
/// The same as long as the peer has not opened the stream. Opening it grants the rest.
pub(crate) const FIRST_WINDOW: usize = 64 << 10;
/// How many streams a connection has: their numbers are below this.
pub const MAX_STREAMS: u32 = 16;

/// A header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frame {
    Data {
        stream: usize,
        length: usize,
    },
    Grant {
        stream: usize,
        bytes: usize,
    },
    End {
        stream: usize,
    },
    Ping,
    /// The last of a party that goes before its time.
    Leave(Leave),
}

impl Frame {
    pub(crate) fn encode(self) -> [u8; HEADER] {
        let (kind, stream, number) = match self {
            Self::Data { stream, length } => (1, stream, length),
            Self::Grant { stream, bytes } => (2, stream, bytes),
            Self::End { stream } => (3, stream, 0),
            Self::Ping => (4, 0, 0),
            Self::Leave(why) => (5, 0, why.number()),
        };
        let stream = u8::try_from(stream).expect("streams have small numbers");
        let number = u32::try_from(number).expect("at most a window");
        let [a, b, c, d] = number.to_le_bytes();
        [kind, stream, 0, 0, a, b, c, d]
    }

    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(header: [u8; HEADER]) -> Result<Self, &'static str> {
        let [kind, stream, 0, 0, number @ ..] = header else {
            return Err("a header of no known form");
        };
        if u32::from(stream) >= MAX_STREAMS {
            return Err("a stream of too high a number");
        }
        let stream = usize::from(stream);
        let number = usize::try_from(u32::from_le_bytes(number)).unwrap_or(usize::MAX);
        match (kind, stream, number) {
            (1, _, 1..=MAX_PAYLOAD) => Ok(Self::Data {
                stream,
                length: number,
            }),
            (1, ..) => Err("a payload of no allowed length"),
            (2, _, 1..=WINDOW) => Ok(Self::Grant {
                stream,
                bytes: number,
            }),
            (2, ..) => Err("a grant of no allowed size"),
            (3, _, 0) => Ok(Self::End { stream }),
            (4, 0, 0) => Ok(Self::Ping),
            (5, 0, why) => {
                let why = Leave::of(why);
                why.map(Self::Leave).ok_or("a leave for no known reason")
            }
            _ => Err("a frame of no known kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_wire_and_others_are_refused() {
        let frames = [
            Frame::Data {
                stream: 15,
                length: MAX_PAYLOAD,
            },
            Frame::Grant {
                stream: 1,
                bytes: WINDOW,
            },
            Frame::End { stream: 3 },
            Frame::Ping,
            Frame::Leave(Leave::Stopped),
            Frame::Leave(Leave::TimeOver),
        ];
        for frame in frames {
            assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
        let refused: [[u8; HEADER]; 12] = [
            [0, 0, 0, 0, 1, 0, 0, 0],
            [5, 0, 0, 0, 0, 0, 0, 0],
            [5, 0, 0, 0, 3, 0, 0, 0],
            [5, 1, 0, 0, 1, 0, 0, 0],
            [6, 0, 0, 0, 0, 0, 0, 0],
            [1, 16, 0, 0, 1, 0, 0, 0],
            [1, 0, 1, 0, 1, 0, 0, 0],
            [1, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 1, 0, 2, 0],
            [2, 0, 0, 0, 0, 0, 0, 0],
            [3, 0, 0, 0, 1, 0, 0, 0],
            [4, 1, 0, 0, 0, 0, 0, 0],
        ];
        for header in refused {
            assert!(Frame::decode(header).is_err(), "{header:?}");
        }
    }
}
