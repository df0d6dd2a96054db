//! Options from a file: `serve --config FILE`.
//!
//! Each key of the file becomes the option of the same name, before the arguments are parsed: so there is one for each option,
//! with the same checks and the same words about what is wrong.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, CommandFactory, Error as ClapError, Parser};
use toml::{Table, Value};

use crate::args::Cli;
use crate::failure::{Failure, Outcome};
use crate::file;
use crate::near::asked;

/// The command that has such a file.
const COMMAND: &str = "serve";
/// What names the file.
const OPTION: &str = "--config";
/// No such file is longer.
const MAX_BYTES: u64 = 1 << 20;

/// Parses the arguments of this process, and those of the file that they name. clap prints what is wrong with them itself, and leaves
/// with code 2.
pub(crate) fn parse() -> Outcome<Cli> {
    let given: Vec<OsString> = std::env::args_os().collect();
    let Some((place, path)) = find(&given) else {
        return Ok(Cli::parse());
    };
    let text = file::read(&path, MAX_BYTES)
        .map_err(|error| Failure::input(format!("cannot read {}: {error}", path.display())))?;
    let text = String::from_utf8(text)
        .map_err(|_| Failure::input(format!("{} is no text", path.display())))?;
    let options = options(&path, &text, &given[place..])?;
    let mut arguments = given;
    arguments.splice(place..place, options.clone());
    Cli::try_parse_from(arguments).map_err(|error| match blamed(&error, &options) {
        Some(key) => Failure::input(format!("{}: {key}: {}", path.display(), short(&error))),
        // It prints what the argument lacks, or the help.
        None => error.exit(),
    })
}

/// The key of the file that an error is about, if it is about one.
fn blamed(error: &ClapError, options: &[OsString]) -> Option<String> {
    let about = [ContextKind::InvalidArg, ContextKind::PriorArg];
    let about = about.iter().filter_map(|&kind| match error.get(kind) {
        Some(ContextValue::String(argument)) => Some(argument.as_str()),
        Some(ContextValue::Strings(arguments)) => arguments.first().map(String::as_str),
        _ => None,
    });
    // As in `--parallel <N>`.
    let mut names = about.filter_map(|argument| argument.split_whitespace().next());
    let is_there = |name: &&str| options.iter().any(|word| names_it(word, name));
    let found = names.find(is_there)?;
    found.strip_prefix("--").map(str::to_owned)
}

/// The sentence of an error of the parser, in one line, without the hints that follow.
fn short(error: &ClapError) -> String {
    let text = error.to_string();
    let text = text.split("\n\n").next().unwrap_or_default();
    let lines = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    lines.strip_prefix("error: ").unwrap_or(&lines).to_owned()
}

/// Where the arguments of the command begin, and the file that they name.
fn find(given: &[OsString]) -> Option<(usize, PathBuf)> {
    // Before the command stand only options that are switches.
    let command = (1..given.len()).find(|&i| !given[i].as_encoded_bytes().starts_with(b"-"))?;
    if given[command] != COMMAND {
        return None;
    }
    let rest = &given[command + 1..];
    let end = rest.iter().position(|word| word == "--");
    let rest = &rest[..end.unwrap_or(rest.len())];
    let path = rest.iter().enumerate().find_map(|(i, word)| {
        if word == OPTION {
            return rest.get(i + 1).cloned();
        }
        let text = word.to_str()?;
        let path = text.strip_prefix(OPTION)?.strip_prefix('=')?;
        Some(OsString::from(path))
    })?;
    Some((command + 1, PathBuf::from(path)))
}

/// The options of a file, without those that were given.
fn options(path: &Path, text: &str, given: &[OsString]) -> Outcome<Vec<OsString>> {
    let wrong = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| Failure::input(broken(path, text, &error)))?;
    let mut command = Cli::command();
    command.build();
    let serve = command.find_subcommand(COMMAND).expect("it is a command");
    let known: Vec<(&str, bool)> = serve
        .get_arguments()
        .filter(|arg| !arg.is_hide_set())
        .filter_map(|arg| {
            let switch = matches!(arg.get_action(), ArgAction::SetTrue);
            let takes = switch || arg.get_action().takes_values();
            Some((arg.get_long()?, switch)).filter(|(name, _)| takes && *name != "config")
        })
        .collect();
    let mut options = Vec::new();
    for (key, value) in &table {
        let Some(&(_, switch)) = known.iter().find(|(name, _)| name == key) else {
            let near = asked(key, known.iter().map(|(name, _)| *name));
            return Err(wrong(format!("{key} is no option of {COMMAND}{near}")));
        };
        let option = format!("--{key}");
        if given.iter().any(|word| names_it(word, &option)) {
            continue;
        }
        match (value, switch) {
            (Value::Boolean(true), true) => options.push(option.into()),
            (Value::Boolean(false), true) => {}
            (_, true) => return Err(wrong(format!("{key} is true or false, and not {value}"))),
            (value, false) => {
                let text = word(value).map_err(|what| wrong(format!("{key}: {what}")))?;
                options.push(format!("{option}={text}").into());
            }
        }
    }
    Ok(options)
}

/// What is wrong with a file, and where, in one line: the parser itself draws the place in several.
fn broken(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let path = path.display();
    let what = error.message().replace('\n', ", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return format!("{path}: {what}");
    };
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |last| last.chars().count())
        + 1;
    format!("{path}, line {line}, column {column}: {what}")
}

/// Whether an argument is this option.
fn names_it(word: &OsStr, option: &str) -> bool {
    let Some(rest) = word.to_str().and_then(|word| word.strip_prefix(option)) else {
        return false;
    };
    rest.is_empty() || rest.starts_with('=')
}

/// A value as it stands on a command line.
fn word(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Array(values) => {
            let words: Result<Vec<_>, _> = values.iter().map(word).collect();
            let words = words?;
            match words.iter().find(|word| word.contains(',')) {
                Some(word) => Err(format!("{word} has a comma within a list")),
                None => Ok(words.join(",")),
            }
        }
        Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => {
            Err(format!("{value} is no text, number or list"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, given: &[&str]) -> Result<Vec<String>, String> {
        let given: Vec<OsString> = given.iter().map(OsString::from).collect();
        let options = options(Path::new("blindray.toml"), text, &given);
        let options = options.map_err(|error| error.to_string())?;
        let text = |word: OsString| word.into_string().expect("UTF-8");
        Ok(options.into_iter().map(text).collect())
    }

    #[test]
    fn keys_are_options() {
        let text = "model = \"net.bray\"\nparallel = 2\nmodes = [\"faithful\", \"fast\"]\n\
             background = true\njson = false\nquota-bytes = \"50GB\"\n";
        let all = read(text, &[]).expect("all are options");
        let expected = [
            "--background",
            "--model=net.bray",
            "--modes=faithful,fast",
            "--parallel=2",
            "--quota-bytes=50GB",
        ];
        let mut sorted = all;
        sorted.sort();
        assert_eq!(sorted, expected);
    }

    #[test]
    fn flags_win() {
        let text = "parallel = 2\nlisten = \"a:1\"\nwaiting = 1\n";
        let given = ["--parallel", "3", "--listen=b:2"];
        assert_eq!(read(text, &given), Ok(vec!["--waiting=1".to_owned()]));
    }

    #[test]
    fn what_is_no_option_is_named() {
        for (text, said) in [
            (
                "paralel = 2",
                "paralel is no option of serve; did you mean parallel?",
            ),
            ("quota-image = 2", "did you mean quota-images?"),
            ("end-with-stdin = true", "is no option"),
            ("config = \"x\"", "config is no option of serve"),
            ("xyz = 1", "xyz is no option of serve"),
            ("background = 1", "background is true or false, and not 1"),
            ("parallel = true", "parallel: true is no text"),
            ("[parallel]\nx = 1", "is no text, number or list"),
            ("modes = [\"a,b\"]", "comma"),
            ("x = 1\nparallel = ", "blindray.toml, line 2, column 12: "),
            (
                "parallel = 2\nparallel = 3\n",
                "blindray.toml, line 2, column 1: ",
            ),
        ] {
            let error = read(text, &[]).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn only_serve_has_such_a_file() {
        let found = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            find(&words)
        };
        let there = |place| Some((place, PathBuf::from("f")));
        assert_eq!(found("blindray serve --config f"), there(2));
        assert_eq!(
            found("blindray --json -q serve --model m --config=f"),
            there(4)
        );
        for other in [
            "blindray infer --config f",
            "blindray serve --model m",
            "blindray serve -- --config f",
            "blindray serve --config",
            "blindray",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
