//! A real PostgreSQL of the distribution, for tests.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of PostgreSQL in a folder of its own, ended with this value.
#[derive(Debug)]
pub struct Database {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Database {
    /// Starts one; `None`, with a note, where PostgreSQL is not installed or there is nobody to run it.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("SKIPPED: needs PostgreSQL (the package postgresql of the distribution)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        if let Some((user, group)) = servant()
            && std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).is_err()
        {
            eprintln!("SKIPPED: PostgreSQL does not run as root, and there is nobody else");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let mut database = Self {
            programs,
            folder,
            port: port.expect("a port").port(),
            running: None,
        };
        let data = database.data();
        let made = database
            .command("initdb")
            .args(["--auth=trust", "--username=blindray", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        database.set("listen_addresses", "'127.0.0.1'");
        database.set("max_connections", "50");
        database.set("shared_buffers", "'16MB'");
        database.up();
        Some(database)
    }

    /// Its folder of data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The port of loopback at which it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The URL over its socket.
    #[must_use]
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string();
        let folder = folder.replace('/', "%2F");
        format!("postgres://blindray@{folder}:{}/postgres", self.port)
    }

    /// Sets something in its configuration; it holds from the next start on.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn set(&self, key: &str, value: &str) {
        let file = self.data().join("postgresql.conf");
        let text = fs::read_to_string(&file).expect("its configuration");
        fs::write(file, format!("{text}\n{key} = {value}\n")).expect("it can be written");
    }

    /// A file in its folder of data, that belongs to the user it runs as, for its eyes alone.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: &str, text: &str) {
        let path = self.data().join(name);
        fs::write(&path, text).expect("it can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).expect("it is ours");
        if let Some((user, group)) = servant() {
            std::os::unix::fs::chown(&path, Some(user), Some(group)).expect("we may");
        }
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn up(&mut self) {
        let (data, folder) = (self.data(), self.folder.path().to_owned());
        let port = self.port.to_string();
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(data)
            .arg("-k")
            .arg(&folder)
            .args(["-p", &port]);
        let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running = Some(running.expect("it starts"));
        let begin = Instant::now();
        loop {
            let mut ask = self.command("psql");
            ask.arg("-h").arg(&folder).args(["-p", &port]);
            ask.args(["-U", "blindray", "-d", "postgres", "-c", "SELECT 1"]);
            if ask.output().is_ok_and(|answer| answer.status.success()) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends it at once, as by a loss of power.
    pub fn down(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Its processes see that the first of them is gone, and end.
            let _ = running.kill();
            let _ = running.wait();
            // A killed one leaves this behind.
            let _ = fs::remove_file(self.data().join("postmaster.pid"));
        }
    }

    /// Has a statement done by it, and returns what it prints.
    ///
    /// # Panics
    /// If it fails.
    #[must_use]
    pub fn run(&self, statement: &str) -> String {
        let port = self.port.to_string();
        let mut command = self.command("psql");
        command
            .arg("-h")
            .arg(self.folder.path())
            .args(["-p", &port]);
        command.args([
            "-U",
            "blindray",
            "-d",
            "postgres",
            "-At",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        let done = command.args(["-c", statement]).output().expect("psql runs");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Sends a signal to its first process.
    ///
    /// # Panics
    /// If it is not running.
    pub fn signal(&self, name: &str) {
        let pid = self.running.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(self.programs.join(program.as_ref()));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = servant() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.down();
    }
}

/// The folder of the programs, of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let whole = |folder: &PathBuf| {
        let programs = ["initdb", "postgres", "psql"];
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    folders.filter(whole).max()
}

/// As whom it runs, if this process is root's: it refuses that.
fn servant() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let ours = fs::metadata("/proc/self").map(|process| process.uid());
    let root = ours.is_ok_and(|user| user == 0);
    // The one that packages make, or else the one who is nobody.
    root.then(|| user("postgres").unwrap_or((65_534, 65_534)))
}

fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let of = |line: &str| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let user = fields.nth(1)?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        Some((user, group))
    };
    users.lines().find_map(of)
}
