//! "Did you mean": the known name that is closest to a mistyped one.

/// The closest of `known`, or nothing when none is similar enough to be what was meant.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (name, strsim::damerau_levenshtein(wrong, name)))
        .min_by_key(|(_, distance)| *distance)
        // More than half of it wrong is another word, not a slip.
        .filter(|(name, distance)| distance * 2 <= name.len())
        .map(|(name, _)| name)
}

/// The end of a message about an unknown name.
pub(super) fn suggestion<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}
