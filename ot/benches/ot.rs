//! OT extension and the derived forms, both parties on two threads.
//!
//! "Time" is the CPU time of both parties together (Linux; elsewhere the wall time of the slower
//! one), set-up excluded.

use std::fmt::Display;
use std::hint::black_box;
use std::time::{Duration, Instant};

use channel::{
    Config, Connection, Listener, ONLINE, REFILL_SERVER_SENDS, Role, Terms, connect, memory_pair,
};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use ot::{
    Extension, OtReceiver, OtSender, ReceiveRows, SendRows, Silent, SilentSet, SoftSpoken,
    SoftSpokenReceiver, SoftSpokenSender,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring_arith::{BitVec, Bits};

const BATCH: usize = SoftSpoken::BATCH;

/// The CPU time of this thread so far, or the wall time where the system does not tell.
struct Clock(Instant, Option<Duration>);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), Self::cpu())
    }

    fn cpu() -> Option<Duration> {
        // Brings the counter up to date.
        std::thread::yield_now();
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
    }

    fn elapsed(&self) -> Duration {
        match (self.1, Self::cpu()) {
            (Some(start), Some(now)) => now - start,
            _ => self.0.elapsed(),
        }
    }
}

/// Runs both parties over the pair of connections and adds up what they took.
fn both(
    (server, client): (Connection, Connection),
    sender: impl FnOnce(Connection) -> Duration + Send,
    receiver: impl FnOnce(Connection) -> Duration + Send,
) -> Duration {
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || sender(server));
        let receiver = receiver(client);
        receiver + sender.join().expect("the sender succeeds")
    })
}

fn memory() -> (Connection, Connection) {
    memory_pair(1 << 20)
}

fn tcp() -> (Connection, Connection) {
    let terms = Terms {
        version: 1,
        parameters: [0; 32],
        model: None,
    };
    let listener = Listener::bind("127.0.0.1:0", Config::default()).expect("loopback binds");
    let address = listener.local_addr();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| listener.accept(&terms, [1; 16]).expect("a client comes"));
        let client =
            connect(address, &terms, &Config::default(), [2; 16]).expect("the server is there");
        (server.join().expect("the server accepts"), client)
    })
}

fn sender_pool(connection: &Connection, k: u32) -> SoftSpokenSender {
    let chan = connection
        .open(REFILL_SERVER_SENDS)
        .expect("the stream opens");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    SoftSpokenSender::setup(chan, k, &connection.session_id(), &mut rng).expect("set-up succeeds")
}

fn receiver_pool(connection: &Connection, k: u32) -> SoftSpokenReceiver {
    let chan = connection
        .open(REFILL_SERVER_SENDS)
        .expect("the stream opens");
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    SoftSpokenReceiver::setup(chan, k, &connection.session_id(), &mut rng).expect("set-up succeeds")
}

fn set_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("set-up");
    group.sample_size(10);
    for k in [4, 8] {
        group.bench_function(BenchmarkId::from_parameter(k), |b| {
            b.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        both(
                            memory(),
                            |connection| {
                                let clock = Clock::start();
                                black_box(sender_pool(&connection, k));
                                clock.elapsed()
                            },
                            |connection| {
                                let clock = Clock::start();
                                black_box(receiver_pool(&connection, k));
                                clock.elapsed()
                            },
                        )
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

/// Draws from both ends of a pool, one batch at a time. The first, which makes what a pool starts from, does not count.
fn draws(group: &mut BenchmarkGroup<'_, WallTime>, id: impl Display, extension: &dyn Extension) {
    let refill = |connection: &Connection| {
        let stream = connection.open(REFILL_SERVER_SENDS);
        stream.expect("the stream opens")
    };
    group.bench_function(BenchmarkId::from_parameter(id), |b| {
        b.iter_custom(|iterations| {
            both(
                memory(),
                |connection| {
                    let (id, mut rng) = (connection.session_id(), ChaCha20Rng::seed_from_u64(1));
                    let pool = extension.sender(refill(&connection), &id, &mut rng);
                    let (mut pool, mut q) = (pool.expect("set-up succeeds"), vec![0; BATCH]);
                    pool.draw(&mut q).expect("a draw succeeds");
                    let clock = Clock::start();
                    for _ in 0..iterations {
                        pool.draw(&mut q).expect("a draw succeeds");
                    }
                    clock.elapsed()
                },
                |connection| {
                    let (id, mut rng) = (connection.session_id(), ChaCha20Rng::seed_from_u64(2));
                    let pool = extension.receiver(refill(&connection), &id, &mut rng);
                    let mut pool = pool.expect("set-up succeeds");
                    let (mut choices, mut t) = (BitVec::zeros(BATCH), vec![0; BATCH]);
                    pool.draw(&mut choices, &mut t).expect("a draw succeeds");
                    let clock = Clock::start();
                    for _ in 0..iterations {
                        pool.draw(&mut choices, &mut t).expect("a draw succeeds");
                    }
                    clock.elapsed()
                },
            )
        });
    });
}

fn extensions(c: &mut Criterion) {
    use SilentSet::{Large, Medium, Small, SmallTwice};
    let per_batch = Throughput::Elements(BATCH as u64);
    let mut group = c.benchmark_group("softspoken");
    group.sample_size(10).throughput(per_batch.clone());
    for k in 1..=8 {
        draws(&mut group, k, &SoftSpoken::new(k));
    }
    group.finish();
    let mut group = c.benchmark_group("silent");
    group.sample_size(10).throughput(per_batch);
    for set in [Small, SmallTwice, Medium, Large] {
        draws(&mut group, format!("{set:?}"), &Silent::new(set));
    }
    group.finish();
}

/// One form on pools of k = 2, refills included.
fn form<R, S>(
    c: &mut Criterion,
    name: &str,
    elements: usize,
    send: impl Fn(&mut OtSender, &mut channel::Channel) -> R + Sync,
    receive: impl Fn(&mut OtReceiver, &mut channel::Channel) -> S + Sync,
) {
    let mut group = c.benchmark_group("forms");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(elements as u64));
    group.bench_function(name, |b| {
        b.iter_custom(|iterations| {
            both(
                memory(),
                |connection| {
                    let pool = Box::new(sender_pool(&connection, 2));
                    let mut ot = OtSender::new(pool, &connection.session_id(), Role::Server);
                    let mut chan = connection.open(ONLINE).expect("the stream opens");
                    let clock = Clock::start();
                    for _ in 0..iterations {
                        black_box(send(&mut ot, &mut chan));
                    }
                    clock.elapsed()
                },
                |connection| {
                    let pool = Box::new(receiver_pool(&connection, 2));
                    let mut ot = OtReceiver::new(pool, &connection.session_id(), Role::Server);
                    let mut chan = connection.open(ONLINE).expect("the stream opens");
                    let clock = Clock::start();
                    for _ in 0..iterations {
                        black_box(receive(&mut ot, &mut chan));
                    }
                    clock.elapsed()
                },
            )
        });
    });
    group.finish();
}

fn forms(c: &mut Criterion) {
    const OK: &str = "the protocol succeeds";
    let n = BATCH;
    form(
        c,
        "rot",
        n,
        |ot, _| ot.rot(n).expect(OK),
        |ot, _| ot.rot(n).expect(OK),
    );
    form(
        c,
        "rot_bits 2",
        n,
        |ot, _| ot.rot_bits(n, 2).expect(OK),
        |ot, _| ot.rot_bits(n, 2).expect(OK),
    );
    let (corr, bits, choices) = (vec![3; n], Bits::of(31), BitVec::zeros(n));
    form(
        c,
        "cot_words 31",
        n,
        |ot, chan| ot.cot_words(chan, &corr, bits).expect(OK),
        |ot, chan| ot.cot_words(chan, &choices, bits).expect(OK),
    );
}

/// Rows of a convolution: `count` rows of `len` words, l = 32 - (row mod 12).
struct Rows {
    count: usize,
    len: usize,
    widths: [Bits; 12],
    x: Vec<u32>,
    sum: u32,
}

impl Rows {
    fn new(count: usize, len: usize) -> Self {
        let mut widths = [Bits::of(32); 12];
        for (j, bits) in (0..).zip(&mut widths) {
            *bits = Bits::of(32 - j);
        }
        Self {
            count,
            len,
            widths,
            x: vec![0x1234_5678; len],
            sum: 0,
        }
    }

    fn shape(&self, i: usize) -> (usize, Bits) {
        (self.len, self.widths[i % 12])
    }
}

impl SendRows<u32> for Rows {
    fn count(&self) -> usize {
        self.count
    }
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.shape(i)
    }
    fn correlation(&mut self, _: usize) -> &[u32] {
        &self.x
    }
    fn absorb(&mut self, _: usize, r: &[u32]) {
        self.sum ^= r[0];
    }
}

impl ReceiveRows<u32> for Rows {
    fn count(&self) -> usize {
        self.count
    }
    fn shape(&self, i: usize) -> (usize, Bits) {
        self.shape(i)
    }
    fn choice(&self, i: usize) -> bool {
        i.is_multiple_of(3)
    }
    fn absorb(&mut self, _: usize, y: &[u32]) {
        self.sum ^= y[0];
    }
}

/// Rows of different lengths, over loopback TCP, k = 2, refills included; per word of a row.
fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("cot_rows");
    group.sample_size(10);
    for (count, len) in [
        (65_536, 1),
        (65_536, 16),
        (32_768, 49),
        (32_768, 196),
        (16_384, 784),
        (2048, 12_544),
    ] {
        group.throughput(Throughput::Elements((count * len) as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| {
            b.iter_custom(|iterations| {
                both(
                    tcp(),
                    |connection| {
                        let pool = Box::new(sender_pool(&connection, 2));
                        let mut ot = OtSender::new(pool, &connection.session_id(), Role::Server);
                        let mut chan = connection.open(ONLINE).expect("the stream opens");
                        let clock = Clock::start();
                        for _ in 0..iterations {
                            let mut rows = Rows::new(count, len);
                            ot.cot_rows(&mut chan, &mut rows)
                                .expect("the protocol succeeds");
                            black_box(rows.sum);
                        }
                        clock.elapsed()
                    },
                    |connection| {
                        let pool = Box::new(receiver_pool(&connection, 2));
                        let mut ot = OtReceiver::new(pool, &connection.session_id(), Role::Server);
                        let mut chan = connection.open(ONLINE).expect("the stream opens");
                        let clock = Clock::start();
                        for _ in 0..iterations {
                            let mut rows = Rows::new(count, len);
                            ot.cot_rows(&mut chan, &mut rows)
                                .expect("the protocol succeeds");
                            black_box(rows.sum);
                        }
                        clock.elapsed()
                    },
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, set_up, extensions, forms, rows);
criterion_main!(benches);
