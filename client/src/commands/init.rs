//! `apprun init`: a folder with a function that works.

use std::{fs, io::Write, path::Path};

use clap::{Arg, ArgMatches, Command};

use crate::{
    arguments::{folder, local, text},
    failure::Failure,
    folder::MANIFEST,
    output,
};

/// The languages, each with its runtime, its file, and an example that is built and called by a test.
const LANGUAGES: [(&str, &str, &str, &str); 2] = [
    ("go", "go1.21", "handler.go", include_str!("../../../examples/functions/go-hello/handler.go")),
    (
        "rust",
        "rust",
        "handler.rs",
        include_str!("../../../examples/functions/rust-hello/handler.rs"),
    ),
];

pub(super) fn definition() -> Command {
    local(
        "init",
        "Make a folder with a function that works",
        "It gets a manifest, function.yaml, and a handler. Files that are there already are kept.",
    )
    .arg(folder())
    .arg(
        Arg::new("language")
            .long("language")
            .value_parser(LANGUAGES.map(|(language, ..)| language))
            .default_value("go")
            .help("What it is written in"),
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let folder = matches.get_one::<std::path::PathBuf>("folder").expect("clap insists on it");
    let asked = text(matches, "language");
    let (_, runtime, file, handler) =
        LANGUAGES.iter().find(|(language, ..)| *language == asked).expect("clap knows them");
    fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    let name = name_of(folder)?;
    let manifest = format!(
        "name: {name}\ndescription: Greets whoever calls\nruntime: {runtime}\ntimeout: 30  # seconds\n\
         memory: 128  # MiB\n"
    );
    write_new(&folder.join(MANIFEST), &manifest)?;
    write_new(&folder.join(file), handler)?;
    output::say(format_args!("{} holds {MANIFEST} and {file}", folder.display()));
    output::next(format_args!(
        "apprun deploy {} && apprun invoke {name} '{{\"name\":\"you\"}}'",
        folder.display()
    ));
    Ok(())
}

/// The last part of the folder's path, in the letters that a name may have.
fn name_of(folder: &Path) -> Result<String, Failure> {
    let whole = folder.canonicalize().map_err(|error| cannot_write(folder, &error))?;
    let last = whole.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let letters = last.unwrap_or_default();
    let plain = letters.chars().map(|letter| match letter {
        'a'..='z' | '0'..='9' | '-' => letter,
        _ => '-',
    });
    let name = plain.collect::<String>().trim_matches('-').to_owned();
    Ok(if name.is_empty() { "hello".to_owned() } else { name })
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let created = fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} is there already and was kept", path.display()))
        }
        _ => cannot_write(path, &error),
    })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", path.display()))
}
