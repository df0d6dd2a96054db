//! A transport of one's own: both parties over Unix sockets, one connection to the socket's path for each stream.
//!
//! `cargo run --release -p blindray-channel --example unix_sockets`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

#[cfg(unix)]
mod sockets {
    use std::collections::BTreeMap;
    use std::io::{Read, Result, Write};
    use std::net::Shutdown;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::time::Duration;

    use channel::{Duplex, Error, Transport};

    /// One stream. `UnixStream` is a [`Duplex`] already; this is what a stream of another kind, such as TLS, has to do.
    pub(crate) struct Stream(UnixStream);

    impl Duplex for Stream {
        fn set_timeout(&self, timeout: Duration) -> Result<()> {
            self.0.set_read_timeout(Some(timeout))?;
            self.0.set_write_timeout(Some(timeout))
        }

        fn read(&self, out: &mut [u8]) -> Result<usize> {
            Read::read(&mut &self.0, out)
        }

        fn write(&self, bytes: &[u8]) -> Result<usize> {
            Write::write(&mut &self.0, bytes)
        }

        fn end(&self) {
            // Fails only where the peer has ended the stream before.
            drop(self.0.shutdown(Shutdown::Write));
        }

        fn cut(&self) {
            drop(self.0.shutdown(Shutdown::Both));
        }
    }

    /// The client's end: every stream is a new connection that begins with its number.
    pub(crate) struct Dialling(pub(crate) PathBuf);

    impl Transport for Dialling {
        fn open(&self, stream: u32) -> std::result::Result<Box<dyn Duplex>, Error> {
            let dial = || {
                let socket = UnixStream::connect(&self.0)?;
                (&socket).write_all(&stream.to_le_bytes())?;
                Ok(socket)
            };
            Ok(Box::new(Stream(dial().map_err(|e| failed(stream, e))?)))
        }
    }

    /// The server's end, for one client: takes connections until the one with the number comes.
    pub(crate) struct Listening {
        pub(crate) socket: UnixListener,
        pub(crate) timeout: Duration,
        /// Those that came before they were asked for.
        pub(crate) early: Mutex<BTreeMap<u32, UnixStream>>,
    }

    impl Transport for Listening {
        fn open(&self, stream: u32) -> std::result::Result<Box<dyn Duplex>, Error> {
            let mut early = self.early.lock().expect("nobody panics here");
            loop {
                if let Some(socket) = early.remove(&stream) {
                    return Ok(Box::new(Stream(socket)));
                }
                let (number, socket) = self.next().map_err(|e| failed(stream, e))?;
                early.insert(number, socket);
            }
        }
    }

    impl Listening {
        fn next(&self) -> Result<(u32, UnixStream)> {
            let (socket, _) = self.socket.accept()?;
            socket.set_read_timeout(Some(self.timeout))?;
            let mut number = [0; 4];
            (&socket).read_exact(&mut number)?;
            Ok((u32::from_le_bytes(number), socket))
        }
    }

    fn failed(stream: u32, cause: std::io::Error) -> Error {
        let phase = format!("opening stream {stream}");
        Error::Io { phase, cause }
    }
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::os::unix::net::UnixListener;
    use std::sync::Mutex;
    use std::thread;
    use std::time::Duration;

    use channel::{Connection, ONLINE, Role, Terms, Transport, draw_session};

    use sockets::{Dialling, Listening};

    const TIMEOUT: Duration = Duration::from_secs(10);
    /// A stream for what comes before the others.
    const GREETING: u32 = 3;
    const TERMS: Terms = Terms {
        version: 1,
        parameters: [0; 32],
        model: None,
    };

    /// A connection whose session id is fresh if the entropy of one of the parties is.
    fn connection(
        role: Role,
        transport: impl Transport + 'static,
        entropy: [u8; 16],
    ) -> Result<Connection, channel::Error> {
        // A stream of its own for the id, which ends here; a stream could also be kept for what follows.
        let drawing = transport.open(u32::MAX)?;
        let session = draw_session(role, &*drawing, entropy, TIMEOUT)?;
        let connection = Connection::over(role, session, "a Unix socket", TIMEOUT, transport);
        connection.open(GREETING)?.agree(&TERMS)?;
        Ok(connection)
    }

    let path = std::env::temp_dir().join(format!("blindray-{}.socket", std::process::id()));
    let listening = Listening {
        socket: UnixListener::bind(&path)?,
        timeout: TIMEOUT,
        early: Mutex::default(),
    };
    // Real parties take their entropy from the operating system.
    let server = thread::spawn(move || {
        let connection = connection(Role::Server, listening, [1; 16])?;
        let mut channel = connection.open(ONLINE)?;
        // Both speak at once, and more than the socket holds.
        let mut theirs = vec![0; 1 << 22];
        channel.exchange(&vec![1; 1 << 22], &mut theirs)?;
        assert!(theirs.iter().all(|&byte| byte == 2));
        Ok::<_, channel::Error>((connection.session_id(), channel.measured()))
    });
    let connection = connection(Role::Client, Dialling(path.clone()), [2; 16])?;
    let mut channel = connection.open(ONLINE)?;
    let mut theirs = vec![0; 1 << 22];
    channel.exchange(&vec![2; 1 << 22], &mut theirs)?;
    assert!(theirs.iter().all(|&byte| byte == 1));

    let at_server = server.join().expect("the server does not panic")?;
    assert_eq!(at_server, (connection.session_id(), channel.measured()));
    std::fs::remove_file(path)?;
    let bytes = channel.measured().bytes();
    println!("{bytes} bytes, counted alike at both ends");
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("there are no Unix sockets here");
}
