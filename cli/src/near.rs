//! "Did you mean": what a user may have wanted to write.

use std::path::{Path, PathBuf};

/// How alike two words are from where on they are worth a question, from 0 to 1.
const ALIKE: f64 = 0.75;
/// Longer words are none that somebody mistyped.
const MOST: usize = 200;

/// The candidate that is most like a word, if one is.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > MOST {
        return None;
    }
    let lower = word.to_lowercase();
    let alike = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // What was written in part has its whole.
        let begins = lower.len() >= 3 && candidate.starts_with(&lower);
        let alike = strsim::normalized_damerau_levenshtein(&lower, &candidate);
        alike
            .max(strsim::jaro_winkler(&lower, &candidate) - 0.1)
            .max(f64::from(u8::from(begins)) * 0.8)
    };
    let candidates = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MOST);
    let scored = candidates.map(|candidate| (alike(candidate), candidate));
    let best = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// The same as the end of a sentence: a question, or nothing.
pub(crate) fn asked<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

/// The same for what names a file or one of the candidates: files beside it come into question too, those that end as it does, or
/// as models do.
pub(crate) fn file_or<'a>(path: &Path, candidates: impl IntoIterator<Item = &'a str>) -> String {
    /// Entries of a folder that are looked at.
    const ENTRIES: usize = 10_000;
    let word = path.to_string_lossy();
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
    let ends = |other: &Path| {
        other
            .extension()
            .is_some_and(|end| Some(end) == path.extension() || end == "bray")
    };
    let files = entries.into_iter().flatten().take(ENTRIES).flatten();
    let files = files.map(|entry| {
        folder.map_or_else(
            || entry.file_name().into(),
            |folder| folder.join(entry.file_name()),
        )
    });
    let files: Vec<String> = files
        .filter(|file: &PathBuf| ends(file))
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let candidates: Vec<String> = candidates.into_iter().map(str::to_owned).collect();
    asked(&word, files.iter().chain(&candidates).map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_are_understood() {
        let names = [
            "chestnet",
            "densenet121",
            "mobilenet-v2",
            "mobilenet-v3-large",
            "resnet18",
            "resnet50",
        ];
        for (word, expected) in [
            ("chesnet", "chestnet"),
            ("Chestnet", "chestnet"),
            ("densnet121", "densenet121"),
            ("mobilenetv2", "mobilenet-v2"),
            ("resnet-50", "resnet50"),
            ("dense", "densenet121"),
        ] {
            assert_eq!(nearest(word, names), Some(expected), "{word}");
        }
        for word in ["", "x", "xray.png", "model.onnx", &"chestnet".repeat(100)] {
            assert_eq!(nearest(word, names), None, "{word}");
        }
        assert_eq!(asked("resnet19", ["resnet18"]), "; did you mean resnet18?");
        assert_eq!(asked("x", []), "");
    }
}
