//! Sessions and strangers leave nothing behind: no thread and no descriptor.
#![cfg(target_os = "linux")]

mod servers;

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use channel::{Config, connect};
use servers::{config, good, greeting, listener, terms};

/// Threads and descriptors of this process.
fn held() -> [usize; 2] {
    ["/proc/self/task", "/proc/self/fd"]
        .map(|folder| std::fs::read_dir(folder).expect("Linux has it").count())
}

#[test]
fn many_sessions_and_many_strangers_leave_nothing_behind() {
    let limits = Config {
        // Enough for all: on a loaded machine a client may take longer to greet than strangers take to come.
        max_pending: 128,
        max_pending_per_address: 128,
        handshake_timeout: Duration::from_secs(1),
        ..config()
    };
    let (listener, address) = listener(limits);
    drop(good(&listener, address));
    settles_at([usize::MAX; 2]);
    let before = held();
    thread::scope(|scope| {
        let strangers = scope.spawn(move || {
            let whole = [
                greeting(
                    1,
                    &[[1; 32].as_slice(), &[0], &[0; 32], &[9; 16], &[2]].concat(),
                ),
                vec![0xff; 100],
            ]
            .concat();
            let says: [&[u8]; 4] = [&[], b"GET / HTTP/1.1\r\n\r\n", &whole[..40], &whole];
            let crowd = (0..60).map(|number| {
                let mut stranger = TcpStream::connect(address).expect("connect");
                drop(stranger.write_all(says[number % 4]));
                thread::sleep(Duration::from_millis(1));
                stranger
            });
            crowd.collect::<Vec<_>>()
        });
        let server = scope.spawn(|| {
            let mut served = 0;
            while served < 300 {
                let Ok(server) = listener.accept(&terms(), [1; 16]) else {
                    continue;
                };
                let mut channel = server.open(0).expect("open");
                // A stranger's greeting may be a good one.
                if let Ok(question) = channel.recv_u64() {
                    channel.send_u64(question).expect("send");
                    served += 1;
                }
            }
        });
        for session in 0..300_u64 {
            let client = connect(address, &terms(), &config(), [2; 16]).expect("served");
            let mut channel = client.open(0).expect("open");
            channel.send_u64(session).expect("send");
            assert_eq!(channel.recv_u64().expect("recv"), session);
        }
        server.join().expect("no panic");
        drop(strangers.join().expect("no panic"));
    });
    settles_at(before);
}

/// Waits until this process holds no more than that.
fn settles_at(most: [usize; 2]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = held();
    loop {
        thread::sleep(Duration::from_millis(200));
        let now = held();
        if now == last && now[0] <= most[0] && now[1] <= most[1] {
            return;
        }
        assert!(Instant::now() < deadline, "{now:?} of {most:?}");
        last = now;
    }
}
