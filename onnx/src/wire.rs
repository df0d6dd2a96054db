//! A check of what the parser trusts, before it sees the bytes.
//!
//! `rten-onnx` follows lengths and nesting as the file gives them: it would allocate a length beyond the
//! end (or overflow), recurse without bound for graphs within attributes, and misread everything behind
//! a packed field that is cut inside a number. One pass over the messages that it knows refuses all of
//! these, and bounds the number of messages.

use crate::Error;

/// The most messages and the most fields. Real networks have some ten thousand.
const MAX_MESSAGES: usize = 1 << 18;
const MAX_FIELDS: usize = 1 << 22;
/// The deepest nesting. Real files have about seven levels.
const MAX_DEPTH: usize = 24;

/// The messages of onnx.proto that the parser descends into.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Sequence,
    Shape,
    Leaf,
}

/// What a length-delimited field holds.
enum Content {
    Message(Message),
    Varints,
    Fixed(usize),
    Bytes,
}

const fn content(message: Message, field: u64) -> Content {
    use Content::{Bytes, Fixed, Varints};
    let inner = match (message, field) {
        (Message::Model, 7) | (Message::Attribute, 6) => Message::Graph,
        (Message::Model, 25) => Message::Function,
        (Message::Graph, 1) | (Message::Function, 7) => Message::Node,
        (Message::Graph, 5) | (Message::Attribute, 5) => Message::Tensor,
        (Message::Graph, 11..=13) => Message::ValueInfo,
        (Message::Node, 5) | (Message::Function, 11) => Message::Attribute,
        (Message::ValueInfo, 2) | (Message::Sequence, 1) => Message::Type,
        (Message::Type, 1) => Message::TensorType,
        (Message::Type, 4) => Message::Sequence,
        (Message::TensorType, 2) => Message::Shape,
        (Message::Model, 8)
        | (Message::Function, 9)
        | (Message::Tensor, 13)
        | (Message::Shape, 1) => Message::Leaf,
        (Message::Tensor, 4) | (Message::Attribute, 7) => return Fixed(4),
        (Message::Tensor, 10) => return Fixed(8),
        (Message::Tensor, 5 | 7) | (Message::Attribute, 8) => return Varints,
        _ => return Bytes,
    };
    Content::Message(inner)
}

/// Refuses bytes that the parser must not see.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut scan = Scan {
        messages: 0,
        fields: 0,
    };
    scan.message(Message::Model, bytes, 0)
}

struct Scan {
    messages: usize,
    fields: usize,
}

impl Scan {
    fn message(&mut self, message: Message, mut bytes: &[u8], depth: usize) -> Result<(), Error> {
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Err(Error::TooLarge {
                what: "messages",
                limit: MAX_MESSAGES,
            });
        }
        if depth > MAX_DEPTH {
            return Err(Error::TooLarge {
                what: "nested messages",
                limit: MAX_DEPTH,
            });
        }
        while !bytes.is_empty() {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(Error::TooLarge {
                    what: "fields",
                    limit: MAX_FIELDS,
                });
            }
            let tag = varint(&mut bytes)?;
            match tag & 7 {
                0 => drop(varint(&mut bytes)?),
                1 => drop(take(&mut bytes, 8)?),
                5 => drop(take(&mut bytes, 4)?),
                2 => {
                    let length = varint(&mut bytes)?;
                    let inner = take(&mut bytes, length)?;
                    self.inner(content(message, tag >> 3), inner, depth)?;
                }
                _ => return damaged("a field of an unknown kind"),
            }
        }
        Ok(())
    }

    fn inner(&mut self, content: Content, mut bytes: &[u8], depth: usize) -> Result<(), Error> {
        match content {
            Content::Message(message) => self.message(message, bytes, depth + 1)?,
            Content::Fixed(size) if !bytes.len().is_multiple_of(size) => {
                return damaged("numbers cut short");
            }
            Content::Varints => {
                while !bytes.is_empty() {
                    varint(&mut bytes)?;
                }
            }
            Content::Fixed(_) | Content::Bytes => {}
        }
        Ok(())
    }
}

fn damaged<T>(problem: &str) -> Result<T, Error> {
    Err(Error::NotOnnx(problem.into()))
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], Error> {
    let split = usize::try_from(length)
        .ok()
        .and_then(|n| bytes.split_at_checked(n));
    let Some((taken, rest)) = split else {
        return damaged("it ends inside a field");
    };
    *bytes = rest;
    Ok(taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else {
            return damaged("it ends inside a number");
        };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            if shift == 63 && byte > 1 {
                break;
            }
            return Ok(value);
        }
    }
    damaged("a number of more than 64 bits")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_the_parser_must_not_see_is_refused() {
        assert!(check(&[]).is_ok());
        assert!(check(&[0x08, 0x07]).is_ok());
        for bytes in [
            &[0x08][..],
            &[0x3a, 0x05, 0],
            // A length of 2^64 - 1.
            &[0x3a, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            // Eleven bytes of one number.
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
            // A group.
            &[0x0b],
            // graph { initializer { int64_data: [0x80 }}.
            &[0x3a, 5, 0x2a, 3, 0x3a, 1, 0x80],
            // graph { initializer { float_data: three bytes }}.
            &[0x3a, 7, 0x2a, 5, 0x22, 3, 0, 0, 0],
            // graph { node { attribute { ints: [0x80 }}}, and floats: three bytes.
            &[0x3a, 7, 0x0a, 5, 0x2a, 3, 0x42, 1, 0x80],
            &[0x3a, 9, 0x0a, 7, 0x2a, 5, 0x3a, 3, 0, 0, 0],
        ] {
            assert!(check(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_and_counts_are_bounded() {
        let mut bytes = Vec::new();
        for level in 0..30_usize {
            // Attribute within node within graph, from the inside.
            let tag = [0x32, 0x2a, 0x0a][level % 3];
            let mut outer = vec![tag];
            let mut length = bytes.len();
            while length > 127 {
                outer.push(u8::try_from(length & 127).expect("seven bits") | 128);
                length >>= 7;
            }
            outer.push(u8::try_from(length).expect("seven bits"));
            outer.append(&mut bytes);
            bytes = outer;
        }
        let graph = [vec![0x3a, u8::try_from(bytes.len()).expect("short")], bytes].concat();
        let error = check(&graph).expect_err("too deep").to_string();
        assert!(error.contains("nested"), "{error}");

        let empty = [0x42, 0].repeat(super::MAX_MESSAGES + 1);
        let error = check(&empty).expect_err("too many").to_string();
        assert!(error.contains("messages"), "{error}");
    }
}
