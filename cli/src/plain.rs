//! Text of others, made fit for a terminal.
//!
//! What a peer says, what a model file calls its layers and how a file is named may hold characters that a terminal obeys, or
//! that make a line read as another one. All that the program prints passes through here, in `ui`.

/// Text in which every such character is its escape, `\u001b`, as JSON writes it; line breaks too.
pub(crate) fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// The same for text of several lines, whose line breaks stay.
pub(crate) fn lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) && !keep(c) {
            // All of them have a code of at most four digits.
            plain += &format!("\\u{:04x}", u32::from(c));
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Whether a terminal does something at a character instead of showing it: controls of one byte (C0, DEL) and of two (C1),
/// separators of lines and paragraphs, and marks that turn the direction of the text after them.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Without the numbers that the system has for its errors: the words before them say the same.
pub(crate) fn for_people(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        out += before;
        let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
        match digits.strip_prefix(')') {
            Some(after) => rest = after,
            None => {
                out += " (os error ";
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let title = "\u{1b}]0;owned\u{7}\u{1b}[2J";
        assert_eq!(line(title), r"\u001b]0;owned\u0007\u001b[2J");
        // The introducer of sequences as one character, and a line that reads backwards.
        assert_eq!(line("\u{9b}31m\u{202e}gnp.exe"), r"\u009b31m\u202egnp.exe");
        assert_eq!(
            line("a\r\nblindray: b\u{7f}"),
            r"a\u000d\u000ablindray: b\u007f"
        );
        assert_eq!(lines("a\r\nb\t"), "a\\u000d\nb\\u0009");
        let shown = "Röntgen · Σ 光 🩻 \\ \"";
        assert_eq!(line(shown), shown);
    }

    /// Within a JSON string the escapes mean what they stand for.
    #[test]
    fn json_stays_what_it_was() {
        let text = "\u{1b}[2J\u{9b}\u{202e}\u{7f}\n";
        let json = serde_json::to_string(text).expect("JSON");
        let plain = line(&json);
        assert!(!plain.chars().any(acts), "{plain}");
        assert_eq!(serde_json::from_str::<String>(&plain).expect("JSON"), text);
    }

    #[test]
    fn numbers_of_errors_are_for_machines() {
        for (text, expected) in [
            ("a: No such file (os error 2)", "a: No such file"),
            ("x (os error 1), y (os error 22): z", "x, y: z"),
            ("x (os error a) (os error 3", "x (os error a) (os error 3"),
            ("", ""),
        ] {
            assert_eq!(for_people(text), expected);
        }
    }
}
