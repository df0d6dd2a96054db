//! `blindray audit`.

use std::fmt::{Formatter, Result as FmtResult};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::Value;
use service::{AuditLink, Chain};

use crate::failure::{Failure, Outcome};
use crate::identity::quoted;
use crate::text::{hex, unhex};
use crate::ui::Ui;

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Say whether a log is as it was written, and which line is the first that is not.
    Verify(VerifyArgs),
    /// Print a log for people; as JSON, line by line, with --json.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The files of the log, the oldest first: those that were full, and the one that is written.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The hash of the line that must be the last, as an earlier `verify` or somebody else has noted it: shows that nothing was cut off at the end.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    expect_last: Option<[u8; 32]>,
    /// The hash of a line that must be there, the last one of an earlier `verify`: shows that nothing up to it was changed or cut off, while more may
    /// have come. May be given several times.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    checkpoint: Vec<[u8; 32]>,
    /// The first line must be the first of all: shows that nothing was cut off at the beginning.
    #[arg(long)]
    from_start: bool,
    /// The first line must be the one after the line of this hash, the last one of an earlier `verify`: for files that go on from others, which were
    /// verified before and are elsewhere now. Shows that nothing was cut off between them.
    #[arg(long, value_name = "HASH", value_parser = hash, conflicts_with = "from_start")]
    continues: Option<[u8; 32]>,
}

impl VerifyArgs {
    /// A chain that begins where the log must.
    fn chain(&self) -> Chain {
        match self.continues {
            Some(hash) => Chain::after(hash),
            None if self.from_start => Chain::from_start(),
            None => Chain::new(),
        }
    }

    /// The command that verifies the same files when more has come into them.
    fn again(&self, hash: &str) -> String {
        let files = self
            .files
            .iter()
            .map(|path| quoted(&path.to_string_lossy()));
        let files: Vec<_> = files.collect();
        let begin = match self.continues {
            Some(hash) => format!(" --continues {}", hex(&hash)),
            None if self.from_start => " --from-start".to_owned(),
            None => String::new(),
        };
        format!(
            "blindray audit verify {}{begin} --checkpoint {hash}",
            files.join(" ")
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The files of the log, the oldest first.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// What `verify` found.
#[derive(Serialize)]
struct Verified {
    entries: u64,
    first: u64,
    last: u64,
    hash: String,
}

fn hash(text: &str) -> Result<[u8; 32], String> {
    unhex(text).ok_or_else(|| "it is no hash of 64 hexadecimal digits".into())
}

/// Verifies or shows a log.
pub(crate) fn audit(command: &AuditCommand, ui: Ui) -> Outcome<()> {
    match command {
        AuditCommand::Verify(args) => verify(args, ui),
        AuditCommand::Show(args) => show(args, ui),
    }
}

fn verify(args: &VerifyArgs, ui: Ui) -> Outcome<()> {
    let mut missing = args.checkpoint.clone();
    let chain = read(args.chain(), &args.files, &mut |link, _| {
        missing.retain(|hash| *hash != link.hash);
        Ok(())
    })?;
    let (Some(first), Some(last)) = (chain.first(), chain.last()) else {
        return Err(Failure::run(
            "there is no line in it: all of it was cut off, or nothing was recorded",
        ));
    };
    if let Some(hash) = missing.first() {
        return Err(Failure::run(format!(
            "no line has the hash {}: it was cut off or changed, or it is in a file that was not given; the last is entry {}",
            hex(hash),
            last.number
        )));
    }
    if let Some(expected) = args.expect_last.filter(|expected| *expected != last.hash) {
        return Err(Failure::run(format!(
            "the last line, entry {}, has the hash {} and not {}: lines were cut off at the end, or more have come since",
            last.number,
            hex(&last.hash),
            hex(&expected)
        )));
    }
    let found = Verified {
        entries: last.number - first + 1,
        first,
        last: last.number,
        hash: hex(&last.hash),
    };
    if ui.is_json() {
        return ui.json_line(&found);
    }
    let Verified {
        first, last, hash, ..
    } = &found;
    ui.text(&format!(
        "entries {first} to {last} are as they were written; the last has the hash\n{hash}\n"
    ))?;
    if *first > 0 && args.continues.is_none() {
        ui.note(&format!(
            "WARNING: what came before entry {first} was not given, and nobody sees here whether it was cut off: --continues HASH with the last hash of those files shows that nothing is missing between"
        ));
    }
    ui.note("note the hash elsewhere. Later these show that nothing up to here was changed or cut off, with the same files, and with those that follow them alone:");
    ui.note(&format!("  {}", args.again(hash)));
    ui.note(&format!("  blindray audit verify FILE --continues {hash}"));
    Ok(())
}

fn show(args: &ShowArgs, ui: Ui) -> Outcome<()> {
    let each = &mut |_, line: &Line| match ui.is_json() {
        true => ui.json_line(line),
        false => ui.text(&told(line)),
    };
    read(Chain::new(), &args.files, each).map(drop)
}

/// Reads the files of a log, and does something with each line that fits to those before it.
fn read(
    mut chain: Chain,
    files: &[PathBuf],
    each: &mut dyn FnMut(AuditLink, &Line) -> Outcome<()>,
) -> Outcome<Chain> {
    for path in files {
        let name = path.display();
        let file = match path.metadata() {
            Ok(there) if !there.is_file() => {
                return Err(Failure::input(format!("{name} is no file")));
            }
            _ => File::open(path),
        };
        let file = file.map_err(|cause| Failure::input(format!("cannot read {name}: {cause}")))?;
        let mut done = Ok(());
        let read = chain.read(BufReader::new(file), &mut |link, line| {
            if done.is_ok() {
                let line = serde_json::from_slice(line).map_err(Failure::run);
                done = line.and_then(|line| each(link, &line));
            }
        });
        done?;
        read.map_err(|broken| Failure::run(format!("{name}: {broken}")))?;
    }
    Ok(chain)
}

/// A line for people: time and event, then what it says, without what holds it.
fn told(line: &Line) -> String {
    let mut told = format!("{}  {:<8}", line.text("time"), line.text("event"));
    for (key, value) in &line.0 {
        if !["seq", "previous", "time", "event"].contains(&key.as_str()) {
            tell(&mut told, key, value);
        }
    }
    told + "\n"
}

/// The fields of a line in their order.
struct Line(Vec<(String, Value)>);

impl Line {
    fn text(&self, key: &str) -> &str {
        let field = self.0.iter().find(|(name, _)| name == key);
        field
            .and_then(|(_, value)| value.as_str())
            .unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Line;

            fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Line(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn tell(told: &mut String, key: &str, value: &Value) {
    match value {
        Value::Object(party) => {
            let words = party.values().filter_map(Value::as_str);
            let words: Vec<_> = words.collect();
            *told += &format!("  {key} {}", words.join(" "));
        }
        Value::String(text) => *told += &format!("  {key} {}", short(text)),
        other => *told += &format!("  {key} {other}"),
    }
}

/// Digests, ids and tokens by their first digits.
fn short(text: &str) -> String {
    const DIGITS: usize = 12;
    let digits = text.len() >= 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
    match digits {
        true => format!("{}…", &text[..DIGITS]),
        false => text.to_owned(),
    }
}
