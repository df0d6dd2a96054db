//! Greetings over a socket, within a deadline whatever the peer does.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::handshake::{Hello, PREFIX, Prefix};
use crate::{Error, HANDSHAKE};

/// A socket during its handshake.
pub(crate) struct Greeter {
    pub(crate) stream: TcpStream,
    deadline: Deadline,
    /// The peer has said something.
    pub(crate) heard: bool,
}

/// A greeting as it came: its body means something only if the versions agree.
pub(crate) struct Greeting {
    pub(crate) version: u32,
    kind: u8,
    body: Vec<u8>,
}

impl Greeter {
    pub(crate) fn new(stream: TcpStream, allowed: Duration) -> Self {
        Self {
            stream,
            deadline: Deadline::after(allowed),
            heard: false,
        }
    }

    /// Starts the time anew.
    pub(crate) fn restart(&mut self, allowed: Duration) {
        self.deadline = Deadline::after(allowed);
    }

    pub(crate) fn say(&mut self, hello: &Hello, version: u32) -> Result<(), Error> {
        let bytes = hello.encode(version);
        let outcome = self.write(&bytes);
        outcome.map_err(|cause| self.failed(cause))
    }

    pub(crate) fn hear(&mut self) -> Result<Greeting, Error> {
        let mut prefix = [0; PREFIX];
        self.read(&mut prefix).map_err(|cause| self.failed(cause))?;
        let Prefix {
            version,
            kind,
            length,
        } = Prefix::parse(&prefix)?;
        let mut body = vec![0; length];
        self.read(&mut body).map_err(|cause| self.failed(cause))?;
        Ok(Greeting {
            version,
            kind,
            body,
        })
    }

    /// Whether the peer has hung up meanwhile.
    pub(crate) fn has_left(&self) -> bool {
        match self.at_once(|stream| stream.peek(&mut [0])) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Says something short without waiting; whether the peer takes it.
    pub(crate) fn tell(&self, hello: &Hello, version: u32) -> bool {
        let bytes = hello.encode(version);
        let written = self.at_once(|mut stream| stream.write(&bytes));
        written.is_ok_and(|count| count == bytes.len())
    }

    fn at_once(&self, call: impl FnOnce(&TcpStream) -> IoResult<usize>) -> IoResult<usize> {
        self.stream.set_nonblocking(true)?;
        let outcome = call(&self.stream);
        self.stream.set_nonblocking(false)?;
        outcome
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::from_io(cause, HANDSHAKE, self.deadline.allowed)
    }

    fn read(&mut self, mut out: &mut [u8]) -> IoResult<()> {
        while !out.is_empty() {
            self.stream.set_read_timeout(Some(self.deadline.left()?))?;
            match self.stream.read(out) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => out = &mut out[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.heard = true;
        }
        Ok(())
    }

    fn write(&mut self, mut bytes: &[u8]) -> IoResult<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.deadline.left()?))?;
            match self.stream.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Greeting {
    /// What it says, if it is of our version.
    pub(crate) fn decode(&self, ours: u32) -> Result<Hello, Error> {
        if self.version != ours {
            return Err(Error::VersionMismatch {
                ours,
                theirs: self.version,
            });
        }
        self.decode_any()
    }

    /// What it says if it is of a version that writes it as ours does.
    pub(crate) fn decode_any(&self) -> Result<Hello, Error> {
        Hello::decode(self.kind, &self.body)
    }

    /// Whether it is of a further connection of a session.
    pub(crate) fn is_lane(&self) -> bool {
        self.kind == crate::handshake::KIND_LANE
    }
}
