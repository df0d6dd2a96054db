//! What the parties say to each other's users.

/// The most bytes of a peer's words.
pub(crate) const MAX_WORDS: usize = 200;

/// Without control characters, which would act on the terminal of whoever reads them, and no longer than [`MAX_WORDS`].
pub(crate) fn clean(words: &str) -> String {
    let mut cleaned: String = words.chars().filter(|c| !c.is_control()).collect();
    let most = (0..=MAX_WORDS.min(cleaned.len()))
        .rev()
        .find(|&at| cleaned.is_char_boundary(at));
    cleaned.truncate(most.unwrap_or(0));
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_short_and_do_nothing() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{9b}d"), "a[2Jbcd");
        assert_eq!(clean(&"é".repeat(150)), "é".repeat(100));
        assert_eq!(clean(&format!("x{}", "é".repeat(150))).len(), 199);
        assert_eq!(clean(""), "");
    }
}
